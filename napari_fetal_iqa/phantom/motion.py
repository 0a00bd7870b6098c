"""Slow, smooth motion over the frames of a sweep: a novice's hand, a fetus that drifts."""

import numpy as np


class Drift:
    """A smooth random function of the frame: three slow waves round a mean.

    The fastest wave turns once in 45 frames.

    Parameters
    ----------
    rng : Generator
    mean, spread : float
        Level and standard deviation.
    """

    def __init__(self, rng: np.random.Generator, mean: float, spread: float) -> None:
        self.mean = float(mean)
        self._rate = rng.uniform(0.3, 1.0, 3) * 2 * np.pi / 45
        self._phase = rng.uniform(0, 2 * np.pi, 3)
        self._weight = rng.normal(0, spread * np.sqrt(2 / 3), 3)

    def at(self, frame: float) -> float:
        """Value at a frame."""
        return self.mean + float(self._weight @ np.sin(self._rate * frame + self._phase))
