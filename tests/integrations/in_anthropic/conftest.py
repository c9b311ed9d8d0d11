"""A shop, a model that refunds its orders, and clients of Anthropic around both."""

from collections.abc import Iterator

import pytest


@pytest.fixture(params=["messages"])
def kit(request: pytest.FixtureRequest) -> Iterator[object]:
    anthropic = pytest.importorskip("anthropic", reason="the client of Anthropic is not installed")
    from client_kit import Kit, Shop
    from muscle_mem.integrations.anthropic import wrap_anthropic
    from stub_models import StubModels

    def make(kind: type) -> object:
        return lambda base_url, **options: kind(api_key="sk-not-a-key", base_url=base_url, max_retries=2, **options)

    with StubModels() as stub:
        clients = make(anthropic.Anthropic), make(anthropic.AsyncAnthropic)
        made = Kit(request.param, stub, Shop(), *clients, wrap_anthropic)
        yield made
        made.close()
