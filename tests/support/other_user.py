"""Another user, for what root must not or need not do in tests, and folders and programs that this user can reach.

A clone, a virtual environment or TMPDIR may lie below a folder that only root may enter.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

User = tuple[int, int]
SHARED = ("/tmp", "/var/tmp", "/dev/shm")


def other_user() -> User | None:
    """Whom to become where tests run as root, as ids of a user and a group; None where they do not."""
    if os.name != "posix" or os.geteuid() != 0:
        return None
    import pwd

    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def as_user(user: User | None) -> dict[str, Any]:
    """The options of a subprocess that runs as a user; of one that runs as ourselves if there is none."""
    return {"user": user[0], "group": user[1], "extra_groups": []} if user else {}


def shared_place() -> str | None:
    """A folder for temporary files whose way is open to every user; None is the usual one, also if there is no better.

    A TMPDIR of one's own, as some systems give to each user, is closed to all others.
    """
    if other_user() is None or _is_open(tempfile.gettempdir()):
        return None
    return next((place for place in SHARED if _is_open(place)), None)


def runnable(binaries: Path, names: Iterable[str], folder: Path, user: User | None) -> Path:
    """Where a user can run the programs of a folder: there, or in a copy below `folder`, which `give` makes theirs.

    With the programs go what they find beside themselves, and the libraries that a wheel keeps beside its package.
    """
    if user is None or _can_run(binaries, names, folder, user):
        return binaries
    install, package = binaries.parent, binaries.parent.parent
    copy = folder / "programs" / package.name / install.name
    shutil.copytree(install, copy)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "programs" / libraries.name)
    give(folder, user)
    return copy / binaries.name


def give(folder: Path, user: User) -> None:
    """Make a user the owner of a folder and all in it: what was copied has the modes that root's umask gave it."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, *user, follow_symlinks=False)


def _can_run(binaries: Path, names: Iterable[str], folder: Path, user: User) -> bool:
    """Whether each program tells its version. A way that is closed to the user is an error, and no return code."""
    for name in names:
        try:
            done = subprocess.run([binaries / name, "-V"], capture_output=True, cwd=folder, **as_user(user))
        except PermissionError:
            return False
        if done.returncode:
            return False
    return True


def _is_open(place: str) -> bool:
    """Whether everybody may enter a folder and all above it, and write in it."""
    path = Path(place).resolve()
    may_write = path.is_dir() and path.stat().st_mode & 0o002
    return bool(may_write) and all(one.stat().st_mode & 0o001 for one in (path, *path.parents))
