"""Writing a run: run.json once, then one frame per recorded point."""

import copy
import os
from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from lca_analysis.disk import sync_folder
from lca_analysis.errors import ArgumentError, MismatchError
from lca_analysis.trajectory.blocks import Block, lay_out
from lca_analysis.trajectory.creation import check_free, check_readable, clear, make_folder, released_on_failure
from lca_analysis.trajectory.encoding import BlockEncoder
from lca_analysis.trajectory.frames import DELTA, END, KEY, FrameHeader, Part, pack_frame
from lca_analysis.trajectory.locking import local_folder, lock_folder, release
from lca_analysis.trajectory.manifest import MANIFEST_NAME, Manifest, check_manifest, write_manifest
from lca_analysis.trajectory.payload import Payload, write_all
from lca_analysis.trajectory.presets import PRESETS
from lca_analysis.trajectory.resuming import cut_back
from lca_analysis.trajectory.run import open_manifest
from lca_analysis.trajectory.scratch import Scratch
from lca_analysis.trajectory.segments import SEGMENT_FOLDER, SEGMENT_MAGIC, segment_name
from lca_analysis.trajectory.state import Coding
from lca_analysis.trajectory.words import Words, to_words, word_format

LOT_WORDS = 2**20  # of the points that are coded and written together
_TOGETHER = 2**20  # bytes that are handed to the operating system together


class PointWords(NamedTuple):
    """A point to write: its iteration, the words of each block, and as `RunWriter.append` takes them the others."""

    iteration: int
    words: Iterable[Words]
    hyperparameters: list[dict[str, Any]] | None = None
    scalars: Mapping[str, float] = {}


class RunWriter:
    """Appends points to a run folder; make one with `RunWriter.create` or `RunWriter.resume`.

    A folder has one writer at a time: until `close`, or the death of the process, another one is refused. Each point is
    handed to the operating system whole, so it survives the death of the process; each segment is forced to the disk
    when it is full.

    Attributes
    ----------
    manifest : Manifest
        The content of run.json.
    iteration : int or None
        Iteration of the last committed point; None before the first.
    blocks : list of Block
        How the tensors are laid out.
    """

    def __init__(self, folder: Path, manifest: Manifest, lock: FileLock) -> None:
        self._folder = folder
        self._lock = lock
        self.manifest = manifest
        self.iteration: int | None = None
        self.blocks = lay_out(manifest.tensors, manifest.format_version)
        preset = PRESETS[manifest.recording.preset]
        coding = Coding(manifest.format_version, manifest.recording.error_fraction)
        self._scratch = Scratch()
        self._encoders = [BlockEncoder(block, preset, coding, self._scratch) for block in self.blocks]
        self._file: BinaryIO | None = None
        self._segments = 0
        self._points = 0
        self._lot = max(1, LOT_WORDS // max(1, sum(block.size for block in self.blocks)))
        self._hyperparameters: list[dict[str, Any]] = []
        self._closed = False

    @classmethod
    def create(cls, path: str | os.PathLike[str], manifest: Manifest, overwrite: bool = False) -> "RunWriter":
        """Make the folder of a new run and write its manifest.

        Parameters
        ----------
        path : str or path-like
            Folder to make, on a local disk; it may exist when it is empty.
        manifest : Manifest
            What the run is made of.
        overwrite : bool
            Replace an earlier run in this folder; nothing but a run is ever replaced.

        Returns
        -------
        RunWriter
            Open for points.

        Raises
        ------
        ArgumentError
            The folder holds something or is being written, or the preset is unknown.
        """
        folder, manifest = local_folder(path), msgspec.structs.replace(manifest, closed_at=None)
        if manifest.recording.preset not in PRESETS:
            raise ArgumentError(
                f"there is no preset {manifest.recording.preset!r}; the presets are: {', '.join(PRESETS)}"
            )
        check_manifest(manifest, str(folder / MANIFEST_NAME))
        check_readable(manifest)
        check_free(folder, overwrite)
        make_folder(folder)
        with released_on_failure(lock_folder(folder)) as lock:
            check_free(folder, overwrite)  # again: another writer may have been quicker
            clear(folder)
            (folder / SEGMENT_FOLDER).mkdir()
            write_manifest(folder, manifest)
        return cls(folder, manifest, lock)

    @classmethod
    def resume(cls, path: str | os.PathLike[str], iteration: int | None = None) -> "RunWriter":
        """Open an existing run to append to it; what follows begins a segment of its own.

        What was never committed, the end mark, and the points that are to be dropped are cut off at once, the last
        first, so that the run can be read whenever this is interrupted.

        Parameters
        ----------
        path : str or path-like
            The run folder.
        iteration : int, optional
            A recorded iteration, the last to keep; None keeps all that was committed.

        Returns
        -------
        RunWriter
            Open for points after `iteration`.

        Raises
        ------
        NotFoundError
            There is no run, or no such point in it.
        FormatError
            It is not a run, or one of another format version.
        CorruptError
            Something that was committed is damaged; nothing was changed.
        ArgumentError
            The run is being written.
        """
        folder = local_folder(path)
        open_manifest(folder)  # what is no run is not locked either
        with released_on_failure(lock_folder(folder)) as lock:
            kept = cut_back(folder, iteration)
        writer = cls(folder, kept.manifest, lock)
        writer.iteration = kept.iteration
        writer._hyperparameters = kept.hyperparameters
        if kept.file is not None:
            writer._file = kept.file.open("ab", buffering=0)
            writer._segments = kept.number
            writer._points = kept.manifest.recording.segment_length  # full: the next point opens a segment
        return writer

    def append(
        self,
        iteration: int,
        weights: Mapping[str, NDArray[Any]],
        hyperparameters: list[dict[str, Any]] | None = None,
        scalars: Mapping[str, float] | None = None,
    ) -> None:
        """Write one point.

        Parameters
        ----------
        iteration : int
            Later than the last one.
        weights : mapping of str to ndarray
            Every tensor of the manifest, in its storage dtype (bfloat16 as uint16 words).
        hyperparameters : list of dict, optional
            Of each parameter group, used by the step that arrived here; None means as before.
        scalars : mapping of str to float, optional
            Logged with this point.

        Raises
        ------
        ArgumentError
            The iteration does not come after the last one, or the writer is closed.
        MismatchError
            The weights are not those that the manifest describes.
        OSError
            The disk refuses; the run is readable up to the point before, and this writer is done.
        """
        self._check_weights(iteration, weights)
        words = [to_words(weights[tensor.name], word_format(tensor.dtype)) for tensor in self.manifest.tensors]
        gathered = (self._gather(block, words) for block in self.blocks)
        self.append_points([PointWords(iteration, gathered, hyperparameters, scalars or {})])

    def append_points(self, points: Sequence[PointWords]) -> None:
        """Write points, several at once where they are small; else as `append`."""
        while points:
            number = 1 if self._file is None or self._is_full else self.manifest.recording.segment_length - self._points
            lot, points = points[: min(number, self._lot)], points[min(number, self._lot) :]
            self._append_lot(lot)

    def _append_lot(self, lot: Sequence[PointWords]) -> None:
        """Write points of one segment, a keyframe alone."""
        self._check_order(lot)
        self._closed = True  # until the frames are written: after a failure the next delta would have no ground
        if self._is_full:
            self._finish_segment()
        kind = KEY if self._file is None else DELTA
        with ExitStack() as stack:
            payloads = [stack.enter_context(closing(Payload(self._folder))) for _ in lot]
            headers = [self._header(point, kind) for point in lot]
            self._encode(lot, headers, payloads)
            frames = zip(headers, payloads, strict=True)
            self._write_lot(lot, [pack_frame(header, payload, payload.size) for header, payload in frames])
        self._closed = False

    def close(self, complete: bool = True) -> None:
        """End the run; `complete` leaves the mark that nothing is missing."""
        failed, self._closed = self._closed, True
        try:
            if self._file is not None:
                self._end(complete and not failed and self.iteration is not None)
        finally:
            release(self._lock)

    def _end(self, complete: bool) -> None:
        """Finish the last segment; of a complete run, the manifest too says where it ends."""
        if complete and self.iteration is not None:
            self._write(pack_frame(FrameHeader(END, self.iteration), [], 0))
        self._finish_segment()
        if complete:
            self.manifest = msgspec.structs.replace(self.manifest, closed_at=self.iteration)
            write_manifest(self._folder, self.manifest)

    def _check_weights(self, iteration: int, weights: Mapping[str, NDArray[Any]]) -> None:
        """Raise MismatchError unless the weights are those that the manifest describes."""
        odd = sorted(weights.keys() ^ {tensor.name for tensor in self.manifest.tensors})
        if odd:
            raise MismatchError(f"iteration {iteration}: these tensors are not those of the run: {', '.join(odd)}")
        for tensor in self.manifest.tensors:
            array, storage = weights[tensor.name], word_format(tensor.dtype).storage
            if array.shape != tensor.shape or array.dtype != storage:
                raise MismatchError(
                    f"iteration {iteration}: {tensor.name} has shape {array.shape} and dtype {array.dtype}, "
                    f"but the run holds {tensor.shape} and {storage}"
                )

    def _check_order(self, lot: Sequence[PointWords]) -> None:
        """Raise ArgumentError for points that cannot be written now."""
        if self._closed:
            raise ArgumentError(
                f"the writer of {self._folder} is closed, or failed before iteration {lot[0].iteration}"
            )
        last = -1 if self.iteration is None else self.iteration
        for point in lot:
            if point.iteration <= last:
                raise ArgumentError(f"iteration {point.iteration} does not come after {last}, the last one recorded")
            last = point.iteration

    @property
    def _is_full(self) -> bool:
        """Whether the next point begins a segment."""
        return self._points == self.manifest.recording.segment_length

    def _header(self, point: PointWords, kind: str) -> FrameHeader:
        """Begin the header of a frame."""
        header = FrameHeader(kind, point.iteration, scalars=dict(point.scalars))
        if kind == KEY:
            header.layout, header.previous = self.manifest.layout_checksum, self.iteration
        header.hyperparameters = self._changed(point.hyperparameters, kind)
        return header

    def _changed(self, groups: list[dict[str, Any]] | None, kind: str) -> list[dict[str, Any]] | None:
        """Give the hyper-parameters when the frame must carry them."""
        changed = groups is not None and groups != self._hyperparameters
        if groups is not None and changed:
            self._hyperparameters = copy.deepcopy(groups)
        return self._hyperparameters if changed or kind == KEY else None

    def _encode(self, lot: Sequence[PointWords], headers: list[FrameHeader], payloads: list[Payload]) -> None:
        """Code points block by block."""
        for encoder, *words in zip(self._encoders, *(point.words for point in lot), strict=True):
            coded = iter([encoder.keyframe(words[0])]) if headers[0].kind == KEY else encoder.deltas(words)
            last = encoder is self._encoders[-1]  # nothing overwrites its streams before they are written
            for header, payload, (block, data) in zip(headers, payloads, coded, strict=True):
                header.blocks.append(block)
                (payload.lend if last else payload.add)(data)

    def _gather(self, block: Block, words: list[Words]) -> Words:
        """Copy the words of a block together, until the next block's."""
        gathered = self._scratch.array("gathered", block.size, block.form.word)
        return np.concatenate([words[piece.tensor][piece.source] for piece in block.pieces], out=gathered)

    def _write_lot(self, lot: Sequence[PointWords], frames: list[Iterator[Part]]) -> None:
        """Append frames, several as one; after a failure too the iteration is that of the last one that is whole."""
        if len(frames) == 1:
            self._write(frames[0])
            self._count(lot)
            return
        parts = [list(frame) for frame in frames]
        ends, start = list(accumulate(sum(map(len, frame)) for frame in parts)), self._size()
        try:
            self._write(chain.from_iterable(parts))
        finally:
            self._count(lot[: bisect(ends, self._size() - start)])

    def _size(self) -> int:
        """Bytes of the open segment."""
        return self._file.tell() if self._file is not None else 0

    def _count(self, written: Sequence[PointWords]) -> None:
        """Count points that are committed."""
        if written:
            self.iteration = written[-1].iteration
            self._points += len(written)

    def _write(self, parts: Iterable[Part]) -> None:
        """Append parts to the open segment, small ones together, opening it first when there is none."""
        if self._file is None:
            path = self._folder / SEGMENT_FOLDER / segment_name(self._segments)
            # Unbuffered: what is written has left the process.
            self._file = path.open("xb", buffering=0)
            sync_folder(path.parent)
            parts = chain([SEGMENT_MAGIC], parts)
        waiting: list[Part] = []
        for part in parts:
            waiting.append(part)
            if sum(map(len, waiting)) > _TOGETHER:
                write_all(self._file, waiting)
                waiting.clear()
        write_all(self._file, waiting)

    def _finish_segment(self) -> None:
        """Force the open segment to the disk and close it."""
        if self._file is None:
            return
        file, self._file = self._file, None
        with file:
            os.fsync(file.fileno())
        self._segments += 1
        self._points = 0
