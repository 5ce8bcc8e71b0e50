"""From the frames of a segment to the tensors of each point."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.block_decoding import BlockDecoder
from lca_analysis.trajectory.blocks import Block, lay_out
from lca_analysis.trajectory.frames import KEY, FrameHeader, read_frame, read_header
from lca_analysis.trajectory.manifest import Manifest, TensorInfo
from lca_analysis.trajectory.presets import BlockHeader
from lca_analysis.trajectory.scratch import Scratch
from lca_analysis.trajectory.segments import Segment
from lca_analysis.trajectory.state import Coding
from lca_analysis.trajectory.words import WordFormat, Words, from_words, word_format


@dataclass(frozen=True)
class Point:
    """One recorded point of a run.

    Attributes
    ----------
    iteration : int
        Training iteration: how many optimizer steps came before.
    weights : dict of str to ndarray
        Every tensor asked for, in its own shape and dtype (bfloat16 as uint16 words, see
        `bfloat16_to_float32`). The arrays are never overwritten.
    hyperparameters : list of dict
        Of each parameter group, as the optimizer used them in the step that arrived here.
    scalars : dict of str to float
        What the training loop logged with this point.
    """

    iteration: int
    weights: dict[str, NDArray[Any]]
    hyperparameters: list[dict[str, Any]]
    scalars: dict[str, float]


class SegmentDecoder:
    """Decodes segments of a run, only the blocks that hold the chosen tensors."""

    def __init__(self, manifest: Manifest, names: list[str]) -> None:
        self._manifest = manifest
        self._chosen = [number for number, tensor in enumerate(manifest.tensors) if tensor.name in set(names)]
        self._blocks = lay_out(manifest.tensors, manifest.format_version)

    def points(self, fs: Any, segment: Segment, first: int | None = None, last: int | None = None) -> Iterator[Point]:
        """Decode a segment from its keyframe up to iteration `last`; gives the points from `first` on."""
        coding = Coding(self._manifest.format_version, self._manifest.recording.error_fraction)
        needed = [number for number, block in enumerate(self._blocks) if self._is_needed(block)]
        scratch = Scratch()
        decoders = {number: BlockDecoder(self._blocks[number], coding, scratch) for number in needed}
        hyperparameters: list[dict[str, Any]] = []
        with fs.open(segment.file, "rb") as file:
            for entry, iteration in zip(segment.frames, segment.iterations.tolist(), strict=True):
                if last is not None and iteration > last:
                    return
                try:
                    header, payload = read_frame(file, entry, scratch)
                    self._decode(decoders, header, payload)
                    del payload  # not needed beside the tensors
                except CorruptError as error:
                    raise CorruptError(f"{segment.file}: iteration {iteration}: {error}") from error
                if header.hyperparameters is not None:
                    hyperparameters = header.hyperparameters
                if first is None or iteration >= first:
                    yield Point(iteration, self._tensors(decoders), hyperparameters, header.scalars)

    def headers(self, fs: Any, segment: Segment) -> Iterator[FrameHeader]:
        """Read the headers of a segment's points, and no payload."""
        with fs.open(segment.file, "rb") as file:
            for entry, iteration in zip(segment.frames, segment.iterations.tolist(), strict=True):
                try:
                    yield read_header(file, entry)
                except CorruptError as error:
                    raise CorruptError(f"{segment.file}: iteration {iteration}: {error}") from error

    def _is_needed(self, block: Block) -> bool:
        """Whether a block holds a piece of a chosen tensor."""
        return any(piece.tensor in self._chosen for piece in block.pieces)

    def _decode(self, decoders: dict[int, BlockDecoder], header: FrameHeader, payload: memoryview) -> None:
        """Decode the needed blocks of one frame."""
        sizes = [sum(block.streams) for block in header.blocks]
        lengths = [length for block in header.blocks for length in block.streams]
        if len(sizes) != len(self._blocks) or min(lengths, default=0) < 0 or sum(sizes) != len(payload):
            raise CorruptError("the frame's blocks are not those of the run")
        start = 0
        for number, (block, size) in enumerate(zip(header.blocks, sizes, strict=True)):
            if number in decoders:
                _decode_block(decoders[number], header.kind, block, payload[start : start + size])
            start += size

    @cached_property
    def _stretches(self) -> dict[int, slice]:
        """Where the tensors lie that a block holds whole, by its number, if all of them are chosen: copied as one."""
        found: dict[int, slice] = {}
        for number, block in enumerate(self._blocks):
            whole = [piece for piece in block.pieces if piece.size == self._manifest.tensors[piece.tensor].size]
            if whole and all(piece.tensor in self._chosen for piece in whole):
                found[number] = slice(whole[0].place.start, whole[-1].place.stop)
        return found

    @cached_property
    def _places(self) -> list["_Place"]:
        """Where the chosen tensors lie."""
        found: dict[int, list[tuple[int, slice]]] = {number: [] for number in self._chosen}
        for number, block in enumerate(self._blocks):
            for piece in block.pieces:
                if piece.tensor in found:
                    found[piece.tensor].append((number, piece.place))
        return [self._place(self._manifest.tensors[number], pieces) for number, pieces in found.items()]

    def _place(self, tensor: TensorInfo, pieces: list[tuple[int, slice]]) -> "_Place":
        """Say where a tensor lies: in a stretch that is copied as one, or in pieces."""
        form = word_format(tensor.dtype)
        if len(pieces) == 1 and (stretch := self._stretches.get(pieces[0][0])) is not None:
            (number, place), start = pieces[0], stretch.start
            return _Place(tensor.name, tensor.shape, form, number, slice(place.start - start, place.stop - start), [])
        return _Place(tensor.name, tensor.shape, form, None, slice(0), pieces)

    def _tensors(self, decoders: dict[int, BlockDecoder]) -> dict[str, NDArray[Any]]:
        """Assemble the chosen tensors from the decoded blocks.

        Always copies: what a caller does to them must not reach the decoder, whose next point builds on this one.
        """
        words = {number: decoder.words for number, decoder in decoders.items()}
        copies = {
            number: np.array(from_words(words[number][stretch], self._blocks[number].form))
            for number, stretch in self._stretches.items()
        }
        tensors: dict[str, NDArray[Any]] = {}
        for name, shape, form, number, place, pieces in self._places:
            if number is None:
                tensors[name] = _join([words[block][part] for block, part in pieces], form).reshape(shape)
            else:
                tensors[name] = copies[number][place].reshape(shape)
        return tensors


class _Place(NamedTuple):
    """Where a tensor lies: the block whose stretch holds it, and its place in that; or else its pieces."""

    name: str
    shape: tuple[int, ...]
    form: WordFormat
    block: int | None
    place: slice
    pieces: list[tuple[int, slice]]


def _join(parts: list[Words], form: WordFormat) -> NDArray[Any]:
    """Put copies of the pieces of one tensor together."""
    return from_words(np.concatenate(parts), form) if parts else np.empty(0, form.storage)


def _decode_block(decoder: BlockDecoder, kind: str, header: BlockHeader, data: memoryview) -> None:
    """Decode one block of a keyframe or a delta."""
    (decoder.keyframe if kind == KEY else decoder.delta)(header, data)
