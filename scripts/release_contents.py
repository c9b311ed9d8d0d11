"""Check what is in a wheel and an sdist, or print the example of a page: the parts of release.sh that need Python."""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from pathlib import Path

JUNK = re.compile(
    r"__pycache__|\.py[co]$|(^|/)\.(venv|git|pytest_cache|mypy_cache|ruff_cache)(/|$)|(^|/)_build/|\.egg-info/"
)
IN_SDIST = """
src/muscle_mem/py.typed src/pytest_muscle_mem.py tests/conftest.py examples/greeter.py docs/index.md Makefile README.md
CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE pyproject.toml requirements/dev.txt scripts/install.sh
""".split()
IN_WHEEL = "muscle_mem/__init__.py muscle_mem/py.typed pytest_muscle_mem.py".split()


def contents(file: Path) -> dict[str, bytes]:
    """Return the files of an archive by name, without the folder that an sdist begins with."""
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist()}
    with tarfile.open(file) as sdist:
        members = [member for member in sdist.getmembers() if member.isfile()]
        return {member.name.partition("/")[2]: sdist.extractfile(member).read() for member in members}


def faults(files: dict[str, bytes], expected: list[str], root: str) -> list[str]:
    """Return what is wrong: missing files, files that do not belong there, files that name this folder."""
    found = [f"{name} is missing" for name in expected if name not in files]
    found += [f"{name} does not belong in a release" for name in files if JUNK.search(name) or name.startswith("/")]
    found += [f"{name} contains the path {root}" for name, body in files.items() if root.encode() in body]
    return found


def check(folder: Path) -> int:
    wrong = 0
    for pattern, expected in (("*.whl", IN_WHEEL), ("*.tar.gz", IN_SDIST)):
        (file,) = folder.glob(pattern)
        files = contents(file)
        found = faults(files, expected, str(Path.cwd()))
        wrong += len(found)
        print(f"{file.name}: {len(files)} files, " + ("nothing missing, no junk" if not found else "; ".join(found)))
    return 1 if wrong else 0


def example(page: Path) -> str:
    """Return the python blocks of a page as one program."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))


if __name__ == "__main__":
    if sys.argv[1] == "--example":
        print(example(Path(sys.argv[2])))
    else:
        sys.exit(check(Path(sys.argv[1])))
