"""How the tensors of a run are laid out in blocks of equal words, the unit of coding."""

from dataclasses import dataclass
from functools import cached_property

from lca_analysis.trajectory.manifest import FORMAT_VERSION, TensorInfo
from lca_analysis.trajectory.words import WordFormat, word_format

LEAST_QUANTISED = {2: 0, 3: 1024, 4: 1024, 5: 1024}  # elements, by format version
BLOCK_SIZE = 2**18  # words; part of the format: readers lay out blocks by the same rule


@dataclass(frozen=True)
class Piece:
    """A stretch of one tensor inside a block: tensor[start:stop] lies at `offset`.

    `quantised` says whether a bounded-error recording may round it: a parameter of two or more dimensions that is not
    small. Small tensors cost next to nothing, and the totals of their layers suffer most.
    """

    tensor: int
    start: int
    stop: int
    offset: int
    quantised: bool = False

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.stop - self.start

    @cached_property
    def place(self) -> slice:
        """Where it lies in the block."""
        return slice(self.offset, self.offset + self.size)

    @cached_property
    def source(self) -> slice:
        """What it takes of the flat tensor."""
        return slice(self.start, self.stop)


@dataclass(frozen=True)
class Block:
    """At most BLOCK_SIZE words of one dtype: small tensors share a block, a large one fills several."""

    form: WordFormat
    pieces: tuple[Piece, ...]

    @cached_property
    def size(self) -> int:
        """Number of words."""
        return sum(piece.size for piece in self.pieces)


def lay_out(tensors: list[TensorInfo], version: int = FORMAT_VERSION) -> list[Block]:
    """Join the tensors of each dtype in manifest order and cut the result every BLOCK_SIZE words.

    Dtypes come in the order of their first tensor; tensors without elements have no piece.
    """
    blocks: list[Block] = []
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
        pieces: list[Piece] = []
        for number, tensor in enumerate(tensors):
            if tensor.dtype == dtype:
                _add_tensor(blocks, pieces, number, tensor, LEAST_QUANTISED[version])
        if pieces:
            blocks.append(Block(word_format(dtype), tuple(pieces)))
    return blocks


def _add_tensor(blocks: list[Block], pieces: list[Piece], number: int, tensor: TensorInfo, least: int) -> None:
    """Append one tensor to the open block, closing full blocks on the way."""
    start = 0
    floats = word_format(tensor.dtype).kind != "integer"
    quantised = floats and tensor.role == "parameter" and len(tensor.shape) >= 2 and tensor.size >= least
    while start < tensor.size:
        filled = pieces[-1].offset + pieces[-1].size if pieces else 0
        stop = min(tensor.size, start + BLOCK_SIZE - filled)
        pieces.append(Piece(number, start, stop, filled, quantised))
        if filled + stop - start == BLOCK_SIZE:
            blocks.append(Block(word_format(tensor.dtype), tuple(pieces)))
            pieces.clear()
        start = stop
