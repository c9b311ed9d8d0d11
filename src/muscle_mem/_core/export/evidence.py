"""The evidence of an observation as a document.

It says what the literals may have been made of, and when it was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ...errors import InvalidValueError
from ..model.records import Row

_LAST_OF_A_RUN = "judged"  # Behind it, a row has its evidence.
_ROW_FIELDS = msgspec.structs.fields(Row)
FIELDS = Row.__struct_fields__[Row.__struct_fields__.index(_LAST_OF_A_RUN) + 1 :]

Evidence = msgspec.defstruct(
    "Evidence",
    [(field.name, field.type, field.default) for field in _ROW_FIELDS if field.name in FIELDS],
    omit_defaults=True,
    forbid_unknown_fields=True,
)
"""The fields of a row that are evidence; see `Row`."""


def evidence_document(row: Row) -> dict[str, Any]:
    """Return the evidence of a row, without what has its default.

    Bytes are written in base64.
    """
    made: dict[str, Any] = msgspec.to_builtins(Evidence(**{name: getattr(row, name) for name in FIELDS}))
    return made


def read_evidence(document: Mapping[str, Any], place: str, steps: int) -> dict[str, Any]:
    """Return the fields of a row that a document holds.

    Raises InvalidValueError for what does not belong there.
    """
    try:
        found = msgspec.convert(dict(document), Evidence, strict=True)
    except (msgspec.ValidationError, TypeError, RecursionError) as error:
        raise InvalidValueError(f"{place}: {error}") from error
    for name in ("suspicions", "origins", "pauses", "pictures", "overrides", "chances", "answers"):
        count = len(getattr(found, name))
        if count not in (0, steps):
            raise InvalidValueError(f"{place}.{name}: expected {steps} items, one for each step, got {count}")
    return {name: getattr(found, name) for name in FIELDS}
