"""From the frames of a segment to the tensors of each point."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.block_decoding import BlockDecoder
from lca_analysis.trajectory.blocks import lay_out
from lca_analysis.trajectory.frames import KEY, FrameHeader, read_frame, read_header
from lca_analysis.trajectory.manifest import Manifest
from lca_analysis.trajectory.planes import Planes
from lca_analysis.trajectory.presets import BlockHeader
from lca_analysis.trajectory.scratch import Scratch
from lca_analysis.trajectory.segments import Segment
from lca_analysis.trajectory.state import Coding


@dataclass(frozen=True)
class Point:
    """One recorded point of a run.

    Attributes
    ----------
    iteration : int
        Training iteration: how many optimizer steps came before.
    weights : dict of str to ndarray
        Every tensor asked for, in its own shape and dtype (bfloat16 as uint16 words, see
        `bfloat16_to_float32`). The arrays are never overwritten, unless they are asked for without copies.
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
    """Decodes segments of a run, one after the other, only the blocks that hold the chosen tensors."""

    def __init__(self, manifest: Manifest, names: list[str]) -> None:
        self._manifest = manifest
        wanted = set(names)
        self._chosen = [number for number, tensor in enumerate(manifest.tensors) if tensor.name in wanted]
        self._blocks = lay_out(manifest.tensors, manifest.format_version)
        self._coding = Coding(manifest.format_version, manifest.recording.error_fraction)
        self._frames = Scratch()
        self._planes: Planes | None = None

    def points(
        self, fs: Any, segment: Segment, first: int | None = None, last: int | None = None, copy: bool = True
    ) -> Iterator[Point]:
        """Decode a segment from its keyframe up to iteration `last`; gives the points from `first` on.

        Without copies, the arrays of a point are overwritten by the next but one.
        """
        hyperparameters: list[dict[str, Any]] = []
        with fs.open(segment.file, "rb") as file:
            for entry, iteration in zip(segment.frames, segment.iterations.tolist(), strict=True):
                if last is not None and iteration > last:
                    return
                try:
                    header, payload = read_frame(file, entry, self._frames)
                    self._decode(header, payload, is_first=entry is segment.frames[0])
                    del payload  # not needed beside the tensors
                except CorruptError as error:
                    self._planes = None
                    raise CorruptError(f"{segment.file}: iteration {iteration}: {error}") from error
                if header.hyperparameters is not None:
                    hyperparameters = header.hyperparameters
                if first is None or iteration >= first:
                    yield Point(iteration, self._tensors(copy), hyperparameters, header.scalars)

    def headers(self, fs: Any, segment: Segment) -> Iterator[FrameHeader]:
        """Read the headers of a segment's points, and no payload."""
        with fs.open(segment.file, "rb") as file:
            for entry, iteration in zip(segment.frames, segment.iterations.tolist(), strict=True):
                try:
                    yield read_header(file, entry)
                except CorruptError as error:
                    raise CorruptError(f"{segment.file}: iteration {iteration}: {error}") from error

    def _decode(self, header: FrameHeader, payload: memoryview, is_first: bool) -> None:
        """Decode the needed blocks of one frame."""
        sizes = [sum(block.streams) for block in header.blocks]
        lengths = [length for block in header.blocks for length in block.streams]
        if len(sizes) != len(self._blocks) or min(lengths, default=0) < 0 or sum(sizes) != len(payload):
            raise CorruptError("the frame's blocks are not those of the run")
        if is_first and header.kind != KEY:
            raise CorruptError("a segment does not begin with a keyframe")
        if self._planes is None:  # only now: a table that claims too much has been refused
            self._planes = Planes(self._blocks, self._manifest.tensors, self._chosen, self._coding)
        self._planes.turn()
        start = 0
        for number, (block, size) in enumerate(zip(header.blocks, sizes, strict=True)):
            if number in self._planes.decoders:
                _decode_block(self._planes.decoders[number], header.kind, block, payload[start : start + size])
            start += size

    def _tensors(self, copy: bool) -> dict[str, NDArray[Any]]:
        """Give the chosen tensors at the last point, each in its dtype and shape.

        Mostly of a copy: what a caller does to them must not reach the decoder, whose next point builds on this one.
        """
        return {} if self._planes is None else self._planes.tensors(copy)


def _decode_block(decoder: BlockDecoder, kind: str, header: BlockHeader, data: memoryview) -> None:
    """Decode one block of a keyframe or a delta."""
    (decoder.keyframe if kind == KEY else decoder.delta)(header, data)
