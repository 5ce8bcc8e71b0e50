"""Checksums of decoded words: what a decoder must have arrived at."""

import zlib

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.words import Words

_CRC_UNTIL = 3  # format version


def checksum(words: Words, version: int) -> int:
    """CRC-32 of words as they lie in memory; since version 4 a sum that takes a tenth of its time."""
    if version <= _CRC_UNTIL:
        return zlib.crc32(words.data)
    from lca_analysis.trajectory.symbol_kernels import weighted_sum

    return int(weighted_sum(words))


def check_sum(found: int, expected: int) -> None:
    """Raise CorruptError unless the decoded words are, to the bit, those that were coded."""
    if found != expected:
        raise CorruptError("the decoded numbers are not those that were recorded")
