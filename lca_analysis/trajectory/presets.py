"""What a frame says of each of its blocks, and what an encoder may spend on it."""

from dataclasses import dataclass

import msgspec

# Orders: as in the block, sorted as before, sorted anew; split in symbols, in groups or not.
PLAIN, KEPT, SORTED, SYMBOLS, UNGROUPED = 0, 1, 2, 3, 4


class BlockHeader(msgspec.Struct, array_like=True):
    """How one block of a frame is coded.

    `order` says how the words lie in the streams; `streams` are the lengths of the compressed streams in bytes;
    `checksum` is that of the decoded words; `predictors` and `momenta` have an entry per piece (none in a
    keyframe). `exact` is None where all words are exact; in a frame with a bounded error it is the number of words
    that are listed apart, by two more streams: their places and their ordered words.
    """

    order: int
    streams: list[int]
    checksum: int
    predictors: list[int] = []
    momenta: list[float] = []
    exact: int | None = None


@dataclass(frozen=True)
class Preset:
    """What an encoder may spend; the decoder needs none of it.

    A choice of predictors is kept for `choose_every` frames, and for twice as many each time it turns out the same,
    up to `choose_rarely`. `level` is pcodec's. `grouped` says whether symbols are coded in groups; format version 4 has
    no others. `sort_every` is the number of frames that share an order by class in format versions 2 and 3 (0: no
    classes).
    """

    level: int
    choose_every: int
    choose_rarely: int
    grouped: bool
    sort_every: int


PRESETS = {
    "small": Preset(level=8, choose_every=1, choose_rarely=16, grouped=True, sort_every=4),
    "fast": Preset(level=6, choose_every=4, choose_rarely=64, grouped=False, sort_every=0),
}


def is_turn(frame: int, every: int) -> bool:
    """Whether a frame renews what so many share; right behind a keyframe, where all is young, each does."""
    return frame <= every or (frame - 1) % every == 0
