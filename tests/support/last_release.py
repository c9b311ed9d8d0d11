"""The code of the last release, 0.3.0, for tests that run it beside the code of now."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

from paths import ROOT

COMMIT = "f532dbbb09b84af4df82e728ab53dba0137345c7"
WHY_NOT = f"the last release is not in this clone: git fetch the commit {COMMIT}"


@functools.cache
def source() -> Path | None:
    """The folder to import 0.3.0 from; None without git, or in a clone without history."""
    if shutil.which("git") is None:
        return None
    archive = subprocess.run(["git", "-C", ROOT, "archive", COMMIT, "src"], capture_output=True)
    if archive.returncode:
        return None
    folder = Path(tempfile.mkdtemp(prefix="mm-0.3.0-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder / "src"
