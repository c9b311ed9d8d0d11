"""A shop, a model that refunds its orders, and clients of OpenAI around both."""

from collections.abc import Iterator

import pytest


@pytest.fixture(params=["chat", "responses"])
def kit(request: pytest.FixtureRequest) -> Iterator[object]:
    openai = pytest.importorskip("openai", reason="the client of OpenAI is not installed")
    from client_kit import Kit, Shop
    from muscle_mem.integrations.openai import wrap_openai
    from stub_models import StubModels

    def make(kind: type) -> object:
        return lambda base_url, **options: kind(
            api_key="sk-not-a-key", base_url=f"{base_url}/v1", max_retries=2, **options
        )

    with StubModels() as stub:
        made = Kit(request.param, stub, Shop(), make(openai.OpenAI), make(openai.AsyncOpenAI), wrap_openai)
        yield made
        made.close()
