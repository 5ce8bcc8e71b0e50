"""Payloads keep their bytes in order, wherever they wait, and frames are the same either way."""

import zlib

import numpy as np
import pytest

from lca_analysis.trajectory import payload as payloads
from lca_analysis.trajectory.frames import DELTA, FrameHeader, pack_frame
from lca_analysis.trajectory.payload import Payload


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
