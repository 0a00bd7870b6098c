"""Which pixels of a sweep a de-identified copy keeps: those of the fan, and no writing.

What lies outside of the fan is blacked. Inside of it, in sweeps of ten frames or more, so is what
shines and never changes while tissue moves: writing over the picture. In a still it cannot be told
from tissue.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.sweep import BLACK, SweepVolume

MOVING: Final = 8
"""Grey values by which a pixel has to change to move: lossy compression changes it by as much."""
ALWAYS_BRIGHT: Final = 100
"""What is brighter than this in every frame is writing, however lossy compression makes it flicker:
of ten frames of a real sweep 0.03 % of the fan are so, of twenty none."""
SPECK: Final = 3
"""Pixels: no more than this hang together by chance, and make no letter."""
ENOUGH_FRAMES: Final = 10
"""From so many on, what never changes is no tissue."""
WHOLE_FRAME: Final = 0.97
"""A fan that covers more of the frame than this is none: then nothing was told apart."""


@dataclass(frozen=True)
class BlackedArea:
    """A rectangle in which something bright was blacked.

    Parameters
    ----------
    rows, columns : (int, int)
        From and to, 0-based, half-open.
    frames : int
        In how many frames something was seen there.
    in_fan : bool
        Over the fan, and not beside it.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    frames: int
    in_fan: bool

    def __str__(self) -> str:
        """Where it is, for people."""
        return (
            f"rows {self.rows[0]} to {self.rows[1] - 1}, columns {self.columns[0]} to "
            f"{self.columns[1] - 1}, in {self.frames} of the frames, "
            f"{'over the fan (it never changes)' if self.in_fan else 'beside the fan'}"
        )


@dataclass(frozen=True)
class FanCut:
    """What is kept of every frame.

    Parameters
    ----------
    keep : (H, W) bool
    areas : tuple of BlackedArea
        What was bright and is black in the copy, the largest first.
    brightest : (H, W) uint8
        The brightest value that the copy has at each pixel.
    over_fan : bool
        Writing over the fan was looked for; False of too few frames, or of some that never change,
        in which it cannot be told from tissue and stays.
    """

    keep: NDArray[np.bool_]
    areas: tuple[BlackedArea, ...]
    brightest: NDArray[np.uint8]
    over_fan: bool


def cut_to_fan(sweep: SweepVolume) -> FanCut:
    """Find the fan of a sweep, and what else there is to black; looks at every frame.

    Raises
    ------
    SweepError
        Where no fan is found: all is dark, the picture fills the frame, or what was found does
        not move as tissue does.
    """
    lowest = np.full(sweep.shape[1:], 255, np.uint8)
    highest = np.zeros(sweep.shape[1:], np.uint8)
    seen = np.zeros(sweep.shape[1:], np.int64)
    for frame in sweep.frames:
        pixels = np.asarray(frame)
        if not pixels.any():  # trailing black frames make all move
            continue
        np.minimum(lowest, pixels, out=lowest)
        np.maximum(highest, pixels, out=highest)
        seen += pixels > BLACK
    fan = sweep.field_of_view & _solid(highest > BLACK)
    if not (highest > BLACK).any():
        raise _no_fan("all frames are dark")
    if sweep.field_of_view.mean() > WHOLE_FRAME:
        raise _no_fan("the picture fills the whole frame")
    moving = (highest.astype(int) - lowest) > MOVING
    over_fan = np.zeros_like(fan)
    looked = len(sweep) >= ENOUGH_FRAMES and bool(moving.any())
    if looked:
        if np.count_nonzero(moving & ~fan) > np.count_nonzero(moving & fan):
            raise _no_fan("most of what moves lies beside the largest bright area")
        still = fan & ~moving & (highest > BLACK)
        if np.count_nonzero(still) > 0.5 * np.count_nonzero(fan & (highest > BLACK)):
            raise _no_fan("most of the largest bright area never changes")
        still = _without_specks(still | (fan & (lowest > ALWAYS_BRIGHT)))
        over_fan = scipy.ndimage.binary_dilation(still, iterations=2) & fan
    keep = fan & ~over_fan
    areas = [
        *_areas(~fan & (highest > BLACK), seen, in_fan=False),
        *_areas(over_fan & (highest > BLACK), seen, in_fan=True),
    ]
    areas.sort(key=lambda area: -np.ptp(area.rows) * np.ptp(area.columns))
    return FanCut(keep, tuple(areas), np.where(keep, highest, 0).astype(np.uint8), looked)


def _solid(bright: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest area, without lines: a box around the picture does not hold all in it."""
    cross = scipy.ndimage.generate_binary_structure(2, 1)
    near, thick = (scipy.ndimage.iterate_structure(cross, radius) for radius in (4, 3))
    padded = np.pad(bright, 8)  # closing takes what is beyond the frame for dark
    area = scipy.ndimage.binary_closing(padded, near)
    area = scipy.ndimage.binary_opening(area, thick)
    parts, count = scipy.ndimage.label(area)
    if not count:
        return np.zeros_like(bright)
    largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    whole = scipy.ndimage.binary_fill_holes(largest)
    return np.asarray(scipy.ndimage.binary_dilation(whole, thick)[8:-8, 8:-8], bool)


def _without_specks(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    parts, _ = scipy.ndimage.label(area, np.ones((3, 3), bool))
    large = np.bincount(parts.ravel()) > SPECK
    large[0] = False
    return np.asarray(large[parts], bool)


def _no_fan(why: str) -> SweepError:
    return SweepError(
        f"no fan was found, so that writing in the pixels would stay: {why}; cut the picture to "
        f"the fan elsewhere, or keep all pixels with --keep-pixels"
    )


def _areas(bright: NDArray[np.bool_], seen: NDArray[np.int64], in_fan: bool) -> list[BlackedArea]:
    """Return the rectangles of what is bright; letters of one line are one."""
    near = scipy.ndimage.binary_dilation(bright, np.ones((3, 11), bool))
    parts, _ = scipy.ndimage.label(near, np.ones((3, 3), bool))
    found = []
    for number, place in enumerate(scipy.ndimage.find_objects(parts), start=1):
        own = bright[place] & (parts[place] == number)
        rows, columns = np.nonzero(own)
        top, left = place[0].start, place[1].start
        found.append(
            BlackedArea(
                (int(top + rows.min()), int(top + rows.max()) + 1),
                (int(left + columns.min()), int(left + columns.max()) + 1),
                int(seen[place][own].max()),
                in_fan,
            )
        )
    return found
