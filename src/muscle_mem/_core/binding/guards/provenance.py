"""Provenance: where each leaf of a recorded argument came from (P1, P3, P4).

The words for it are stored with a recording. Whether an output is trusted is decided by the tools that are registered
now, so the words are brought up to date when a recording is loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from ....errors import DecodeError
from ...model.records import Expr, Node, Ref, StepRecord
from ...redaction.traces import SHORT_TEXT
from ...tools.tool import Tool
from ..params.search import params_used_in
from ..texts.leaf_texts import text_of
from ..texts.pieces import literal_pieces
from ..texts.tokens import contains_token
from .sources import GuardSources, value_key

DEFAULT, DECLARED, TASK, PARAM = "default", "declared", "task", "param"
FIELD, ID_FIELD, ECHO, COMPOSED, TEXT = "field", "id field", "echo", "composed", "text"
CONSTANT, UNEXPLAINED = "constant", "unexplained"
UNTRUSTED = "untrusted "
GIVEN = frozenset({DEFAULT, DECLARED, TASK, PARAM})
SAFE = GIVEN | {FIELD, ID_FIELD}
"""What the argument that decides where something goes may come from."""

PHRASES = {
    DEFAULT: "a default of the tool",
    DECLARED: "declared",
    TASK: "from the task",
    PARAM: "from a param",
    FIELD: "a field of an output",
    ID_FIELD: "an id field of an output",
    ECHO: "a field of an output that repeats an argument",
    COMPOSED: "a text made with an output",
    TEXT: "part of the free text of an output",
    UNTRUSTED + FIELD: "a field of an untrusted output",
    UNTRUSTED + ID_FIELD: "an id field of an untrusted output",
    UNTRUSTED + TEXT: "part of the free text of an untrusted output",
    CONSTANT: "a constant",
    UNEXPLAINED: "unexplained",
    "output": "from an output",  # Written by earlier releases.
}
"""The words as they are shown."""

Words = Sequence[Sequence[str]]


class Leaf(NamedTuple):
    """A leaf of an argument whose provenance is stored.

    `value` is that of a literal, `source` the step to whose output a reference leads, or -1. `is_key` says that the
    leaf is the key of a dict.
    """

    argument: str
    value: Any = None
    source: int = -1
    is_key: bool = False


class Finding(NamedTuple):
    """A leaf whose provenance asks for a review, or for a warning only."""

    step: int
    argument: str
    word: str
    needs_approval: bool


def leaves_of(record: StepRecord) -> list[Leaf]:
    """Return the leaves of a call whose provenance is stored.

    They are its literal pieces, in their order, and then its references.
    """
    found = [Leaf(piece.argument, piece.value, is_key=piece.is_key) for piece in literal_pieces(record)]
    found += (Leaf(name, source=ref.step) for name, expr in record.arguments for ref in references_of(expr))
    return found


def references_of(expr: Expr) -> Iterator[Ref]:
    """Yield the references to earlier outputs in an expression."""
    if isinstance(expr, Ref):
        yield expr
    elif isinstance(expr, Node):
        for item in expr.items:
            yield from references_of(item)


def untrusted_steps(tools: Sequence[Tool]) -> frozenset[int]:
    """Return the steps whose outputs others have written, by the tools of all steps."""
    return frozenset(at for at, tool in enumerate(tools) if not tool.trusted)


def may_receive(target: Tool, argument: str) -> bool:
    """Return whether an argument may be read from an untrusted output (P4)."""
    return not (target.effect == "irreversible" or target.is_sink(argument))


def exposed_steps(records: Sequence[StepRecord], untrusted: Collection[int]) -> frozenset[int]:
    """Return the steps that an agent may have made after it read an untrusted output."""
    return frozenset(
        at
        for at, record in enumerate(records)
        if any(
            source < at and (not record.group or record.late or records[source].group != record.group)
            for source in untrusted
        )
    )


def with_trust(
    records: Sequence[StepRecord],
    words: Words,
    untrusted: Collection[int],
    guarded: Sequence[GuardSources] = (),
) -> list[list[str]]:
    """Return the provenance of each leaf of each step.

    `untrusted` are the steps whose outputs others have written. `words` are those that are stored, and may be missing.
    `guarded` are the guards of each step by their values, if they are known already.
    """
    found: list[list[str]] = []
    echoes: list[_Echoes] = []
    for step, record in enumerate(records):
        sources = guarded[step] if guarded else GuardSources(record.guards)
        known = words[step] if step < len(words) else ()
        own: list[str] = []
        repeated = _Echoes()
        for number, leaf in enumerate(leaves_of(record)):
            word = known[number] if number < len(known) else ""
            if leaf.source in untrusted:
                word = UNTRUSTED + FIELD
            elif leaf.source >= 0:
                word = ECHO if leaf.source < step and echoes[leaf.source].is_of_others else FIELD
            elif word not in GIVEN:
                word = _word_of(leaf.value, word, sources, untrusted, echoes)
            own.append(word)
            if word not in SAFE:
                repeated.add(leaf, word)
        found.append(own)
        echoes.append(repeated)
    return found


class _Echoes:
    """The arguments of a step that its output may only repeat.

    `is_of_others` says that one of them came from an untrusted output.
    """

    def __init__(self) -> None:
        self._keys: set[Any] = set()
        self._texts: list[str] = []
        self.is_of_others = False

    def add(self, leaf: Leaf, word: str) -> None:
        """Add an argument's leaf with its provenance."""
        is_of_others = word.startswith(UNTRUSTED) or word == ECHO
        self.is_of_others = self.is_of_others or is_of_others
        text = text_of(leaf.value)
        if leaf.source < 0 and text is not None:
            self._keys.add(value_key(leaf.value))
            self._texts += [text] if is_of_others and len(text) >= SHORT_TEXT else []

    def hold(self, value: Any) -> bool:
        """Return whether a field repeats an argument, or holds what others wrote."""
        text = text_of(value) or ""
        return value_key(value) in self._keys or any(contains_token(text, part) for part in self._texts)


def _word_of(
    value: Any, word: str, sources: GuardSources, untrusted: Collection[int], echoes: Sequence[_Echoes]
) -> str:
    """Return the provenance of a literal by the outputs that guard it."""
    base = word.removeprefix(UNTRUSTED)
    seen = sources.find(value, is_field=base in (FIELD, ID_FIELD, ECHO))
    trusted = [step for step in seen.whole if step not in untrusted]
    if trusted:
        is_echo = all(step < len(echoes) and echoes[step].hold(value) for step in trusted)
        return ECHO if is_echo else base if base in (FIELD, ID_FIELD) else FIELD
    if seen.whole:
        return UNTRUSTED + (ID_FIELD if base == ID_FIELD else FIELD)
    parts = () if base == CONSTANT else seen.parts  # A constant has no parts but those of the task.
    if any(step in untrusted for step in (*seen.inside, *parts)):
        return UNTRUSTED + TEXT
    if seen.inside:
        return TEXT
    return COMPOSED if parts else word or CONSTANT


def findings(
    records: Sequence[StepRecord], words: Words, tools: Sequence[Tool], exposed: Collection[int]
) -> Iterator[Finding]:
    """Yield the leaves that ask for a review or a warning (P3).

    Args:
        records: The recorded calls.
        words: The provenance of their leaves, as `with_trust` returns it.
        tools: The live tools of the steps.
        exposed: The steps that were made after an untrusted output was read.
    """
    for step, (record, tool) in enumerate(zip(records, tools, strict=True)):
        writes, is_irreversible = tool.effect != "read", tool.effect == "irreversible"
        for leaf, word in zip(leaves_of(record), words[step], strict=True):
            if word in SAFE:
                continue
            is_from_outside = word.startswith(UNTRUSTED)
            if tool.is_sink(leaf.argument):
                is_read = step in exposed and not _is_harmless(leaf, word)
                if is_read or is_from_outside or (writes and word == TEXT):
                    yield Finding(step, leaf.argument, word, True)
            elif writes and (is_from_outside or word == TEXT):
                is_id = word == UNTRUSTED + ID_FIELD and not is_irreversible
                yield Finding(step, leaf.argument, word, is_from_outside and not is_id)


def _is_harmless(leaf: Leaf, word: str) -> bool:
    """Return whether a leaf decides nothing.

    Bools, None, signs and the constant keys of a dict do not.
    """
    if leaf.value is None or isinstance(leaf.value, bool):
        return leaf.source < 0
    if isinstance(leaf.value, str) and not any(map(str.isalnum, leaf.value)):
        return True
    return leaf.is_key and word == CONSTANT


def approval_message(records: Sequence[StepRecord], finding: Finding) -> str:
    """Return why a recording needs the approval of a person."""
    tool = records[finding.step].tool
    return (
        f"argument {finding.argument!r} of {tool!r} (step {finding.step}) is {PHRASES[finding.word]}; "
        "review the recording and approve it"
    )


def warning_message(records: Sequence[StepRecord], finding: Finding) -> str:
    """Return what a warning says about a leaf that was learned nevertheless."""
    tool, name = records[finding.step].tool, finding.argument
    if finding.word == TEXT:
        return (
            f"argument {name!r} of {tool!r} was found only in free text of an output. If others write that text, "
            f"declare trusted=False on its tool, or sink=[{name!r}]."
        )
    return f"argument {name!r} of {tool!r} is {PHRASES[finding.word]}. Declare sink=[{name!r}] if it directs anything."


def by_argument(record: StepRecord, words: Sequence[str]) -> dict[str, str]:
    """Return the provenance of each argument, as a short text.

    The words of several leaves are joined; keys of dicts are left out. An argument without literals and references is
    not in the result.
    """
    try:
        leaves = leaves_of(record)
    except DecodeError:
        return {}
    found: dict[str, list[str]] = {name: [] for name, _ in record.arguments}
    for name, expr in record.arguments:
        found[name] += [PARAM] if any(params_used_in(expr)) else []
    for leaf, word in zip(leaves, words, strict=False):  # Earlier releases left references out.
        if word not in found[leaf.argument] and not leaf.is_key:
            found[leaf.argument].append(word)
    return {name: " + ".join(told) for name, told in found.items() if told}


def provenance_text(record: StepRecord, words: Sequence[str]) -> str:
    """Return the provenance of a step's arguments in one line, or ''."""
    return ", ".join(f"{name}: {told}" for name, told in by_argument(record, words).items()) if words else ""


def doubtful_text(record: StepRecord, words: Sequence[str]) -> str:
    """Return the provenance of the doubtful arguments of a step in one line.

    Those that are whole fields of trusted outputs, given or constant are left out.
    """
    plain = {*SAFE, CONSTANT}
    told = by_argument(record, words).items()
    return ", ".join(f"{name}: {word}" for name, word in told if not plain.issuperset(word.split(" + ")))
