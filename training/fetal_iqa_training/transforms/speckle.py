"""Speckle of another grain: old data that looks as if a coarser or a finer probe had seen it."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

_GRAIN = 0.0027, 0.0135
"""Standard deviation of the point spread along rows, as a share of the frame's longer side."""
_WIDER = 1.0, 2.0
"""How many times wider the point spread is across the beam than along it."""
_LEVELS = 20.0, 50.0
"""Grey levels for a change of the echo's amplitude by a factor e: 256 levels over 45 to 110 dB."""
_DARKEST = 1e-3
"""Where the echoes of all scatterers cancel the logarithm stops here."""


def respeckle(frames: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.float32]:
    """Blur each frame and lay fully developed speckle over it, of a grain drawn at random.

    Speckle is the magnitude of a circular complex Gaussian field as fine as the point spread;
    it multiplies the echoes, and so adds to a frame, which shows their logarithm. What is black
    lies outside the field of view and is left out, here and there.

    Parameters
    ----------
    frames : (n, H, W) uint8 array
    random : numpy.random.Generator

    Returns
    -------
    (n, H, W) float32 array
        0 where a frame is black; else 1 or more, not limited to 255.

    References
    ----------
    Wagner, Smith, Sandrik and Lopez, Statistics of speckle in ultrasound B-scans, IEEE
    Transactions on Sonics and Ultrasonics 30 (1983): the amplitude is Rayleigh distributed.
    """
    return np.stack([_respeckled(frame, random) for frame in frames])


def _respeckled(frame: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.float32]:
    grain = random.uniform(*_GRAIN) * max(frame.shape)
    spread = grain, grain * random.uniform(*_WIDER)
    inside = frame > 0
    weight = gaussian_filter(inside.astype(np.float32), grain)
    smooth = gaussian_filter(frame.astype(np.float32), grain) / np.maximum(weight, 1e-3)
    field = np.hypot(*(gaussian_filter(_noise(frame.shape, random), spread) for _ in range(2)))
    field /= np.sqrt(np.mean(field**2))
    speckled = smooth + random.uniform(*_LEVELS) * np.log(field + _DARKEST)
    return np.where(inside, speckled - speckled.min() + 1, 0).astype(np.float32)


def _noise(shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float32]:
    return random.standard_normal(shape, np.float32)
