"""Malformed runs whose checksums are right: the reader refuses them with its own errors, within a bound of memory.

In a process of its own, so that a crash, a hang and an allocation out of proportion are all seen.
"""

import os
import resource
import struct
import subprocess
import sys
import zlib

import msgspec
import numpy as np
import pytest
from trajectory.made_runs import manifest, random_walk, tensor, write

from lca_analysis.errors import LcaError
from lca_analysis.trajectory import RecordingPolicy, open_run, verify
from lca_analysis.trajectory.segments import SEGMENT_MAGIC

MEMORY = 2**28  # bytes above what the interpreter has mapped; the runs here are of some kilobytes


def seal(header, payload):
    """A frame with right checksums around any bytes, by the format's page rather than by the package's writer."""
    lengths = struct.pack("<4sIQI", b"LCAF", len(header), len(payload), zlib.crc32(header))
    body = lengths + struct.pack("<I", zlib.crc32(lengths)) + header + payload
    return body + struct.pack("<I4s", zlib.crc32(body), b"DONE")


def frames(data):
    """Header and payload of each frame of a segment."""
    place = len(SEGMENT_MAGIC)
    while place < len(data):
        _, header, payload = struct.unpack_from("<4sIQ", data, place)
        start = place + 24
        yield data[start : start + header], data[start + header : start + header + payload]
        place = start + header + payload + 8


def read_all(path):
    """Read a run in every way; whether it could be."""
    try:
        verify(path, progress=False)
        run = open_run(path)
        run.scalars(), run.hyperparameters()
        for _ in run.walk():
            pass
    except LcaError:
        return False
    return True


def limited():
    """Forbid this process more than MEMORY bytes above what it has."""
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))


def mutate(folder, seed, count):
    """Change bytes of headers and payloads, seal them anew, and read; how many runs could still be read."""
    rng, read = np.random.default_rng(seed), 0
    file = os.path.join(folder, "segments", "000000.lcaseg")
    with open(file, "rb") as opened:
        whole = list(frames(opened.read()))
    read_all(folder)  # loads the compiled kernels, whose compiler alone takes more than a reader may
    limited()
    for _ in range(count):
        parts = [[bytearray(part) for part in frame] for frame in whole]
        for _ in range(int(rng.integers(1, 4))):
            part = parts[int(rng.integers(len(parts)))][int(rng.integers(2))]
            if part:
                part[int(rng.integers(len(part)))] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.integers(256)]))
        with open(file, "wb") as opened:
            opened.write(SEGMENT_MAGIC + b"".join(seal(bytes(a), bytes(b)) for a, b in parts))
        read += read_all(folder)
    return read


def in_a_process(code):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.mark.parametrize(("fraction", "preset"), [(0.0, "small"), (1 / 16, "small"), (0.0, "fast")])
def test_sealed_mutations_never_crash_hang_or_take_memory(tmp_path, fraction, preset):
    described = manifest([tensor("a.weight", (60, 100)), tensor("count", (), "int64", "buffer")])
    policy = RecordingPolicy(1, preset, not fraction, 16, fraction)
    points = [{"a.weight": w.reshape(60, 100), "count": np.array(t)} for t, w in enumerate(random_walk(6000, 6))]
    write(tmp_path / "run", msgspec.structs.replace(described, recording=policy), points)
    done = in_a_process(f"from trajectory.test_fuzz import mutate; print(mutate({str(tmp_path / 'run')!r}, 1, 300))")
    assert done.returncode == 0, done.stderr[-2000:]
    assert 0 <= int(done.stdout) < 300


BOMBS = {
    "array of 2^32 - 1": b"\xdd\xff\xff\xff\xff",
    "map of 2^32 - 1": b"\xdf\xff\xff\xff\xff",
    "string of 2^32 - 1": b"\xdb\xff\xff\xff\xff",
    "nested arrays": b"\x91" * 100_000,
    "blocks of 2^32 - 1": b"\x97\xa3key\x00\xc0\xc0\xc0\x80\xdd\xff\xff\xff\xff",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_headers_that_claim_more_than_they_hold_are_refused(tmp_path, bomb):
    path = write(tmp_path / "run", manifest([tensor("a.weight", (3,))]), [{"a.weight": np.zeros(3, np.float32)}])
    (path / "segments" / "000000.lcaseg").write_bytes(SEGMENT_MAGIC + seal(bomb, b""))
    code = f"from trajectory.test_fuzz import limited, read_all; limited(); print(read_all({str(path)!r}))"
    done = in_a_process(code)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr[-2000:]


def test_a_manifest_that_claims_2_to_the_36_elements_takes_no_such_memory(tmp_path):
    described = manifest([tensor("a.weight", (2**18, 2**18))])
    path = write(tmp_path / "run", manifest([tensor("a.weight", (3,))]), [{"a.weight": np.zeros(3, np.float32)}])
    (path / "run.json").write_bytes(msgspec.json.encode(described))
    header, payload = next(frames((path / "segments" / "000000.lcaseg").read_bytes()))
    fields = msgspec.msgpack.decode(header)
    fields[2] = described.layout_checksum
    (path / "segments" / "000000.lcaseg").write_bytes(SEGMENT_MAGIC + seal(msgspec.msgpack.encode(fields), payload))
    code = f"from trajectory.test_fuzz import limited, read_all; limited(); print(read_all({str(path)!r}))"
    done = in_a_process(code)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "not those of the run" in str(verify(path).problems)
