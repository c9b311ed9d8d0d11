"""Running the code blocks of a page about a framework, where the framework is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from paths import ROOT

BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def run_script(script: Path, folder: Path, **environment: str | None) -> str:
    """Run a script with warnings as errors, and return what it printed. None removes a variable."""
    given = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        env={name: value for name, value in given.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_blocks(page: Path, folder: Path) -> None:
    """Run the Python blocks of a page one after the other, as one program."""
    text = page.read_text(encoding="utf-8")
    parts: list[str] = []
    for match in BLOCK.finditer(text):
        line = text[: match.start()].count("\n") + 2
        parts.append("\n" * max(0, line - 1 - "".join(parts).count("\n")) + match.group(1))
    assert parts, page
    script = folder / f"page_{page.stem.replace('-', '_')}.py"
    script.write_text("".join(parts), encoding="utf-8")
    run_script(script, folder)
