"""The memory of a decoder: all words of one dtype lie one behind the other, whatever the blocks they are coded in."""

from collections import defaultdict

from lca_analysis.memory import pages
from lca_analysis.trajectory.block_decoding import BlockDecoder
from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.manifest import TensorInfo
from lca_analysis.trajectory.scratch import Scratch
from lca_analysis.trajectory.state import Coding
from lca_analysis.trajectory.words import WordFormat, Words, word_format


class Planes:
    """Two flat arrays for each dtype, which hold the last two points by turns, and the decoders that work in them.

    Parameters
    ----------
    blocks : list of Block
        All blocks of the run.
    chosen : list of int
        Numbers of the tensors that are wanted; blocks that hold none of them are left out.
    coding : Coding
        Of the run.

    Attributes
    ----------
    decoders : dict of int to BlockDecoder
        Of each block that is needed, by its number.
    """

    def __init__(self, blocks: list[Block], chosen: list[int], coding: Coding) -> None:
        wanted = set(chosen)
        self._starts: dict[int, int] = {}
        places: dict[int, slice] = {}
        sizes: dict[WordFormat, int] = defaultdict(int)
        for number, block in enumerate(blocks):
            if wanted.isdisjoint(piece.tensor for piece in block.pieces):
                continue
            begin = sizes[block.form]
            for piece in block.pieces:
                self._starts.setdefault(piece.tensor, begin + piece.offset)
            sizes[block.form] += block.size
            places[number] = slice(begin, begin + block.size)
        self._arrays = {form: (pages(size, form.word), pages(size, form.word)) for form, size in sizes.items()}
        self._latest = 0
        scratch = Scratch()
        self.decoders: dict[int, BlockDecoder] = {}
        for number, place in places.items():
            first, second = (array[place] for array in self._arrays[blocks[number].form])
            self.decoders[number] = BlockDecoder(blocks[number], coding, scratch, (first, second))

    def turn(self) -> None:
        """Expect another point: every decoder puts it in its other piece of memory."""
        self._latest = 1 - self._latest

    def words(self, number: int, tensor: TensorInfo) -> Words:
        """Give the words of a tensor at the last point; the next but one overwrites them."""
        start = self._starts[number]
        return self._arrays[word_format(tensor.dtype)][self._latest][start : start + tensor.size]
