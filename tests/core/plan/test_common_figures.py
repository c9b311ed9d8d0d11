"""E10: which figures suit a step that several recordings prove."""

from __future__ import annotations

from muscle_mem._core.plan.derived import Sources, _accepted


def sources(*digests: bytes) -> Sources:
    return Sources(tuple(enumerate(digests)), len(digests))


def test_e10_of_two_forms_the_one_that_two_recordings_have_says_what_is_common() -> None:
    alike, other, longer = sources(b"aaabbb"), sources(b"aaaccc"), sources(b"aaabbbccc")
    accepted = _accepted([alike, other, longer], is_narrow=False)
    assert len(accepted) == 1
    assert accepted[0].pairs[0][1].startswith(b"aaa")


def test_e10_forms_that_one_recording_each_has_are_all_accepted() -> None:
    assert set(_accepted([sources(b"aaabbb"), sources(b"aaabbbccc")], is_narrow=False)) == {
        sources(b"aaabbb"),
        sources(b"aaabbbccc"),
    }
