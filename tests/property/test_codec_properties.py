"""What holds for every value and every row of bytes: round trips, one form, a decoder that only refuses."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import pathlib
import random
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from altered_bytes import SEEDS, grafted, mutated
from codec_cases import (
    BERLIN,
    CET,
    EXAMPLES,
    CodecColour,
    CodecFrozen,
    CodecModel,
    CodecPoint,
    CodecRights,
    CodecRow,
    same,
)
from muscle_mem._core import codec
from muscle_mem.errors import DecodeError
from paths import SUPPORT

FUZZ = int(os.environ.get("MUSCLE_MEM_FUZZ", "20000"))  # mutated inputs in each fuzz test
ROUNDS = settings(max_examples=max(100, FUZZ // 160), deadline=None, suppress_health_check=list(HealthCheck))

any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
zones = st.sampled_from([None, dt.UTC, CET, BERLIN, dt.timezone(dt.timedelta(seconds=-1))])
hashable_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**200), max_value=2**200),
    st.floats(),
    st.complex_numbers(),
    any_text,
    st.binary(max_size=12),
    st.decimals().filter(lambda number: not number.is_snan()),
    st.fractions(),
    st.uuids(),
    st.dates(),
    st.times(timezones=st.just(dt.UTC) | st.none()),
    st.datetimes(timezones=zones, allow_imaginary=True),
    st.timedeltas(),
    st.sampled_from([*CodecColour, CodecRights(3), CodecRights(0), ..., CET, range(3)]),
    st.text("ab./", max_size=6).map(pathlib.PurePosixPath),
)
leaves = st.one_of(
    hashable_leaves,
    st.binary(max_size=6).map(bytearray),
    st.decimals(),
    st.lists(st.floats(width=32), max_size=4).map(lambda items: np.array(items, dtype="<f4")),
    st.floats().map(np.float64),
    st.lists(st.text("xyz", max_size=3), min_size=1, max_size=3).map(lambda items: np.array(items, dtype="<U3")),
)
hashable = st.recursive(
    hashable_leaves,
    lambda inner: st.one_of(
        st.tuples(inner, inner), st.frozensets(inner, max_size=3), st.builds(CodecFrozen, inner, inner)
    ),
    max_leaves=5,
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(any_text, inner, max_size=4),
        st.dictionaries(hashable, inner, max_size=4),
        st.sets(hashable, max_size=4),
        st.builds(CodecPoint, inner, inner),
        st.builds(CodecRow, inner, inner),
        st.builds(lambda x, more: CodecModel(x=x, more=more), inner, inner),
    ),
    max_leaves=20,
)


@ROUNDS
@given(values)
def test_every_value_comes_back_as_what_it_was(value):
    assert same(codec.decode(codec.encode(value)), value)


plain_leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**65), 2**65), st.floats(), any_text, st.binary(max_size=12)
)
plain_trees = st.recursive(
    plain_leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(any_text | plain_leaves, inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
    ),
    max_leaves=20,
)


@ROUNDS
@given(values | plain_trees)
def test_a_copier_gives_anew_what_decoding_gives(value):
    data = codec.encode(value)
    copy = codec.copier(data, codec.decode(data))
    assert same(copy(), codec.decode(data))
    assert codec.encode(copy()) == data
    if type(value) in (list, dict):
        assert copy() is not copy()


@ROUNDS
@given(values)
def test_what_comes_back_is_written_as_the_same_bytes(value):
    data = codec.encode(value)
    assert codec.encode(codec.decode(data)) == data
    assert codec.canonical(codec.decode(data)) == codec.canonical(value)


@ROUNDS
@given(values)
def test_canonical_bytes_decode_to_equal_content(value):
    data = codec.canonical(value)
    assert codec.canonical(codec.decode(data)) == data
    assert codec.encode(codec.decode(data)) == data


@ROUNDS
@given(st.dictionaries(hashable, leaves, max_size=6), st.randoms())
def test_canonical_bytes_ignore_the_order_of_a_dict(value, rng):
    items = list(value.items())
    rng.shuffle(items)
    assert codec.canonical(dict(items)) == codec.canonical(value)


@ROUNDS
@given(st.sets(hashable, max_size=6), st.randoms())
def test_both_forms_ignore_the_order_of_a_set(value, rng):
    items = list(value)
    rng.shuffle(items)
    again = set()
    for item in items:
        again.add(item)
    assert codec.canonical(again) == codec.canonical(value)
    assert codec.encode(again) == codec.encode(value)


@ROUNDS
@given(values, values)
def test_different_content_has_different_canonical_bytes(one, two):
    if codec.canonical(one) == codec.canonical(two):
        assert same(codec.decode(codec.canonical(one)), codec.decode(codec.canonical(two)))


@ROUNDS
@given(values)
def test_unfolding_and_folding_gives_the_same_value(value):
    found = codec.unfold(value)
    if found is not None:
        kind, children = found
        assert codec.canonical(codec.fold(kind, children)) == codec.canonical(value)
        assert all(codec.child_path(kind, index, children) for index in range(len(children)))


@ROUNDS
@given(values)
def test_a_lenient_decode_of_known_classes_is_no_different(value):
    data = codec.encode(value)
    assert codec.encode(codec.decode(data, lenient=True)) == data


# --- bytes that nobody wrote ------------------------------------------------------------------------------


def judge(data):
    """Decode strictly and leniently; give what was accepted and is now written as other bytes."""
    for lenient in (False, True):
        try:
            value = codec.decode(data, lenient=lenient)
        except DecodeError:
            continue
        again = codec.encode(value)
        assert codec.encode(codec.decode(again, lenient=lenient)) == again
        if data not in (again, codec.canonical(value)):
            yield value


def test_altered_bytes_are_refused_or_are_the_one_form_of_another_value():
    rng = random.Random(0)
    odd = [value for _ in range(FUZZ) for value in judge(mutated(rng))]
    assert len(odd) < FUZZ / 100, odd[:3]


def test_exchanged_parts_are_refused_or_are_the_one_form_of_another_value():
    rng = random.Random(3)
    odd = [value for _ in range(FUZZ) for value in judge(grafted(rng))]
    # The exceptions are known: fields in another order than the class has them, or left to their defaults.
    assert len(odd) < FUZZ / 20, odd[:3]


def test_random_bytes_are_refused_or_are_the_one_form_of_a_value():
    rng = random.Random(1)
    for _ in range(FUZZ):
        list(judge(b"\x01" + rng.randbytes(rng.randrange(12))))
        list(judge(rng.randbytes(rng.randrange(12))))


def test_every_truncation_of_every_example_is_refused():
    for data in SEEDS:
        for end in range(len(data)):
            with pytest.raises(DecodeError):
                codec.decode(data[:end])
        with pytest.raises(DecodeError):
            codec.decode(data + b"\x00")


@pytest.mark.parametrize(
    "body",
    [
        b"\xdd\xff\xff\xff\xff" * 20,
        b"\xdc\xff\xff" * 300,
        b"\xdf\xff\xff\xff\xff" * 20,
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x00",
        b"\x91" * 100_000,
        b"\x92\x00" * 100_000 + b"\x00",
        b"\x92\x05" * 500 + b"\x00",
        b"\x81\xa0" * 100_000 + b"\x00",
        b"\x92\x07\xce\xff\xff\xff\xff",  # a bytearray of four billion bytes
        b"\xd6\xff\x00\x00\x00\x00",  # a time stamp of msgpack
        b"\x81\x91\x00\x00",
        b"\x94\x20\xa3<i8\x92\x01\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\xc4\x00",
    ],
)
def test_sizes_that_are_claimed_and_not_there_cost_nothing(body):
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            codec.decode(b"\x01" + body)
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_decoding_works_in_proportion_to_the_data():
    def calls(count):
        data = codec.encode([CodecPoint(i, (i, [str(i)])) for i in range(count)])
        made = 0

        def count_call(frame, event, argument):
            nonlocal made
            made += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(count_call)
        try:
            codec.decode(data)
        finally:
            sys.setprofile(before)
        return made

    # Eight times the data; with its square it would be 64 times as many.
    assert calls(1_600) < 9 * calls(200)


def test_decimal_context_of_the_caller_changes_nothing():
    value = decimal.Decimal("1E+50")
    with decimal.localcontext(decimal.Context(prec=2, capitals=0, traps=[])):
        assert codec.encode(value) == codec.encode(EXAMPLES["decimal exponent"]).replace(b"-1E", b"1E").replace(
            b"\xa6", b"\xa5"
        )
        with pytest.raises(DecodeError):
            codec.decode(codec.encode(value).replace(b"1E+50", b"1X+50"))


AUDIT = """
import random, sys
import pytest  # what the shared cases need is imported before the watch begins
import altered_bytes
from muscle_mem._core import codec
from muscle_mem.errors import DecodeError

watched = ("import", "open", "exec", "compile", "os.", "socket.", "subprocess.", "ctypes.", "pickle.", "marshal")
events = []

def watch(event, arguments):
    if on and event.startswith(watched):
        events.append((event, arguments))

on = False
sys.addaudithook(watch)
rng = random.Random(2)
makers = (altered_bytes.mutated, altered_bytes.grafted)
inputs = [maker(rng) for maker in makers for _ in range(int(sys.argv[1]))] + altered_bytes.SEEDS
inputs = [data for data in inputs if b"Europe" not in data]
on = True
for data in inputs:
    for lenient in (False, True):
        try:
            codec.decode(data, lenient=lenient)
        except DecodeError:
            pass
on = False
# A time zone is read from the system's database by its key, so an invented key may look for a file there.
stray = [event for event in events if "zoneinfo" not in str(event)]
assert not stray, stray[:5]
print("quiet")
"""


def test_decoding_imports_opens_and_executes_nothing():
    done = subprocess.run(
        [sys.executable, "-c", AUDIT, str(FUZZ)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "quiet", done.stderr
