"""A second reader of the run format, written from docs/run_format.md: one element at a time, for float32 only.

It shares no code with the package; only the entropy coders (pcodec, zstd), MessagePack and CRC-32 are libraries.
"""

import json
import struct
import zlib

import msgspec
import numpy as np
import zstandard
from pcodec import standalone


def read_points(run):
    """Iteration, flat list of words, hyper-parameters and scalars of every point, for runs of one block."""
    described = json.loads((run / "run.json").read_bytes())
    size = sum(int(np.prod(tensor["shape"], dtype=int)) for tensor in described["tensors"])
    sizes = [int(np.prod(tensor["shape"], dtype=int)) for tensor in described["tensors"]]
    table = json.dumps(
        [described["run_id"], described["tensors"], described["recording"]["error_fraction"]],
        separators=(",", ":"),
        ensure_ascii=False,
    )
    version, last = described["format_version"], None
    for file in sorted((run / "segments").iterdir()):
        for point in _segment(file.read_bytes(), size, sizes, (zlib.crc32(table.encode()), last), version):
            last = point[0]
            yield point


def _frames(data):
    assert data[:8] == b"LCASEG\x00\x02"
    place = 8
    while place < len(data):
        magic, header_length, payload_length, header_crc, prefix_crc = struct.unpack_from("<4sIQII", data, place)
        assert magic == b"LCAF"
        assert prefix_crc == zlib.crc32(data[place : place + 20])
        header = data[place + 24 : place + 24 + header_length]
        assert header_crc == zlib.crc32(header)
        end = place + 24 + header_length + payload_length
        commit_crc, done = struct.unpack_from("<I4s", data, end)
        assert done == b"DONE"
        assert commit_crc == zlib.crc32(data[place:end])
        yield msgspec.msgpack.decode(header), data[place + 24 + header_length : end]
        place = end + 8


def _segment(data, size, sizes, expected, version):
    groups, state, last = None, None, None
    for header, payload in _frames(data):
        kind, iteration, layout, previous, changed, scalars, blocks = header
        if kind == "end":
            assert (iteration, layout, previous) == (last, None, None)
            return
        last = iteration
        assert (layout, previous) == (expected if kind == "key" else (None, None))
        groups = groups if changed is None else changed
        (block,) = blocks
        if kind == "key":
            state = (_Keyframe if version >= 4 else _SortedKeyframe)(block, payload, size, version)
        else:
            state.next(block, payload, sizes)
        if version >= 4:
            assert sum(word * (2 * i + 1) for i, word in enumerate(state.words)) % 2**64 == block[2]
        else:
            assert zlib.crc32(np.array(state.words, "<u4").tobytes()) == block[2]
        yield iteration, state.words, groups, scalars


class _Keyframe:
    """The last two points, and the running means of symbols."""

    def __init__(self, block, payload, size, version):
        assert block[0] == 0
        ordered = [int(word) for word in _streams(block[1], payload)]
        assert len(ordered) == size
        self.ordered = self.before = ordered
        self.means, self.weight, self.version = [0] * size, 1, version

    @property
    def words(self):
        return [word ^ 0x80000000 if word >> 31 else word ^ 0xFFFFFFFF for word in self.ordered]

    def next(self, block, payload, sizes):
        _, _, _, predictors, momenta, exact = block
        assert exact is None
        folded = self.folded(block, payload)
        owners = [n for n, size in enumerate(sizes) if size for _ in range(size)]
        with_elements = {n: p for p, n in enumerate(n for n, size in enumerate(sizes) if size)}
        now = []
        for i, fold in enumerate(folded):
            piece = with_elements[owners[i]]
            guess = _predict(predictors[piece], momenta[piece], self.ordered[i], self.before[i])
            now.append((guess + (fold >> 1 if fold % 2 == 0 else -(fold + 1) // 2)) % 2**32)
        self.before, self.ordered = self.ordered, now

    def folded(self, block, payload):
        assert block[0] in ((3,) if self.version == 4 else (3, 4))
        parts, place = [], 0
        for length in block[1]:
            parts.append(payload[place : place + length])
            place += length
        low, read = int.from_bytes(parts[0], "little"), 0
        everything = [list(range(len(self.means)))]
        groups = _groups([(mean + 128) // 256 for mean in self.means]) if block[0] == 3 else everything
        assert len(parts) == 1 + len(groups)
        folded = [0] * len(self.means)
        symbols = {}
        for part, places in zip(parts[1:], groups, strict=True):
            found = zstandard.ZstdDecompressor().decompress(part, max_output_size=len(places))
            symbols |= dict(zip(places, found, strict=True))
        for i, symbol in sorted(symbols.items()):
            bits = max(symbol // 2, 1) - 1
            folded[i] = ((symbol - 2 * bits) << bits) + (low >> read) % 2**bits
            read += bits
            if block[0] == 3:
                self.means[i] += (256 * symbol - self.means[i]) // self.weight
        assert len(parts[0]) == -(-read // 64) * 8
        self.weight = 8 if block[0] == 3 else self.weight
        return folded


def _groups(contexts):
    """Places of each group, in their order."""
    groups, group = [], []
    for context in range(128):
        group += [i for i, found in enumerate(contexts) if found == context]
        if len(group) >= 4096:
            groups.append(sorted(group))
            group = []
    if groups:
        groups[-1] = sorted(groups[-1] + group)
    return groups or [sorted(group)]


class _SortedKeyframe(_Keyframe):
    """The last two points, the running means of residuals, and the order of the words: versions 2 and 3."""

    def __init__(self, block, payload, size, version):
        super().__init__(block, payload, size, version)
        self.means = [np.float32(0)] * size
        self.order = list(range(size))
        self.classes = {2: 18, 3: 72}[version]

    def folded(self, block, payload):
        if block[0] == 2:
            self.order = sorted(range(len(self.order)), key=lambda i: _class(self.means[i], self.classes))
        folded = [0] * len(self.ordered)
        places = range(len(folded)) if block[0] == 0 else self.order
        for place, value in zip(places, _streams(block[1], payload), strict=True):
            folded[place] = int(value)
        for i, fold in enumerate(folded):
            old, fresh = np.float32(self.means[i] * np.float32(0.8125)), np.float32(fold) * np.float32(0.1875)
            self.means[i] = np.float32(old + np.float32(fresh))
        return folded


def _streams(lengths, payload):
    values, place = [], 0
    for length in lengths:
        if length:
            values.extend(standalone.simple_decompress(bytes(payload[place : place + length])).tolist())
        place += length
    assert place == len(payload)
    return values


def _class(mean, classes):
    exponent = int(np.float32(mean).view(np.uint32)) >> 23
    return min(max(exponent - 123, 0), classes - 1)


def _number(ordered):
    return np.uint32(ordered ^ 0x80000000 if ordered >> 31 else ordered ^ 0xFFFFFFFF).view(np.float32)


def _predict(predictor, momentum, last, before):
    if predictor == 0:
        return last
    if predictor == 1:
        return (2 * last - before) % 2**32
    w, v, m = _number(last), _number(before), np.float32(-momentum)
    # Each float32 operation through float64, in which it is exact or rounds harmlessly: no fused operation can hide.
    with np.errstate(all="ignore"):
        difference = np.float32(float(v) - float(w))
        product = np.float32(float(difference) * float(m))
        guess = np.float32(float(product) + float(w))
    if not np.isfinite(guess):
        return last
    word = int(guess.view(np.uint32))
    return word ^ (0xFFFFFFFF if word >> 31 else 0x80000000)
