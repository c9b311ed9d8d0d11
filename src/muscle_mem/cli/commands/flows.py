"""`muscle-mem flows`: list, confirm and strike where arguments come from."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..._core.model.learned import CONFIRMED, REJECTED
from ..._core.plan.flows import ACTS, ShownFlow
from ..._reading.flow_verdicts import store_verdict, why_not_confirmed
from ..._reading.flows import Learned, all_learned, flow_json, flow_lines, flows_of, leaf_name, learned_json
from ..._reading.text import count, printable
from ...store import Store
from ..completion import complete_ids
from ..finding import full_ids, get_stored
from ..opening import NotDoneError, json_option, open_existing, store_option
from ..output import console, id_text, print_json, text

_id = click.argument("id", metavar="ID", shell_complete=complete_ids)
_place = click.argument("place", metavar="STEP.ARGUMENT")


class _ListsByDefault(click.Group):
    """A group that lists if no subcommand is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = 0  # The options of the group come first.
        while own < len(args) and args[own].startswith("--store"):
            own += 1 if "=" in args[own] else 2
        if args[own : own + 1] not in [[name] for name in (*self.commands, *ctx.help_option_names)]:
            args = [*args[:own], "list", *args[own:]]
        return super().parse_args(ctx, args)


@click.group(cls=_ListsByDefault, short_help="List, confirm or strike where arguments come from.")
@store_option
@click.pass_context
def flows(context: click.Context, store: str | None) -> None:
    """List the sources of arguments that differ from run to run.

    A flow is a source that several recordings show. Without a subcommand, the command lists the flows of the trajectory
    ID, or of the whole store. An engine with probation= may require more recordings.

    \b
    Status:
      acts       a replay uses the flow
      probation  a replay stops before the first write that uses it
      varies     the source is not known
      struck     a person rejected it, or an agent's call contradicted it

    \b
    Example:
      muscle-mem flows --store memory.db
      muscle-mem flows 5c7a40f4 --json
      muscle-mem flows confirm 5c7a40f4 1.order_id
      muscle-mem flows strike 5c7a40f4 1.order_id
    """
    if store is not None:
        context.find_root().obj = store


@flows.command(name="list", short_help="List flows; this is the default.")
@click.argument("id", metavar="[ID]", required=False, shell_complete=complete_ids)
@json_option
@store_option
def list_(id: str | None, as_json: bool, store: str | None) -> None:
    """List the flows of the trajectory ID, or of the whole store.

    ID is that of the flows, or of one of their recordings. It may be shortened to four or more characters.

    \b
    Example:
      muscle-mem flows list 5c7a40f4 --json
    """
    with open_existing(store) as source:
        found = list(all_learned(source)) if id is None else _found(source, id)
    if as_json:
        print_json([learned_json(one) for one in found])
    elif not found:
        click.echo("No flows: no recordings of one task with equal calls differ in an argument.")
    else:
        out = console()
        for one in found:
            out.print(text(_heading(one), "bold"), soft_wrap=True)
            for line, style in flow_lines(one.shown()):
                out.print(text(line, style), soft_wrap=True)


@flows.command(short_help="Confirm a flow: replay it as if it was declared.")
@_id
@_place
@json_option
@store_option
def confirm(id: str, place: str, as_json: bool, store: str | None) -> None:
    """Confirm where an argument comes from.

    The flow is then replayed as if it was declared. STEP is the position of the step from 0, or the name of a tool that
    is called once. The later verdict counts.

    \b
    Example:
      muscle-mem flows confirm 5c7a40f4 1.order_id --store memory.db
      muscle-mem flows confirm 5c7a40f4 pay.order_id
    """
    _judge(id, place, CONFIRMED, as_json, store)


@flows.command(short_help="Strike a flow: ask the agent instead.")
@_id
@_place
@json_option
@store_option
def strike(id: str, place: str, as_json: bool, store: str | None) -> None:
    """Reject where an argument comes from.

    The agent is asked before the step, until the flow is confirmed.

    \b
    Example:
      muscle-mem flows strike 5c7a40f4 1.order_id --store memory.db
    """
    _judge(id, place, REJECTED, as_json, store)


def _found(source: Store, id: str) -> list[Learned]:
    """Return the flows of an id or its beginning. Raises NotDoneError."""
    for one in all_learned(source) if source.get(id) is None else ():
        if one.record is None and one.id == id:  # No engine has stored a record of it yet.
            return [one]
    stored = get_stored(source, full_ids(source, (id,))[0])
    found = flows_of(source, stored)
    if not found:
        raise NotDoneError(
            f"trajectory {stored.sealed.id} has no flows: expected two recordings with equal calls that differ in an "
            "argument. Run `muscle-mem flows` to list all."
        )
    return found


def _heading(one: Learned) -> str:
    sealed = one.newest.sealed
    recordings = count(len(one.flows.parents), "recording")
    scope = f" @{printable(sealed.scope)}" if sealed.scope else ""
    return f"{id_text(one.id)}  {printable(sealed.task)}{scope} ({printable(one.state)}; {recordings})"


def _judge(id: str, place: str, kind: bytes, as_json: bool, store: str | None) -> None:
    with open_existing(store) as source:
        (one,) = _found(source, id)
        at = _position(one, place)
        if kind == CONFIRMED and (why := why_not_confirmed(one, at)):
            raise NotDoneError(f"cannot confirm {place} of {one.id}: {why}. Declare it with flows=.")
        store_verdict(source, one, at, kind)
        (again,) = [other for other in flows_of(source, one.newest) if other.id == one.id]
    after = again.shown()[at]
    if as_json:
        print_json({"id": one.id, "said": "confirmed" if kind == CONFIRMED else "struck", "flow": flow_json(after)})
        return
    verb = "Confirmed" if kind == CONFIRMED else "Struck"
    click.echo(f"{verb} {printable(leaf_name(after))} of {printable(one.id)}: {printable(after)}")
    click.echo(_effect(after, kind))


def _effect(after: ShownFlow, kind: bytes) -> str:
    if kind == REJECTED:
        return f"The agent is asked before step {after.step} until the flow is confirmed."
    if after.status == ACTS:
        return "It is replayed from now on."
    return printable(f"It is not replayed: {after.missing}. Declare it with flows=, or record the task again.")


def _position(one: Learned, place: str) -> int:
    """Return the number of the flow at STEP.ARGUMENT. Raises NotDoneError."""
    shown = one.shown()
    step, _, argument = place.partition(".")
    exact = [at for at, flow in enumerate(shown) if argument == flow.argument and _is_step(one, flow, step)]
    inside = [
        at for at, flow in enumerate(shown) if _is_step(one, flow, step) and argument == one.flows.flows[at].argument
    ]
    found = exact or inside
    if len(found) == 1:
        return found[0]
    choices = ", ".join(leaf_name(flow) for flow in shown)
    several = f", which are {len(found)}" if found else ""
    raise NotDoneError(f"STEP.ARGUMENT: expected one of {choices}, got {place!r}{several}. Pass one of these.")


def _is_step(one: Learned, flow: ShownFlow, given: str) -> bool:
    tools: Sequence[str] = one.flows.tools
    return given == str(flow.step) or (given == flow.tool and tools.count(given) == 1)
