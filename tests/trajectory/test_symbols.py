"""Symbols and low bits: every word comes back, what cannot be is refused, and both sides learn the same."""

import threading

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.entropy import compress_segments, decompress_segments
from lca_analysis.trajectory.scratch import Scratch
from lca_analysis.trajectory.symbols import Symbols
from lca_analysis.trajectory.words import word_format

WORDS = {"u2": 16, "u4": 32, "u8": 64}
FORM = {"u2": "float16", "u4": "float32", "u8": "float64"}


def coder(size, word):
    return Symbols(size, word_format(FORM[word]), Scratch(), encodes=True)


def drawn(word, size, rng):
    """Words of all lengths, the least and the largest among them."""
    lengths = rng.integers(0, WORDS[word] + 1, size)
    words = np.array([int(rng.integers(0, 2**63)) * 2 + 1 for _ in range(size)], np.uint64)
    words >>= (63 - np.maximum(lengths, 1) + 1).astype(np.uint64)
    words[lengths == 0] = 0
    words[: size // 8] = 2 ** WORDS[word] - 1
    return words.astype(word)


def packed(encoder, folded):
    return list(map(bytes, encoder.pack(folded)))


def unpacked(decoder, streams, size, word):
    folded = np.empty(size, word)
    decoder.unpack([memoryview(stream) for stream in streams], True, folded)
    return folded


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(WORDS)), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_words_of_any_length_come_back(word, size, seed):
    rng, encoder, decoder = np.random.default_rng(seed), coder(size, word), coder(size, word)
    for _ in range(4):
        folded = drawn(word, size, rng)
        assert np.array_equal(unpacked(decoder, packed(encoder, folded), size, word), folded)


def test_places_that_differ_much_have_groups_of_their_own_and_take_less():
    """Half of the words have 19 random bits, half 3: in two groups their symbols take next to nothing."""
    rng, size = np.random.default_rng(0), 16384
    bits = np.repeat([20, 4], size // 2)
    encoder, decoder = coder(size, "u4"), coder(size, "u4")
    for _ in range(3):
        folded = (2**bits + rng.integers(0, 2**bits // 2)).astype(np.uint32)
        streams = packed(encoder, folded)
        assert np.array_equal(unpacked(decoder, streams, size, "u4"), folded)
    assert len(streams) == 3
    assert len(streams[0]) == ((19 + 3) * size // 2) // 8
    assert sum(map(len, streams[1:])) < 100


@pytest.mark.parametrize("word", WORDS)
def test_damaged_streams_are_refused_or_decode_to_something(word):
    """No exception but the package's own, whatever the bytes; the kernels' arrays are watched by numpy's checks."""
    rng, size, refused = np.random.default_rng(1), 300, 0
    streams = packed(coder(size, word), drawn(word, size, rng))
    for _ in range(300):
        changed = [bytearray(stream) for stream in streams]
        part = changed[int(rng.integers(len(changed)))]
        part[int(rng.integers(len(part)))] ^= int(rng.integers(1, 256))
        if rng.random() < 0.3:
            del part[int(rng.integers(len(part))) :]
        try:
            unpacked(coder(size, word), changed, size, word)
        except CorruptError:
            refused += 1
    assert refused > 50


def test_symbols_that_no_word_has_are_refused():
    wide, narrow = coder(8, "u8"), coder(8, "u2")
    streams = packed(wide, np.full(8, 2**40, np.uint64))
    with pytest.raises(CorruptError, match="low bits"):
        unpacked(narrow, streams, 8, "u2")
    with pytest.raises(CorruptError, match="low bits"):
        unpacked(coder(8, "u8"), [streams[0] + bytes(8), streams[1]], 8, "u8")
    with pytest.raises(CorruptError, match="groups"):
        unpacked(coder(8, "u8"), [*streams, b""], 8, "u8")


@pytest.mark.parametrize("behind", [0, 7, 15, 16, 40])
@pytest.mark.parametrize("writable", [False, True])
def test_low_bits_are_read_where_they_lie_in_a_frame(behind, writable):
    """With much or little behind them, in memory that may be written to or not; the first stream begins anywhere."""
    rng = np.random.default_rng(0)
    encoder, decoder = coder(50, "u4"), coder(50, "u4")
    for before in (0, 3):
        folded = drawn("u4", 50, rng)
        streams = packed(encoder, folded)
        frame = bytes(before) + b"\xff" * 99 + streams[0] + b"\xff" * behind
        whole = memoryview(bytearray(frame) if writable else frame)
        low = whole[before + 99 : before + 99 + len(streams[0])]
        found = np.empty(50, np.uint32)
        decoder.unpack([low, *map(memoryview, streams[1:])], True, found)
        assert np.array_equal(found, folded)
        assert whole == frame


@pytest.mark.parametrize("said", [0, 49, 51, 2**50])
def test_a_stream_that_says_another_length_is_refused(said):
    """zstd would make room for as much as a frame says that it holds."""
    folded = np.zeros(50, np.uint32)
    low, symbols = packed(coder(50, "u4"), folded)
    assert zstandard.frame_content_size(symbols) == -1
    damaged = symbols[:4] + b"\xe0" + said.to_bytes(8, "little") + symbols[6:]  # one segment, its length in 8 bytes
    assert zstandard.frame_content_size(damaged) == said
    with pytest.raises(CorruptError, match="as many symbols"):
        unpacked(coder(50, "u4"), [low, damaged], 50, "u4")


def test_several_threads_code_beside_each_other():
    folded = [np.random.default_rng(seed).integers(0, 2**20, 20000).astype(np.uint32) for seed in range(4)]
    expected = [[packed(coder(20000, "u4"), words) for words in folded], [None] * 4]

    def work(number):
        expected[1][number] = [packed(coder(20000, "u4"), folded[number]) for _ in range(10)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(again == alone for alone, found in zip(*expected, strict=True) for again in found)


def test_threads_that_code_symbols_at_the_same_time_do_not_meet():
    """Decompressing lets other threads run, so each has a decompressor of its own."""
    rng = np.random.default_rng(0)
    drawn_by = [rng.integers(0, most, 100_000).astype(np.uint8) for most in (3, 17, 40, 64)]
    place, wrong = np.array([0, 100_000], np.uint64), []

    def work(symbols):
        try:
            for _ in range(60):
                [stream] = compress_segments(symbols, place)
                if not np.array_equal(decompress_segments([memoryview(stream)], [symbols.size]), symbols):
                    wrong.append("other symbols")
        except CorruptError as error:
            wrong.append(str(error))

    threads = [threading.Thread(target=work, args=(symbols,)) for symbols in drawn_by]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
