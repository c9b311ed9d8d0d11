"""The words around a value in plain texts that several recordings share (L3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...model.flow import Between, Source
from ...redaction.traces import decimal_text
from ..references.recorded_runs import RecordedRun
from ..references.sources import read
from ..texts.leaf_texts import is_joined
from .index import FlowIndex
from .ways import Ways

_MAX_TEXTS = 8
_MAX_CONTEXT = 60
_HAS_WORD = re.compile(r"[^\W\d_]{2}")


def text_sources(
    values: Sequence[Any], runs: Sequence[RecordedRun], index: FlowIndex, ways: Ways, ended: frozenset[int]
) -> Iterator[Source]:
    """Yield the sources of a leaf between the same words of a text in all recordings.

    `values` are the leaf's values in the recordings, whose first one `index` and `ways` are made of.
    """
    count = 0
    for number, _, convert in index.texts_with(values[0]):
        node, slot = index.text_places[number]
        origin = index.origin(node)
        if origin.name or origin.step not in ended or index.is_key(node, slot):
            continue
        for way in ways.to(node, slot, ended)[:2]:
            source = Source(origin.origin, origin.step, origin.name, way)
            between = _between(source, values, runs)
            if between is not None:
                yield Source(origin.origin, origin.step, origin.name, (*way, between), convert)
        count += 1
        if count == _MAX_TEXTS:
            return


def _between(source: Source, values: Sequence[Any], runs: Sequence[RecordedRun]) -> Between | None:
    """Return the longest words around the values that all recordings share."""
    befores: list[str] = []
    afters: list[str] = []
    for value, run in zip(values, runs, strict=True):
        try:
            text = read(source, run.parent.outputs, run.argument, run.params)
        except LookupError:
            return None
        part = value if type(value) is str else decimal_text(value)
        if type(text) is not str or text.count(part) != 1:
            return None
        before, _, after = text.partition(part)
        befores.append(before)
        afters.append(after)
    for text, value, rest in zip(befores, values, afters, strict=True):
        if is_joined(text[-1:], str(value)[:1]) or is_joined(str(value)[-1:], rest[:1]):
            return None
    before, after = _shared_end(befores), _shared_start(afters)
    has_ends = (bool(before) or not any(befores)) and (bool(after) or not any(afters))
    if not has_ends or not _HAS_WORD.search(before or after) or (before and not _HAS_WORD.search(before)):
        return None
    return Between(before, after)


def _shared_end(texts: Sequence[str]) -> str:
    """Return the words at the end of all texts."""
    return _shared_start([text[-_MAX_CONTEXT - 1 :][::-1] for text in texts])[::-1]


def _shared_start(texts: Sequence[str]) -> str:
    """Return the words at the start of all texts, without a word that is cut."""
    texts = [text[: _MAX_CONTEXT + 1] for text in texts]
    first, last = min(texts), max(texts)
    count = next((at for at, (one, two) in enumerate(zip(first, last, strict=False)) if one != two), len(first))
    shared = first[: min(count, len(last), _MAX_CONTEXT)]
    is_cut = any(text[len(shared) : len(shared) + 1].isalnum() for text in texts)
    while is_cut and shared and shared[-1].isalnum():
        shared = shared[:-1]
    return shared
