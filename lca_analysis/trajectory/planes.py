"""The memory of a decoder: all words of one dtype lie one behind the other, whatever the blocks they are coded in."""

from collections import defaultdict
from typing import Any

from numpy.typing import NDArray

from lca_analysis.memory import pages
from lca_analysis.trajectory.block_decoding import BlockDecoder
from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.manifest import TensorInfo
from lca_analysis.trajectory.scratch import Scratch
from lca_analysis.trajectory.state import Coding
from lca_analysis.trajectory.words import WordFormat, from_words, word_format

Shape = tuple[int, ...]


class Planes:
    """Two flat arrays for each dtype, which hold the last two points by turns, and the decoders that work in them.

    Parameters
    ----------
    blocks : list of Block
        All blocks of the run.
    tensors : list of TensorInfo
        All tensors of the run.
    chosen : list of int
        Numbers of the tensors that are wanted; blocks that hold none of them are left out.
    coding : Coding
        Of the run.

    Attributes
    ----------
    decoders : dict of int to BlockDecoder
        Of each block that is needed, by its number.
    """

    def __init__(self, blocks: list[Block], tensors: list[TensorInfo], chosen: list[int], coding: Coding) -> None:
        wanted = set(chosen)
        starts: dict[int, int] = {}
        places: dict[int, slice] = {}
        sizes: dict[WordFormat, int] = defaultdict(int)
        for number, block in enumerate(blocks):
            if wanted.isdisjoint(piece.tensor for piece in block.pieces):
                continue
            begin = sizes[block.form]
            for piece in block.pieces:
                starts.setdefault(piece.tensor, begin + piece.offset)
            sizes[block.form] += block.size
            places[number] = slice(begin, begin + block.size)
        for form in (word_format(tensors[number].dtype) for number in chosen):
            sizes[form] += 0  # also of tensors without an element, which no block holds
        self._arrays = {form: (pages(size, form.word), pages(size, form.word)) for form, size in sizes.items()}
        forms = {form: number for number, form in enumerate(self._arrays)}
        self._places = [_place(tensors[number], starts.get(number, 0), forms) for number in chosen]
        self._latest = 0
        scratch = Scratch()
        self.decoders: dict[int, BlockDecoder] = {}
        for number, place in places.items():
            first, second = (array[place] for array in self._arrays[blocks[number].form])
            self.decoders[number] = BlockDecoder(blocks[number], coding, scratch, (first, second))

    def turn(self) -> None:
        """Expect another point: every decoder puts it in its other piece of memory."""
        self._latest = 1 - self._latest

    def tensors(self, copy: bool) -> dict[str, NDArray[Any]]:
        """Give the wanted tensors at the last point; where they are no copy, the next point but one overwrites them."""
        latest = [(arrays[self._latest], form) for form, arrays in self._arrays.items()]
        flat = [from_words(words.copy() if copy else words, form) for words, form in latest]
        return {
            name: flat[number][place] if shape is None else flat[number][place].reshape(shape)
            for name, number, place, shape in self._places
        }


def _place(tensor: TensorInfo, start: int, forms: dict[WordFormat, int]) -> tuple[str, int, slice, Shape | None]:
    """Say where a tensor lies: the number of its dtype, and where in that dtype's words; its shape if not flat."""
    shape = None if len(tensor.shape) == 1 else tensor.shape
    return tensor.name, forms[word_format(tensor.dtype)], slice(start, start + tensor.size), shape
