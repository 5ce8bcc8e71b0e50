"""Payloads keep their bytes in order, wherever they wait, and frames are the same either way."""

import zlib

import numpy as np
import pytest

from lca_analysis.trajectory import payload as payloads
from lca_analysis.trajectory.frames import DELTA, FrameHeader, pack_frame
from lca_analysis.trajectory.payload import Payload, write_all


def parts_of(seed, sizes):
    generator = np.random.default_rng(seed)
    return [generator.bytes(size) for size in sizes]


@pytest.mark.parametrize("sizes", [[], [0, 5], [300, 800, 20, 999, 1, 700], [5000, 1], [1, 5000]])
def test_bytes_come_back_in_order_and_leave_nothing(tmp_path, monkeypatch, sizes):
    monkeypatch.setattr(payloads, "_KEPT", 1000)
    monkeypatch.setattr(payloads, "_CHUNK", 64)
    parts, payload = parts_of(1, sizes), Payload(tmp_path)
    for part in parts:
        payload.add([part])
    assert payload.size == sum(sizes)
    assert b"".join(payload) == b"".join(parts)
    assert (payload._file is not None) == (sum(sizes) > 1000)
    payload.close()
    assert not list(tmp_path.iterdir())


def test_no_more_than_a_limit_stays_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(payloads, "_KEPT", 1000)
    payload = Payload(tmp_path)
    for part in parts_of(2, [400] * 50):
        payload.add([part])
        assert len(payload._waiting) <= 1000
    payload.close()


def test_a_frame_is_the_same_from_memory_and_from_a_file(tmp_path, monkeypatch):
    parts = parts_of(3, [2**19] * 5)
    whole = b"".join(pack_frame(FrameHeader(DELTA, 7), parts, sum(map(len, parts))))
    monkeypatch.setattr(payloads, "_KEPT", 2**20)
    payload = Payload(tmp_path)
    payload.add(parts[:2])
    payload.add(parts[2:])
    assert payload._file is not None
    assert b"".join(pack_frame(FrameHeader(DELTA, 7), payload, payload.size)) == whole
    assert whole[-8:-4] == zlib.crc32(whole[:-8]).to_bytes(4, "little")
    payload.close()


@pytest.mark.parametrize("together", [True, False])
def test_streams_that_are_lent_come_behind_the_others_and_all_is_written(tmp_path, monkeypatch, together):
    """A system that takes seven bytes at a time, and one that does not know how to write several parts."""
    parts, payload, taken = parts_of(4, [40, 300, 0, 9, 30]), Payload(tmp_path), []
    payload.add(parts[:1])
    payload.lend([memoryview(part) for part in parts[1:]])
    assert payload.size == sum(map(len, parts))
    monkeypatch.setattr(payloads, "_MOST", 2)
    if together:
        write = lambda number, some: taken.append(bytes(some[0][:7])) or len(taken[-1])  # noqa: E731
        monkeypatch.setattr(payloads.os, "writev", write)
    else:
        monkeypatch.delattr(payloads.os, "writev")
    with (tmp_path / "file").open("wb", buffering=0) as file:
        write_all(file, list(payload))
    assert (b"".join(taken) if together else (tmp_path / "file").read_bytes()) == b"".join(parts)


def test_more_parts_than_the_system_takes_at_once_are_written(tmp_path):
    parts = parts_of(5, [3] * 3000)
    with (tmp_path / "file").open("wb", buffering=0) as file:
        write_all(file, parts)
    assert (tmp_path / "file").read_bytes() == b"".join(parts)
