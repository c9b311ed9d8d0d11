"""The rows of the table: the same agent on the same tasks, alone, with retries, and with three kinds of memory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from muscle_mem import Check, Engine, Reason

from . import oracle
from .agent import Agent, Tools
from .form import Desk, Form, FormError
from .model import Meter, Model, PromptCache
from .tasks import Task

RETRIES = 3


@dataclass
class Counts:
    """What a row made of the tasks of a seed.

    Attributes:
        solved: Tasks after which the oracle finds no fault.
        accepted: Tasks after which the success callback is satisfied.
        hits: Tasks that were done without the model.
        handed_over: Replays that stopped in the middle, and went to the agent.
        wrong_hits: Hits in which the oracle finds a fault.
        wrong_sends: Tickets sent that differ from the task, in all attempts.
        model_seconds: The part of `seconds` that the calls of the model took.
        reasons: How many runs ended for each reason of the engine.
        wrong: For each wrong hit its place in the stream, the task, the faults, and where they come from.
        rejected: For each task with a replay that the callback rejected its place, the task, and the leftover.
    """

    tasks: int = 0
    solved: int = 0
    accepted: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    model_seconds: float = 0.0
    hits: int = 0
    handed_over: int = 0
    wrong_hits: int = 0
    wrong_sends: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    wrong: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Ended:
    """How one task ended.

    Attributes:
        forms: The forms of all attempts, the last of which counts.
        hit: Whether the last attempt was done without the model.
        handed_over: How many replays stopped in the middle.
        reasons: The engine's reasons, if there is an engine.
        trajectory: What was replayed or learned.
    """

    forms: list[Form]
    hit: bool = False
    handed_over: int = 0
    reasons: list[str] = field(default_factory=list)
    trajectory: str | None = None


Solve = Callable[[Task, int], Ended]
Success = Callable[[Form, Task], bool]


def accepts(form: Form, task: Task) -> bool:
    """The success callback: the ticket that was sent is the one that the caller wanted."""
    return bool(form.sent) and form.sent[-1] == task.request


def sees_confirmation(form: Form, task: Task) -> bool:
    """A weak success callback, for the control: some ticket was sent."""
    return bool(form.sent)


class Alone:
    """The agent alone. With retries, it starts again on a fresh form when the callback rejects the result."""

    def __init__(self, model: Model, seed: int, *, retries: int = 0) -> None:
        self._desk = Desk()
        self._agent = Agent(model, self._desk, plain_tools(self._desk))
        self._seed = seed
        self._retries = retries

    def __call__(self, task: Task, place: int) -> Ended:
        forms = []
        for attempt in range(self._retries + 1):
            self._desk.form = Form(task.leftover)
            self._agent.draw = (self._seed, place, attempt)
            self._agent(task.text)
            forms.append(self._desk.form)
            if accepts(self._desk.form, task):
                break
        return Ended(forms)


class Cached:
    """The agent with a cache of answers by exact prompt. A hit is a task without a call of the model."""

    def __init__(self, model: Meter, seed: int) -> None:
        self._model = model
        self._alone = Alone(PromptCache(model), seed)

    def __call__(self, task: Task, place: int) -> Ended:
        before = self._model.calls
        ended = self._alone(task, place)
        ended.hit = self._model.calls == before
        return ended


class Remembering:
    """The agent behind an engine."""

    def __init__(
        self,
        model: Model,
        seed: int,
        engine: Engine,
        *,
        params: bool = False,
        check: bool = False,
        retries: int = 0,
        success: Success = accepts,
    ) -> None:
        self._desk = Desk()
        self._seed = seed
        self._engine = engine
        self._params = params
        self._retries = retries
        self._success = success
        self._agent = Agent(model, self._desk, engine_tools(engine, self._desk, check=check))
        engine.set_agent(self._agent)

    def __call__(self, task: Task, place: int) -> Ended:
        params = task.params if self._params and task.params else None
        ended = Ended([])
        for attempt in range(self._retries + 1):
            form = self._desk.form = Form(task.leftover)
            self._agent.draw = (self._seed, place, attempt)
            outcome = self._engine(task.text, params=params, success=partial(self._success, form, task))
            ended.forms.append(form)
            ended.reasons.append(outcome.reason.value)
            ended.hit, ended.trajectory = bool(outcome), outcome.trajectory_id
            ended.handed_over += outcome.status == "diverged"
            if self._success(form, task):
                break
        return ended


def plain_tools(desk: Desk) -> Tools:
    return {"fill": desk.fill, "choose": desk.choose, "press": desk.press}


def engine_tools(engine: Engine, desk: Desk, *, check: bool) -> Tools:
    """The tools as the engine records them; with a check that sees all fields of the form."""
    sees_form = Check(lambda *_: dict(desk.form.values)) if check else None
    tools: Tools = {}
    for name, function, effect in (
        ("fill", desk.fill, "idempotent"),
        ("choose", desk.choose, "idempotent"),
        ("press", desk.press, "write"),
    ):
        options: dict[str, Any] = {"effect": effect, "refuses": (FormError,)}
        tools[name] = engine.tool(name=name, pre_check=sees_form, **options)(function)
    return tools


ROWS: dict[str, str] = {
    "alone": "agent alone",
    "retry": f"agent alone, up to {RETRIES} retries",
    "cache": "cache of model answers by exact prompt",
    "success": "muscle_mem, `success=`",
    "params": "muscle_mem, `success=`, `params=` and a check",
    "learned": "muscle_mem, `success=`, learned params",
    "params-retry": f"muscle_mem as with `params=`, up to {RETRIES} retries",
    "weak": "control: as with `params=`, and a callback that sees the confirmation only",
}
MEMORIES = ("success", "params", "learned", "params-retry", "weak")


def solver(row: str, model: Meter, seed: int) -> Solve:
    """What solves the tasks of a row. Raises KeyError for an unknown row."""
    makers: dict[str, Callable[[], Solve]] = {
        "alone": lambda: Alone(model, seed),
        "retry": lambda: Alone(model, seed, retries=RETRIES),
        "cache": lambda: Cached(model, seed),
        "success": lambda: Remembering(model, seed, Engine()),
        "params": lambda: Remembering(model, seed, Engine(), params=True, check=True),
        "learned": lambda: Remembering(model, seed, Engine(learn_params=True)),
        "params-retry": lambda: Remembering(model, seed, Engine(), params=True, check=True, retries=RETRIES),
        "weak": lambda: Remembering(model, seed, Engine(), params=True, check=True, success=sees_confirmation),
    }
    return makers[row]()


def run(row: str, tasks: list[Task], model: Model, seed: int) -> Counts:
    """Do the tasks of a seed as a row does them."""
    meter = Meter(model)
    solve = solver(row, meter, seed)
    counts = Counts()
    reasons: Counter[str] = Counter()
    learned_at: dict[str, int] = {}
    began = time.perf_counter()
    for place, task in enumerate(tasks):
        ended = solve(task, place)
        _count(counts, task, place, ended, learned_at)
        reasons.update(ended.reasons)
    counts.seconds = round(time.perf_counter() - began - meter.waited + meter.seconds, 3)
    counts.calls, counts.model_seconds = meter.calls, round(meter.seconds, 3)
    counts.prompt_tokens, counts.completion_tokens = meter.prompt_tokens, meter.completion_tokens
    counts.reasons = dict(sorted(reasons.items()))
    return counts


def _count(counts: Counts, task: Task, place: int, ended: Ended, learned_at: dict[str, int]) -> None:
    form = ended.forms[-1]
    faults = oracle.faults(task.text, form)
    counts.tasks += 1
    counts.solved += not faults
    counts.accepted += accepts(form, task)
    counts.hits += ended.hit
    counts.handed_over += ended.handed_over
    counts.wrong_sends += sum(
        bool(oracle.faults_of_ticket(task.text, ticket)) for each in ended.forms for ticket in each.sent
    )
    if ended.trajectory and not ended.hit:
        learned_at.setdefault(ended.trajectory, place)
    found = {"place": place, "task": task.text, "leftover": task.leftover}
    if Reason.UNSUCCESSFUL in ended.reasons:
        counts.rejected.append(found)
    if ended.hit and faults:
        counts.wrong_hits += 1
        counts.wrong.append({**found, "faults": faults, "learned_at": learned_at.get(ended.trajectory or "")})
