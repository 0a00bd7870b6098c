"""Frames that need no network of their own: black ones, and those that are there twice."""

import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.analysis.result import NO_PLANE, AnalysisSetup, FrameResults
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.sweep import SweepVolume


@dataclass(frozen=True, eq=False)
class Repeats:
    """Which frames of a sweep repeat another.

    Parameters
    ----------
    black : (T,) bool
        Frames that are 0 everywhere.
    first : (T,) int
        For each frame the first that has the same pixels: most often itself.
    """

    black: NDArray[np.bool_]
    first: NDArray[np.int64]


_FOUND: WeakKeyDictionary[SweepVolume, Repeats] = WeakKeyDictionary()


def find_repeats(sweep: SweepVolume) -> Repeats:
    """Find the black frames and the repeated ones; equal checksums are verified pixel by pixel.

    A sweep is read for it once.
    """
    if sweep not in _FOUND:
        _FOUND[sweep] = _find(sweep)
    return _FOUND[sweep]


def _find(sweep: SweepVolume) -> Repeats:
    n_frames = len(sweep)
    black = np.zeros(n_frames, bool)
    first = np.arange(n_frames)
    checksum_of_black = zlib.crc32(bytes(sweep.shape[1] * sweep.shape[2]))
    alike: dict[int, list[int]] = defaultdict(list)  # more than one where checksums collide
    for frame in range(n_frames):
        checksum = sweep.sums[frame] if sweep.sums else _checksum(sweep, frame)
        if checksum == checksum_of_black and not np.any(sweep.frames[frame]):
            black[frame] = True
            continue
        known = alike[checksum]
        for earlier in known:
            if np.array_equal(sweep.frames[frame], sweep.frames[earlier]):
                first[frame] = earlier
                break
        else:
            known.append(frame)
    if black.any():
        first[black] = int(black.argmax())
    return Repeats(black, first)


def _checksum(sweep: SweepVolume, frame: int) -> int:
    return zlib.crc32(np.ascontiguousarray(sweep.frames[frame]).data)


class OnceEach:
    """Of the frames that are wanted, those that must be computed; the others' results from them.

    Parameters
    ----------
    sweep : SweepVolume
    wanted : sequence of int
        In the order wanted.

    Attributes
    ----------
    own : list of int
        Frames to compute, in that order: neither black nor like one before.
    others : list of int
        The rest.
    """

    def __init__(self, sweep: SweepVolume, wanted: Sequence[int]) -> None:
        repeats = find_repeats(sweep)
        self.own: list[int] = []
        self.others: list[int] = []
        self._shape = sweep.shape[1:]
        self._black = [frame for frame in wanted if repeats.black[frame]]
        self._copies: dict[int, list[int]] = defaultdict(list)
        taken: dict[int, int] = {}
        for frame in wanted:
            if repeats.black[frame]:
                self.others.append(frame)
            elif (own := taken.setdefault(int(repeats.first[frame]), frame)) == frame:
                self.own.append(frame)
            else:
                self._copies[own].append(frame)
                self.others.append(frame)

    def black_results(self, setup: AnalysisSetup) -> FrameResults | None:
        """Return what is stated of the black frames: quality and area 0, an empty mask, no plane.

        None where there are no black frames.
        """
        count = len(self._black)
        if not count:
            return None
        nothing = np.zeros(count, np.float32)
        empty = encode_mask(np.zeros(self._shape, bool))
        return FrameResults(
            frames=np.array(self._black),
            quality=nothing if setup.cls_model else None,
            area_fraction=nothing if setup.seg_model else None,
            masks=(empty,) * count if setup.seg_model else None,
            ac_mm=np.full(count, np.nan),
            non_black=np.zeros(count, bool),
            seconds={},
            plane=np.full(count, NO_PLANE) if setup.planes else None,
        )

    def with_copies(self, results: FrameResults) -> FrameResults:
        """Return results and, behind them, the same ones for the frames of the same pixels."""
        rows, frames = [], []
        for row, frame in enumerate(results.frames.tolist()):
            copies = self._copies.get(frame, [])
            rows += [row] * len(copies)
            frames += copies
        if not frames:
            return results
        every = np.concatenate([np.arange(len(results.frames)), np.array(rows, np.intp)])
        masks = results.masks
        return replace(
            results,
            frames=np.concatenate([results.frames, np.array(frames, np.int64)]),
            quality=_rows(results.quality, every),
            area_fraction=_rows(results.area_fraction, every),
            masks=None if masks is None else tuple(masks[row] for row in every),
            ac_mm=results.ac_mm[every],
            non_black=results.non_black[every],
            plane=_rows(results.plane, every),
        )


def _rows(values: NDArray | None, rows: NDArray[np.intp]) -> NDArray | None:
    return None if values is None else values[rows]
