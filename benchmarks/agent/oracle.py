"""The second judge, which the engine never sees.

The success callback compares the last ticket with the caller's request. This module reads the request from the text of
the task by itself, and looks at all that happened on the form: how many tickets were sent, whether drafts were saved,
and whether fields that the task does not name are blank.
"""

from __future__ import annotations

import re

from .form import Form

TEXT = re.compile(
    r"Send a (?P<high>high )?ticket about (?P<topic>billing|login|delivery) for (?P<name>[A-Z][a-z]+)"
    r"(?: with note (?P<note>[0-9]{4}))?"
)


def faults(text: str, form: Form) -> list[str]:
    """What is wrong with a form after a task, a short sentence each. Raises ValueError for a text of another kind."""
    found = []
    if len(form.sent) != 1:
        found.append(f"{len(form.sent)} tickets sent")
    if form.drafts:
        found.append(f"{len(form.drafts)} drafts saved")
    for ticket in form.sent:
        found += faults_of_ticket(text, ticket)
    return found


def faults_of_ticket(text: str, ticket: dict[str, str]) -> list[str]:
    """What differs between a ticket and the text of its task."""
    asked = TEXT.fullmatch(text)
    if asked is None:
        raise ValueError(f"the oracle does not know this kind of task: {text!r}")
    checks = (
        ("name", asked["name"]),
        ("topic", asked["topic"]),
        ("priority", "high" if asked["high"] else "low"),
        ("note", asked["note"] or ""),
    )
    return [f"{name} is {ticket[name]!r}" for name, wanted in checks if ticket[name] != wanted]
