"""What the tests of ADK share."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let ADK warn that features of it are experimental, such as its confirmations."""
    for item in items:
        if "in_google_adk" in item.path.parts:
            item.add_marker(pytest.mark.filterwarnings(r"ignore:\[EXPERIMENTAL\]:UserWarning"))
