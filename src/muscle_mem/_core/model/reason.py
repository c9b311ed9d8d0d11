"""The terms that describe a run: modes, policies, effects and reasons."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Effect = Literal["read", "idempotent", "write", "irreversible"]
EFFECTS = ("read", "idempotent", "write", "irreversible")
Mode = Literal["auto", "record", "replay", "frozen", "shadow", "off"]
MODES = ("auto", "record", "replay", "frozen", "shadow", "off")
OnDivergence = Literal["auto", "continue", "absorb", "raise"]
POLICIES = ("auto", "continue", "absorb", "raise")
OnStoreError = Literal["bypass", "raise"]
ON_STORE_ERROR = ("bypass", "raise")
Generalize = Literal["computed", "confirmed", "at_once"]
GENERALIZE = ("computed", "confirmed", "at_once")
Status = Literal["hit", "miss", "diverged"]


class Reason(StrEnum):
    """The reason why a run was not a hit, or why it was not learned.

    The set of reasons is closed. A reason compares equal to its text.
    """

    __module__ = "muscle_mem"

    HIT = "hit"
    # Reasons for a miss: no step was executed.
    NEW_TASK = "new_task"
    FIRST_CHECK_REFUSED = "first_check_refused"
    TOOL_MISSING = "tool_missing"
    TOOL_CHANGED = "tool_changed"
    TOOL_AMBIGUOUS = "tool_ambiguous"
    CHECK_CHANGED = "check_changed"
    PARAM_MISSING = "param_missing"
    PARAM_GUARD = "param_guard"
    PARAM_AMBIGUOUS = "param_ambiguous"
    SECRET_MISSING = "secret_missing"
    NOT_REPLAYABLE = "not_replayable"
    QUARANTINED = "quarantined"
    EXPIRED = "expired"
    NEEDS_ACALL = "needs_acall"
    NOT_APPROVED = "not_approved"
    NO_KEY = "no_key"
    MODE = "mode"
    STORE_UNAVAILABLE = "store_unavailable"
    DAMAGED = "damaged"
    TOOL_OVERRIDDEN = "tool_overridden"
    UNTRUSTED_VALUE = "untrusted_value"
    # Reasons for a miss or a divergence.
    UNCONFIRMED = "unconfirmed"
    VALUE_VARIES = "value_varies"
    PROBATION = "probation"
    # Reasons for a divergence: at least one tool was called.
    CHECK_REFUSED = "check_refused"
    CHECK_ERROR = "check_error"
    TOOL_RAISED = "tool_raised"
    RETURNED_ERROR = "returned_error"
    UNSEEN_ANSWER = "unseen_answer"
    POST_CHECK_REFUSED = "post_check_refused"
    STALE_OUTPUT = "stale_output"
    FLOW_UNCLEAR = "flow_unclear"
    LOOP_UNCLEAR = "loop_unclear"
    REFUSED_BY_PERSON = "refused_by_person"
    UNSUCCESSFUL = "unsuccessful"
    NO_CANDIDATE = "no_candidate"
    # Reasons why a run is not learned: it is not recorded for replay.
    AGENT_RAISED = "agent_raised"
    CANCELLED = "cancelled"
    NO_CALLS = "no_calls"
    REFUSED = "refused"
    OPAQUE_ARGUMENT = "opaque_argument"
    DERIVED_SECRET = "derived_secret"
    CAPTURE_FAILED = "capture_failed"
    CHECK_FAILED = "check_failed"
    INCOMPLETE_THREADS = "incomplete_threads"
    OVERLAPPING = "overlapping"
    NESTED_RUN = "nested_run"
    FORKED = "forked"
    FOREIGN_TOOL = "foreign_tool"
    LATE_CALL = "late_call"
    CHANGED_ARGUMENT = "changed_argument"
    FLOW_MISMATCH = "flow_mismatch"
    FAILED_WRITE = "failed_write"
    OTHER_INSTANCE = "other_instance"
    STILL_RUNNING = "still_running"
    UNKNOWN_EFFECT = "unknown_effect"
    REPEATED_PREFIX = "repeated_prefix"
    NOT_ABSORBED = "not_absorbed"
    TOO_LARGE = "too_large"
    UNLEARNABLE = "unlearnable"
    OTHER_CALLS = "other_calls"
