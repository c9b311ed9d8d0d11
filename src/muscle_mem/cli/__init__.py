"""Command line `muscle-mem`: inspect and maintain a store.

It does not need the recorded program.
"""

from __future__ import annotations

import sys

import click

from .commands.backup import backup
from .commands.copy import copy
from .commands.demo import demo
from .commands.diff import diff
from .commands.doctor import doctor
from .commands.export import export
from .commands.flows import flows
from .commands.forget import forget
from .commands.import_ import import_
from .commands.inspect import inspect
from .commands.ls import ls
from .commands.mcp import mcp
from .commands.migrate import migrate
from .commands.prune import prune
from .commands.review import approve, report_bad, report_good
from .commands.show import show
from .commands.stats import stats
from .commands.tail import tail
from .commands.verify import verify
from .opening import VARIABLE

__all__ = ["main"]


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 success; 1 not found, or not done; 2 wrong usage, or the store cannot be used.",
)
@click.option("--store", metavar="PATH_OR_URL", help=f"Use this store instead of ${VARIABLE}.")
@click.version_option(package_name="muscle-mem", prog_name="muscle-mem", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context, store: str | None) -> None:
    """Inspect and maintain a store of muscle_mem, a behavior cache for AI agents.

    The store is the file or database that an Engine uses. Pass it with --store, before or after the command, or set the
    environment variable MUSCLE_MEM_STORE. Every command prints JSON with --json.

    \b
    Example:
      export MUSCLE_MEM_STORE=memory.db
      muscle-mem ls
      muscle-mem show 5c7a40f4
    """
    context.obj = store
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # A character outside the terminal's encoding must not end the command.
            reconfigure(errors="backslashreplace")


for command in (
    ls,
    show,
    flows,
    stats,
    inspect,
    tail,
    approve,
    report_good,
    report_bad,
    forget,
    export,
    import_,
    diff,
    prune,
    doctor,
    verify,
    backup,
    copy,
    mcp,
    migrate,
    demo,
):
    main.add_command(command)
