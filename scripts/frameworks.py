"""Test the adapters with the newest and the lowest versions of their frameworks: `make frameworks`.

Each framework gets an environment for its newest release, and one for the lowest that its extra in pyproject.toml
allows; both are removed afterwards. The results go into .frameworks/results.jsonl, a line each. A run that was stopped
continues there; a line of another state of the code is not counted. At the end the table in
docs/integrations/what-is-tested.md is written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "integrations" / "what-is-tested.md"
BEGIN, END = "<!-- versions: begin -->", "<!-- versions: end -->"
PASSES = ("newest", "lowest")

# The extra of each adapter, which is also its page.
EXTRAS = ("pydantic-ai", "langchain", "openai-agents", "openai", "anthropic", "google-adk", "strands")

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def folder(extra: str) -> str:
    """Return the folder of an adapter's tests."""
    return f"tests/integrations/in_{extra.replace('-', '_')}"


def requirements(extra: str, which: str) -> list[str]:
    """Return what to install: the requirements of the package, of the extra in the versions asked for, of the tests."""
    wanted: list[str] = PROJECT["optional-dependencies"][extra]
    if which == "lowest":
        wanted = [re.sub(r">=", "==", each) for each in wanted]
    tools = [line for line in (ROOT / "requirements" / "frameworks.in").read_text().splitlines() if line[:1] != "#"]
    others = ["mcp", *(["langchain-openai"] if extra != "langchain" else [])]
    return [*PROJECT["dependencies"], *wanted, *(line for line in tools if not line.startswith(tuple(others)))]


def digest(extra: str) -> str:
    """Return a digest of what the result depends on: the package, the adapter's tests and what they share."""
    found = hashlib.sha256(json.dumps([requirements(extra, which) for which in PASSES]).encode())
    for place in ("src", folder(extra), "tests/support"):
        for file in sorted((ROOT / place).rglob("*.py")):
            found.update(file.read_bytes())
    return found.hexdigest()[:16]


def versions(python: Path, extra: str) -> dict[str, str]:
    """Return the installed versions of the packages that the extra names."""
    names = [re.split(r"[\[<>=~! ;]", each)[0] for each in PROJECT["optional-dependencies"][extra]]
    code = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {names!r}}}))"
    found: dict[str, str] = json.loads(subprocess.check_output([python, "-c", code]))
    return found


def counts(output: str) -> dict[str, int]:
    """Return what the last line of pytest counts: passed, failed, errors, skipped."""
    last = next((line for line in reversed(output.splitlines()) if re.search(r"\d+ \w+.* in ", line)), "")
    return {
        word.rstrip("s"): int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?|skipped)", last)
    }


def measure(extra: str, which: str, work: Path) -> dict[str, Any]:
    """Make the environment, run the adapter's tests in it, and remove it."""
    place = work / f"{extra}-{which}"
    began = time.monotonic()
    shutil.rmtree(place, ignore_errors=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        python = place / "bin" / "python"
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements(extra, which)], check=True)
        installed = time.monotonic()
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder(extra)]
        environment = {**os.environ, "PYTHONPATH": "src"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        if done.returncode:
            print(done.stdout[-6000:], done.stderr[-2000:])
        return {
            "extra": extra,
            "which": which,
            "digest": digest(extra),
            "versions": versions(python, extra),
            "python": ".".join(map(str, sys.version_info[:3])),
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "ok": done.returncode == 0,
            **counts(done.stdout),
            "setup_seconds": round(installed - began),
            "test_seconds": round(time.monotonic() - installed),
        }
    finally:
        shutil.rmtree(place, ignore_errors=True)


def table(results: list[dict[str, Any]], page: str = "") -> str:
    """Return the table of versions and results, as Markdown; a row of the page stays if there is no new result."""
    lines = ["| extra | lowest tested | newest tested | Python, day |", "| --- | --- | --- | --- |"]
    for extra in EXTRAS:
        by = {each["which"]: each for each in results if each["extra"] == extra}
        kept = next((line for line in page.splitlines() if line.startswith(f"| `{extra}` |")), "")
        if not by and kept:
            lines.append(kept)
        elif by:
            cells = [cell(by[which]) if which in by else "" for which in reversed(PASSES)]
            any_of = next(iter(by.values()))
            lines.append(f"| `{extra}` | {' | '.join(cells)} | {any_of['python']}, {any_of['date']} |")
    return "\n".join(lines) + "\n"


def cell(result: dict[str, Any]) -> str:
    named = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    said = [f"{result[word]} {word}" for word in ("passed", "failed", "error", "skipped") if result.get(word)]
    return f"{named}: {', '.join(said) or 'no tests'}"


def page_with(text: str, page: str) -> str:
    """Return the text of the page with the table between its two marks."""
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}\n\n{text}\n{END}{rest.split(END)[1]}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Test the adapters with several versions of their frameworks.")
    parser.add_argument("--only", choices=EXTRAS, action="append", help="the extras to test; all by default")
    parser.add_argument("--work", type=Path, default=ROOT / ".frameworks", help="the folder of the environments")
    parser.add_argument("--fresh", action="store_true", help="test again what has a result")
    given = parser.parse_args()
    given.work.mkdir(exist_ok=True)
    file = given.work / "results.jsonl"
    if given.fresh:
        file.unlink(missing_ok=True)
    kept = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    # The last result of each, so that a failure that was repaired is not shown.
    results = {(each["extra"], each["which"]): each for each in kept if each["digest"] == digest(each["extra"])}
    for extra in given.only or EXTRAS:
        for which in PASSES:
            if results.get((extra, which), {}).get("ok"):
                print(f"{extra} {which}: has a result")
                continue
            result = results[extra, which] = measure(extra, which, given.work)
            with file.open("a") as lines:
                lines.write(json.dumps(result) + "\n")
            took = f"{result['setup_seconds']} s to set up, {result['test_seconds']} s to test"
            print(f"{extra} {which}: {cell(result)} ({took})", flush=True)
    if PAGE.exists():
        page = PAGE.read_text()
        PAGE.write_text(page_with(table(list(results.values()), page), page))
    return 0 if all(each["ok"] for each in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
