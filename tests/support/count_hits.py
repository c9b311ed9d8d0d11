"""python -m tests.support.count_hits --hits 5000 --seed 0: count hits of random agents, and the wrong ones.

A hit is wrong if the agent would have made other calls. The generators are `agents` (random_agents.py), `programs`
(random_programs.py) and `answers` (random_answers.py). With `--results FILE` a line of JSON is appended for each batch
of seeds, and a later call with the same generator and options goes on behind the last one. The exit status is 1 if a
hit of a promised kind was wrong.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import random_agents
import random_answers
import random_programs

BATCH = 20  # seeds in a line of the results
TURNS = 6
PARAM_KINDS = ("param", "lookup", "threshold")  # promised under generalize="confirmed" only
GENERATORS = ("agents", "programs", "answers")


def of_agents(seed: int, generalize: str) -> Iterator[tuple[str, str]]:
    """Yield the kind of each hit of a seed, and what was wrong with it."""
    for kind in random_agents.KINDS:
        trial = random_agents.Trial(seed * 1_000 + 7, kind, generalize=generalize)
        for turn in range(TURNS):
            outcome, did, would = trial.run(turn)
            if outcome:
                yield kind, "" if did == would else f"{kind} {seed} turn {turn}: did {did}, the agent would do {would}"
        trial.engine.close()


def of_programs(seed: int, generalize: str) -> Iterator[tuple[str, str]]:
    """Yield the kind of each hit of a seed, and what was wrong with it."""
    for hit in random_programs.hits_of(seed, generalize)[0]:
        wrong = f"program {seed} {hit.parts}: did {hit.done}, the agent would do {hit.due}"
        yield hit.kind, wrong if hit.wrong else ""


def of_answers(seed: int, generalize: str) -> Iterator[tuple[str, str]]:
    """Yield the kind of each hit of a seed, and what was wrong with it."""
    return random_answers.hits_of(seed, generalize=generalize)


OF = {"agents": of_agents, "programs": of_programs, "answers": of_answers}


def is_promised(kind: str, generalize: str) -> bool:
    """Return whether no hit of this kind may be wrong."""
    return kind != "unseen" and (kind not in PARAM_KINDS or generalize == "confirmed")


def batch(generator: str, seeds: range, generalize: str) -> dict[str, Any]:
    """Return the line of the results for these seeds."""
    hits, wrong, examples = Counter[str](), Counter[str](), []
    for seed in seeds:
        for kind, fault in OF[generator](seed, generalize):
            hits[kind] += 1
            if fault:
                wrong[kind] += 1
                examples += [fault] if is_promised(kind, generalize) else []
    found = {"generator": generator, "generalize": generalize, "seeds": [seeds.start, seeds.stop]}
    return {**found, "hits": dict(hits), "wrong": dict(wrong), "examples": examples}


def earlier(results: Path | None, generator: str, generalize: str, seed: int) -> list[dict[str, Any]]:
    """Return the lines that are there already, from a first seed on."""
    lines = results.read_text().splitlines() if results is not None and results.exists() else []
    found = [json.loads(line) for line in lines]
    return [
        line
        for line in found
        if (line["generator"], line["generalize"]) == (generator, generalize) and line["seeds"][0] >= seed
    ]


def count(generator: str, generalize: str, wanted: int, seed: int, results: Path | None) -> bool:
    """Count until there are enough hits; return whether none of a promised kind was wrong."""
    lines = earlier(results, generator, generalize, seed)
    at = max((line["seeds"][1] for line in lines), default=seed)
    while sum(sum(line["hits"].values()) for line in lines) < wanted:
        line = batch(generator, range(at, at + BATCH), generalize)
        lines.append(line)
        at += BATCH
        for example in line["examples"]:
            print(example[:1_000], flush=True)
        if results is not None:
            with results.open("a") as file:
                file.write(json.dumps(line) + "\n")
    hits, wrong = Counter[str](), Counter[str]()
    for line in lines:
        hits.update(line["hits"])
        wrong.update(line["wrong"])
    print(f"{generator}, generalize={generalize!r}, seeds {seed} to {at}: {hits.total()} hits, {wrong.total()} wrong")
    for kind in hits:
        note = "" if is_promised(kind, generalize) else "  (not promised)"
        print(f"  {kind:12} {hits[kind]:6} hits {wrong[kind]:5} wrong{note}")
    return not any(wrong[kind] for kind in wrong if is_promised(kind, generalize))


def main() -> int:
    """Read the command line, count, and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hits", type=int, default=5_000, help="hits to count with each generator")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--generator", choices=GENERATORS, action="append", help="all by default")
    parser.add_argument("--generalize", choices=("computed", "confirmed"), default="computed")
    parser.add_argument("--results", type=Path, help="a file of JSON lines to append to and to go on from")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    chosen = options.generator or GENERATORS
    found = [count(name, options.generalize, options.hits, options.seed, options.results) for name in chosen]
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
