"""What each kind of safety costs: the same steady hit of ten steps with one thing more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from muscle_mem import Engine

from .. import workload
from ..ours import check_of, engine_of, must_hit, must_learn, plain, recorded, takes
from ..scenario import Bench, Row, ends, ratio_row, scenario
from ..workload import block_of, fresh_block_of, loop_of

STEPS = 10
PARAMS: dict[str, Any] = {"who": "somebody"}
KEY = b"0123456789abcdef0123456789abcdef"


@scenario("safety")
def kinds(bench: Bench) -> Iterator[Row]:
    """All in one race, so that they can be held against each other."""
    kinds = (
        ("plain", "a check, and nothing more", must_hit(recorded(plain(), STEPS))),
        ("none", "no check at all", must_hit(_unchecked())),
        ("both", "a check before and one after", must_hit(recorded(plain(), STEPS, both=True))),
        ("wait", "Check(wait=1.0) that passes immediately", must_hit(_checked(wait=1.0))),
        ("refresh", "Check(refresh=True)", must_hit(_checked(refresh=True))),
        ("success", "a success callback", must_hit(recorded(plain(), STEPS, success=lambda steps: True))),
        ("verified", "trust='verified', judged good", must_hit(_judged(trust="verified"))),
        ("manual", "trust='manual', judged good", must_hit(_judged(trust="manual"))),
        ("observer", "an observer that gets every event", must_hit(recorded(plain(), STEPS, observers=_ignore))),
        ("params", "params given", must_hit(_with_params(), params=PARAMS)),
    )
    yield from _in_one_race(bench, kinds)


def _in_one_race(bench: Bench, kinds: Iterable[tuple[str, str, Callable[[], None]]]) -> Iterator[Row]:
    """A row for each kind of hit: its name, what is said of it, the hit."""
    blocks = {"loop": block_of(loop_of(plain(), STEPS))}
    for name, _, hit in kinds:
        blocks[name] = block_of(hit)
    race, _ = bench.race(blocks)
    loop = race.spread("loop").median
    for name, title, _ in kinds:
        found = race.ratio(name, "loop")
        row = Row(f"safety.{name}", f"steady hit, {STEPS} steps: {title}", "x", found.median, ends(found))
        row.loop, row.loop_unit, row.details = loop, "us", {"ours_us": race.spread(name).median}
        yield row


@scenario("safety")
def tracing(bench: Bench) -> Iterator[Row]:
    """OpenTelemetry: not asked for, with nobody who listens, and with spans and metrics that are made and kept."""
    titles = {
        "untraced": "no tracing",
        "unheard": "OtelObserver without a tracer behind it",
        "traced": "OtelObserver with the SDK: a span a step, exported nowhere",
    }
    try:
        from opentelemetry.metrics import NoOpMeterProvider
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.trace import NoOpTracerProvider

        from muscle_mem.integrations.otel import OtelObserver
    except ImportError as error:
        for name, title in titles.items():
            note = f"skipped: {error}"
            yield Row(f"safety.{name}", f"steady hit, {STEPS} steps: {title}", "x", note=note)
        return
    unheard = OtelObserver(tracer_provider=NoOpTracerProvider(), meter_provider=NoOpMeterProvider())
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    traced = OtelObserver(tracer_provider=TracerProvider(shutdown_on_exit=False), meter_provider=meters)
    engines = {
        "untraced": recorded(plain(), STEPS),
        "unheard": recorded(plain(), STEPS, observers=[unheard]),
        "traced": recorded(plain(), STEPS, observers=[traced]),
    }
    yield from _in_one_race(bench, [(name, titles[name], must_hit(engine)) for name, engine in engines.items()])


def _ignore(event: object) -> None:
    pass


def _checked(**options: Any) -> Engine:
    return recorded(plain(), STEPS, check=check_of(plain(), **options))


def _unchecked() -> Engine:
    engine = Engine()
    tool = engine.tool(workload.press)
    engine.set_agent(workload.agent_of(tool, plain(), STEPS))
    must_learn(engine)
    return engine


def _with_params() -> Engine:
    engine, _ = engine_of(plain(), STEPS)
    must_learn(engine, params=PARAMS)
    return engine


def _judged(**options: Any) -> Engine:
    engine, _ = engine_of(plain(), STEPS, **options)
    must_learn(engine)
    engine.report_good(engine._runtime.library.store.scan().stored[0].sealed.id)
    return engine


@scenario("safety")
def digests(bench: Bench) -> Iterator[Row]:
    """The first hit out of a SQLite file, whose rows are digested when they are read."""
    for name, title, options in (
        ("sha256", "SHA-256", {}),
        ("hmac", "keyed HMAC (signing_key=)", {"signing_key": KEY}),
    ):
        id, heading = f"safety.{name}", f"first hit out of SQLite, {STEPS} steps: {title}"
        if not all(map(takes, options)):
            yield Row(id, heading, "x", note="skipped: this version has no signing_key=")
            continue
        path = bench.scratch / f"{name}.db"
        recorded(plain(), STEPS, str(path), **options).close()
        yield ratio_row(bench, id, heading, fresh_block_of(_opener(path, options)), block_of(loop_of(plain(), STEPS)))


def _opener(path: Path, options: dict[str, Any]) -> Callable[[], Callable[[], None]]:
    """Engines over one file, each closed when the next is made."""
    last: list[Engine] = []

    def make() -> Callable[[], None]:
        while last:
            last.pop().close()
        last.append(engine_of(plain(), STEPS, str(path), **options)[0])
        return must_hit(last[0])

    return make
