"""Bits of a word: against a twiddler in plain Python that shares no code with the package."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muonscope.words.layout import (
    as_words,
    channel,
    fpga,
    fpga_mask,
    head,
    orbit,
    orbits,
    pack_ancillary,
    pack_hits,
    shift_orbits,
    unpack,
)

WORDS = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=30)
TOP = {1: (4, 16), 2: (8, 8)}
HITS = {
    version: st.tuples(
        st.integers(0, heads - 1),
        st.integers(0, fpgas - 1),
        st.integers(0, 511),
        st.integers(0, 2**32 - 1),
        st.integers(0, 4095),
        st.integers(0, 31),
    )
    for version, (heads, fpgas) in TOP.items()
}


def bits(word: int, high: int, low: int) -> int:
    """Cut the bits ``high`` .. ``low``, both included, out of the digits of a word."""
    digits = f"{word:064b}"
    return int(digits[63 - high : 64 - low], 2)


def half(number: int) -> float:
    """Read 16 bits as a half-precision number."""
    value: float = struct.unpack("<e", struct.pack("<H", number))[0]
    return value


def fields_of(word: int, version: int, hit_head: int) -> tuple[int, int, int, int, int, float]:
    """Return the six columns of a word as the table in the brief has them."""
    if version == 1:
        top = bits(word, 63, 62), bits(word, 61, 58)
    else:
        top = bits(word, 63, 61), bits(word, 60, 58)
    if version == 2 and top[0] != hit_head:
        orbit_count = bits(word, 55, 24)
        match top[0]:
            case 0:
                columns = bits(word, 6, 0), orbit_count, bits(word, 23, 12), bits(word, 11, 7)
                return *top, *columns
            case 1:
                return *top, 0, orbit_count, 0, bits(word, 23, 16)
            case 3:
                return *top, 0, orbit_count, bits(word, 23, 0), 0
            case 4 | 5:
                return *top, 0, orbit_count, 0, half(bits(word, 15, 0))
    return *top, bits(word, 57, 49), bits(word, 48, 17), bits(word, 16, 5), bits(word, 4, 0)


@pytest.mark.parametrize("version", [1, 2])
@given(words=WORDS, hit_head=st.integers(0, 7))
def test_unpack_agrees_with_the_twiddler(version: int, words: list[int], hit_head: int) -> None:
    hit_head %= TOP[version][0]
    found = unpack(np.array(words, np.uint64), version, hit_head)
    columns = (found.head, found.fpga, found.channel, found.orbit, found.bx, found.tdc)
    expected = np.array([fields_of(word, version, hit_head) for word in words])
    np.testing.assert_array_equal(np.stack(columns, axis=1), expected)


@pytest.mark.parametrize("version", [1, 2])
@given(data=st.data())
def test_packed_hits_have_each_field_in_its_place(version: int, data: st.DataObject) -> None:
    rows = data.draw(st.lists(HITS[version], min_size=1, max_size=20))
    words = pack_hits(*np.array(rows, np.int64).T, version=version)
    for word, row in zip(words.tolist(), rows, strict=True):
        assert fields_of(word, version, hit_head=row[0]) == row


@pytest.mark.parametrize("version", [1, 2])
@given(data=st.data())
def test_unpacking_gives_back_what_was_packed(version: int, data: st.DataObject) -> None:
    row = data.draw(HITS[version])
    words = pack_hits(*row, version=version)
    assert words.dtype == np.uint64
    assert words.shape == (1,)
    found = unpack(words, version, hit_head=row[0])
    assert (
        found.head[0], found.fpga[0], found.channel[0], found.orbit[0], found.bx[0], found.tdc[0]
    ) == row  # fmt: skip
    assert (head(words, version)[0], fpga(words, version)[0]) == row[:2]
    assert (channel(words)[0], orbit(words)[0]) == row[2:4]


@pytest.mark.parametrize("ancillary", [0, 1, 3, 4, 5])
@given(
    fpga_number=st.integers(0, 7),
    orbit_count=st.integers(0, 2**32 - 1),
    payload=st.integers(0, 2**24 - 1),
)
def test_ancillary_words_have_their_own_layout(
    ancillary: int, fpga_number: int, orbit_count: int, payload: int
) -> None:
    word = ancillary << 61 | fpga_number << 58 | orbit_count << 24 | payload
    found = unpack(np.array([word], np.uint64), 2, 2)
    assert (found.head[0], found.fpga[0], found.orbit[0]) == (ancillary, fpga_number, orbit_count)
    columns = found.channel[0], found.bx[0], found.tdc[0]
    expected = {
        0: (payload & 127, payload >> 12, payload >> 7 & 31),
        1: (0, 0, payload >> 16),
        3: (0, payload, 0),
    }.get(ancillary, (0, 0, half(payload & 0xFFFF)))
    np.testing.assert_array_equal(columns, expected)


def test_a_word_of_the_assignment_has_the_bits_it_gives() -> None:
    # HEAD 2, FPGA 1, channel 128, orbit 3387201000, BX 12, TDC 30, bit by bit
    digits = "010" + "001" + "010000000" + f"{3387201000:032b}" + "000000001100" + "11110"
    assert pack_hits(2, 1, 128, 3387201000, 12, 30).tolist() == [int(digits, 2)]


def test_the_same_bits_are_another_head_and_fpga_in_each_version() -> None:
    word = np.array([0b01_1010 << 58], np.uint64)
    assert (head(word, 1).tolist(), fpga(word, 1).tolist()) == ([1], [10])
    assert (head(word, 2).tolist(), fpga(word, 2).tolist()) == ([3], [2])
    assert (fpga_mask(1), fpga_mask(2)) == (15, 7)


def test_the_highest_word_has_no_negative_field() -> None:
    words = np.array([2**64 - 1], np.uint64)
    found = unpack(words, 2, 2)
    assert [found.head[0], found.fpga[0], found.channel[0]] == [7, 7, 511]
    assert [found.orbit[0], found.bx[0], found.tdc[0]] == [2**32 - 1, 4095, 31]


NAMES = ["HEAD", "FPGA", "TDC_CHANNEL", "ORBIT_CNT", "BX_COUNTER", "TDC_MEAS"]
LIMITS = {1: (4, 16, 512, 2**32, 4096, 32), 2: (8, 8, 512, 2**32, 4096, 32)}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("which", range(6))
@pytest.mark.parametrize("beyond", [0, 1, 2**40, 2**64])
def test_a_value_that_does_not_fit_is_refused_by_name(
    version: int, which: int, beyond: int
) -> None:
    row = [0] * 6
    row[which] = LIMITS[version][which] + beyond
    with pytest.raises(ValueError, match=f"^{NAMES[which]}: .* does not fit 0 .. "):
        pack_hits(*row, version=version)
    row[which] = LIMITS[version][which] - 1
    assert len(pack_hits(*row, version=version)) == 1


@pytest.mark.parametrize("which", range(6))
def test_a_negative_value_is_refused_by_name(which: int) -> None:
    row = [[1, 1]] * 6
    row[which] = [1, -1]
    with pytest.raises(ValueError, match=f"^{NAMES[which]}: -1 .. 1 does not fit"):
        pack_hits(*row)


def test_fields_are_broadcast_and_none_at_all_give_no_words() -> None:
    assert pack_hits(2, [0, 1, 2], 5, [[7], [8]], 0, 0).shape == (2, 3)
    assert pack_hits(2, 0, [], 0, 0, 0).shape == (0,)


def test_words_are_taken_as_they_are_and_other_arrays_refused() -> None:
    words = np.arange(10, dtype=np.uint64)
    assert as_words(words) is words
    assert as_words(words[::2]).flags.c_contiguous
    assert as_words([]).dtype == np.uint64
    for wrong in (words.astype(np.int64), words.astype(np.float64), words.reshape(2, 5)):
        with pytest.raises(TypeError, match="one-dimensional uint64"):
            as_words(wrong)


@given(
    head_value=st.sampled_from([0, 1, 3, 4, 5]), lane=st.integers(0, 7),
    at=st.integers(0, 2**32 - 1), payload=st.integers(0, 2**24 - 1),
)  # fmt: skip
def test_ancillary_words_are_packed_as_they_are_unpacked(
    head_value: int, lane: int, at: int, payload: int
) -> None:
    word = pack_ancillary(head_value, lane, at, payload)
    assert int(word[0]) == head_value << 61 | lane << 58 | at << 24 | payload
    fields = unpack(word, 2, 2)
    assert (int(fields.head[0]), int(fields.fpga[0])) == (head_value, lane)
    assert int(fields.orbit[0]) == at


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((8, 0, 0, 0), "HEAD"), ((0, 8, 0, 0), "FPGA"), ((0, 0, 2**32, 0), "ORBIT_CNT"),
     ((0, 0, -1, 0), "ORBIT_CNT"), ((0, 0, 0, 2**24), "payload")],
)  # fmt: skip
def test_what_fits_no_ancillary_word_is_refused(
    arguments: tuple[int, int, int, int], name: str
) -> None:
    with pytest.raises(ValueError, match=name):
        pack_ancillary(*arguments)


@pytest.mark.parametrize("version", [1, 2])
@given(words=WORDS, hit_head=st.integers(0, 7))
def test_orbits_are_those_of_unpacking(version: int, words: list[int], hit_head: int) -> None:
    hit_head %= TOP[version][0]
    array = np.array(words, np.uint64)
    expected = unpack(array, version, hit_head).orbit
    np.testing.assert_array_equal(orbits(array, version, hit_head), expected)


@pytest.mark.parametrize("version", [1, 2])
@given(words=WORDS, hit_head=st.integers(0, 7), by=st.integers(-(2**40), 2**40))
def test_shifting_orbits_changes_nothing_else_and_can_be_undone(
    version: int, words: list[int], hit_head: int, by: int
) -> None:
    hit_head %= TOP[version][0]
    array = np.array(words, np.uint64)
    kept = array.copy()
    shifted = shift_orbits(array, by, version, hit_head)
    np.testing.assert_array_equal(array, kept)
    np.testing.assert_array_equal(shift_orbits(shifted, -by, version, hit_head), array)
    for before, after in zip(words, shifted.tolist(), strict=True):
        ancillary = version == 2 and before >> 61 in {0, 1, 3, 4, 5} and before >> 61 != hit_head
        low = 24 if ancillary else 17
        assert bits(after, low + 31, low) == (bits(before, low + 31, low) + by) % 2**32
        assert (before ^ after) & ~(0xFFFFFFFF << low) == 0
