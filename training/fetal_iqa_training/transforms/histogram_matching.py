"""Frames of one scanner in the grey levels of another: old data that looks like new."""

import numpy as np
from numpy.typing import NDArray
from skimage.exposure import match_histograms

_FRAMES = 256
_PIXELS = 4096
"""Of a frame, evenly over it: enough for its 256 grey levels."""


class GreyLevels:
    """The grey levels of a scanner: those of a fair sample of its frames, however many it saw.

    What is black stays black, here and there: it lies outside the field of view.

    Parameters
    ----------
    seed : int
        Of the sample, and of whose grey levels a frame takes.

    References
    ----------
    Histogram matching: Gonzalez and Woods, Digital Image Processing, section 3.3. A fair sample of
    unknown length: Vitter, Random sampling with a reservoir, ACM TOMS 11 (1985), algorithm R.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._seen = 0
        self._sample: list[NDArray[np.uint8]] = []

    def see(self, frames: NDArray[np.uint8]) -> None:
        """Take in frames of the scanner, (n, H, W) uint8; black ones are none."""
        for frame in frames:
            pixels = frame[frame > 0]
            if not len(pixels):
                continue
            pixels = pixels[:: max(1, len(pixels) // _PIXELS)]
            self._seen += 1
            if len(self._sample) < _FRAMES:
                self._sample.append(pixels)
            elif (place := int(self._random.integers(self._seen))) < _FRAMES:
                self._sample[place] = pixels

    def lend(self, frames: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return frames these grey levels, each those of one frame drawn at random.

        Parameters
        ----------
        frames : (n, H, W) array
            At least 0.

        Returns
        -------
        (n, H, W) uint8 array
            The same, limited to 255, where no frame was seen.
        """
        alike = frames.clip(0, 255).astype(np.uint8)
        for frame, lent in zip(frames, alike, strict=True) if self._sample else ():
            inside = frame > 0
            levels = self._sample[self._random.integers(len(self._sample))]
            if inside.any():
                lent[inside] = np.rint(match_histograms(frame[inside], levels)).clip(1, 255)
        return alike
