"""A model behind an OpenAI-compatible endpoint, and what its calls cost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol

TEMPERATURE = 0.8
MAX_TOKENS = 12
TIMEOUT = 120.0


@dataclass(frozen=True)
class Prompt:
    """A prompt in parts, so that it can be sent as one text or as messages.

    Attributes:
        intro: What the agent is for.
        examples: For each example its head and its actions.
        head: The task and the form.
        actions: The actions so far.
    """

    intro: str
    examples: tuple[tuple[str, tuple[str, ...]], ...]
    head: str
    actions: tuple[str, ...]

    def as_text(self) -> str:
        """One text that ends where the next action begins."""
        parts = [f"{self.intro}\n\n"]
        for head, actions in self.examples:
            parts.append(f"{head}\n{_numbered(actions)}\n")
        return f"{''.join(parts)}{self.head}\n{_numbered(self.actions)}{len(self.actions) + 1}."

    def as_messages(self) -> list[dict[str, str]]:
        """Messages of a chat: each action is a turn of the model."""
        messages = [{"role": "system", "content": self.intro}]
        for head, actions in self.examples:
            messages += _turns(head, actions)[:-1]
        return messages + _turns(self.head, self.actions)


def _turns(head: str, actions: tuple[str, ...]) -> list[dict[str, str]]:
    """The turns of a task, up to the user's answer to the last action."""
    turns = [{"role": "user", "content": head}]
    for action in actions:
        turns += [{"role": "assistant", "content": action}, {"role": "user", "content": "ok"}]
    return turns


def _numbered(actions: tuple[str, ...]) -> str:
    return "".join(f"{number}. {action}\n" for number, action in enumerate(actions, 1))


@dataclass(frozen=True)
class Answer:
    """A line of the model, the tokens that the endpoint counted, and how long the call took."""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


class Model(Protocol):
    """A model that continues a prompt. The seed is that of the sampler."""

    def ask(self, prompt: Prompt, seed: int) -> Answer: ...


class Endpoint:
    """A model that the `openai` client reaches, by completions or by chat."""

    def __init__(self, client: Any, name: str, *, chat: bool, extra: dict[str, Any] | None = None) -> None:
        self._client = client
        self._options: dict[str, Any] = {
            "model": name,
            "temperature": TEMPERATURE,
            "max_tokens": MAX_TOKENS,
            "stop": ["\n"],
            "extra_body": extra or {},
        }
        self._chat = chat

    def ask(self, prompt: Prompt, seed: int) -> Answer:
        began = time.perf_counter()
        if self._chat:
            answer = self._client.chat.completions.create(messages=prompt.as_messages(), seed=seed, **self._options)
            text = answer.choices[0].message.content
        else:
            answer = self._client.completions.create(prompt=prompt.as_text(), seed=seed, **self._options)
            text = answer.choices[0].text
        seconds = time.perf_counter() - began
        usage = answer.usage
        sent, received = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        return Answer((text or "").strip(), sent, received, seconds)


class Draws:
    """A model that is asked once for each prompt and seed of the sampler.

    Rows that ask the same in the same place share the answer, so that they differ by what they do and not by chance.
    Each counts the call, its tokens and its seconds.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._drawn: dict[tuple[Prompt, int], Answer] = {}

    def ask(self, prompt: Prompt, seed: int) -> Answer:
        if (prompt, seed) not in self._drawn:
            self._drawn[prompt, seed] = self._model.ask(prompt, seed)
        return self._drawn[prompt, seed]


class Meter:
    """A model with a counter in front.

    Attributes:
        seconds: What the calls took when they were made.
        waited: What was waited for them here, which is less where draws are shared.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.calls = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.seconds = 0.0
        self.waited = 0.0

    def ask(self, prompt: Prompt, seed: int) -> Answer:
        began = time.perf_counter()
        answer = self._model.ask(prompt, seed)
        self.waited += time.perf_counter() - began
        self.seconds += answer.seconds
        self.calls += 1
        self.prompt_tokens += answer.prompt_tokens
        self.completion_tokens += answer.completion_tokens
        return answer


class PromptCache:
    """A cache of answers by exact prompt, in front of a model: the first answer is given each time."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._answers: dict[str, Answer] = {}

    def ask(self, prompt: Prompt, seed: int) -> Answer:
        key = prompt.as_text()
        if key not in self._answers:
            self._answers[key] = self._model.ask(prompt, seed)
        return self._answers[key]
