"""The stores in lock-step: whatever is done to them, they answer alike, and SQLite also after a reopening."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from store_lockstep import TORTURE, LockStep

LockStep.TestCase.settings = settings(
    max_examples=40 * TORTURE,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestStoresAgree = LockStep.TestCase
