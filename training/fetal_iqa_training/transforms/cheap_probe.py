"""What makes a hospital scanner's image look like a blind sweep's: another fan, gain, blur, shadow.

Standard planes are clean, bright and framed by a sonographer. A cheap probe that a novice moves
sees less: its fan cuts the abdomen elsewhere, deep echoes are dim and blurred, bowel gas and bone
cast shadows, single elements fail. Every choice is drawn from the generator that the caller seeds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from fetal_iqa_training.transforms.augmentation import Augmentation
from fetal_iqa_training.transforms.speckle import respeckle

_LEAST_SEEN = 0.75
"""Of an outlined abdomen; a fan that would show less of it is not laid over the frame."""

_PLACE = Augmentation(
    brightness=0.3,
    contrast=0.3,
    clahe_probability=0.2,
    shift=0.15,
    rotation_deg=30.0,
    magnification=1.5,
)
_FloatFrame = NDArray[np.float32]


@dataclass(frozen=True)
class CheapProbe:
    """Degrade a frame, then move, turn and magnify it; its mask follows.

    Parameters
    ----------
    place : Augmentation
        Of light and place, applied last.
    fan, gain, blur, shadows, dropout, speckle, flip : float
        Probability of each.
    """

    place: Augmentation = _PLACE
    fan: float = 0.5
    gain: float = 0.7
    blur: float = 0.5
    shadows: float = 0.4
    dropout: float = 0.2
    speckle: float = 0.25
    flip: float = 0.5

    def __call__(
        self, frame: NDArray[np.uint8], mask: NDArray[np.bool_], seed: int
    ) -> tuple[Tensor, Tensor]:
        """Make one copy.

        Parameters
        ----------
        frame : (S, S) uint8 array
        mask : (S, S) bool array
        seed : int
            The same seed makes the same copy.

        Returns
        -------
        frame : (S, S) uint8 tensor
        mask : (S, S) bool tensor
            Clipped to the new fan, as masks of sweeps are.
        """
        random = np.random.default_rng(seed)
        wanted = random.random(7) < (
            self.flip, self.speckle, self.gain, self.blur, self.shadows, self.dropout, self.fan,
        )  # fmt: skip
        flip, speckle, gain, blur, shadows, dropout, fan = wanted
        if flip:
            frame, mask = frame[:, ::-1], mask[:, ::-1]
        inside = frame > 0
        shown = _respeckled(frame, random) if speckle else frame.astype(np.float32)
        beams = _Beams(frame.shape[0], random)
        if gain:
            shown = _gain(shown, beams, random)
        if blur:
            shown = _blur(shown, beams, random)
        if shadows:
            shown *= beams.shadow(random)
        if dropout:
            shown *= beams.dropout(random)
        shown = np.where(inside, shown, 0)
        if fan:
            seen = beams.fan(random)
            if mask[seen].sum() >= _LEAST_SEEN * mask.sum():
                shown, mask = shown * seen, mask & seen
        degraded = np.rint(np.clip(shown, 0, 255)).astype(np.uint8)
        return self.place(degraded, np.ascontiguousarray(mask), int(random.integers(2**63)))


class _Beams:
    """Where each pixel lies in the fan of a probe above the frame: its depth and its beam."""

    def __init__(self, side: int, random: np.random.Generator) -> None:
        columns = np.arange(side, dtype=np.float32)[None] / side
        rows = columns.T
        apex = random.uniform(-0.5, -0.1)
        across = columns - random.uniform(0.4, 0.6)
        self.angle = np.arctan2(across, rows - apex).astype(np.float32)
        distance = np.hypot(across, rows - apex).astype(np.float32)
        self.depth = np.clip(distance + apex, 0, 1.2)

    def shadow(self, random: np.random.Generator) -> _FloatFrame:
        """Dark wedges with soft edges that begin at some depth."""
        left = np.ones_like(self.depth)
        for _ in range(random.integers(1, 4)):
            middle, width = random.uniform(-0.5, 0.5), random.uniform(0.02, 0.12)
            start, strength = random.uniform(0, 0.7), random.uniform(0.3, 0.95)
            wedge = np.exp(-(((self.angle - middle) / width) ** 2))
            below = 1 / (1 + np.exp(-(self.depth - start) / 0.03))
            left *= 1 - strength * wedge * below
        return left

    def dropout(self, random: np.random.Generator) -> _FloatFrame:
        """Thin dark beams from the top on: elements that fail or have lost the skin."""
        left = np.ones_like(self.depth)
        for _ in range(random.integers(1, 7)):
            middle, width = random.uniform(-0.6, 0.6), random.uniform(0.004, 0.02)
            left *= 1 - random.uniform(0.3, 0.9) * (np.abs(self.angle - middle) < width)
        return left

    def fan(self, random: np.random.Generator) -> NDArray[np.bool_]:
        """A narrower fan, which ends at some depth."""
        half, deepest = random.uniform(0.45, 0.75), random.uniform(0.75, 1.1)
        return (np.abs(self.angle) < half) & (self.depth < deepest)


def _respeckled(frame: NDArray[np.uint8], random: np.random.Generator) -> _FloatFrame:
    """Speckle of another grain, as bright on the whole as the frame was."""
    speckled = respeckle(frame[None], random)[0]
    return np.asarray(speckled * (frame.mean() / max(speckled.mean(), 1.0)), np.float32)


def _gain(shown: _FloatFrame, beams: _Beams, random: np.random.Generator) -> _FloatFrame:
    """Another curve of grey levels, and a gain that rises or falls with depth."""
    curve = 255 * (np.clip(shown, 0, 255) / 255) ** random.uniform(0.6, 1.8)
    return np.asarray(curve * (random.uniform(0.7, 1.2) + random.uniform(-0.5, 0.3) * beams.depth))


def _blur(shown: _FloatFrame, beams: _Beams, random: np.random.Generator) -> _FloatFrame:
    """A point spread that widens with depth, more across the beams than along them."""
    along = random.uniform(0.002, 0.01) * shown.shape[0]
    blurred = gaussian_filter(shown, (along, along * random.uniform(1, 2.5)))
    share = np.clip(random.uniform(0.2, 1) + beams.depth - 0.5, 0, 1)
    return np.asarray(shown + share * (blurred - shown))
