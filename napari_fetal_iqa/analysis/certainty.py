"""How sure it is that the best frame so far stays the best, while an analysis goes on."""

from dataclasses import dataclass

import numpy as np

from napari_fetal_iqa.analysis.frame_order import LEAST_PROMISE
from napari_fetal_iqa.analysis.promise import promise, worth_of
from napari_fetal_iqa.analysis.result import Analysis

NEAR_FRAMES = 3
"""A frame this near to the final one shows the same plane."""

SHARES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0)
"""Upper ends of the shares of frames analysed that are told apart."""

STAYED: dict[bool, tuple[tuple[float, int], ...]] = {
    False: ((0.67, 6), (2.33, 6), (3.0, 4), (2.0, 3), (5.0, 6), (1.0, 1), (1.0, 1), (0.0, 0)),
    True: ((1.0, 6), (3.33, 6), (5.0, 6), (6.0, 7), (6.0, 7), (6.19, 7), (7.0, 7), (7.0, 7)),
}
"""By whether no frame promises more, and by share: in how many phantom cases the best frame so far
was the final one within 3 frames, and how many there were. From ``python benchmarks/search.py
--calibrate --cases 7``: a case counts by the share of its states there that were right."""


@dataclass(frozen=True)
class Certainty:
    """How often the best frame so far was the final one.

    Parameters
    ----------
    best : int
        The best frame so far.
    share : float
        Of phantom cases that were as far, with one right and one wrong added: never 0 or 1.
    settled : bool
        Whether every frame that promised something beside its neighbours has been analysed.
    """

    best: int
    share: float
    settled: bool

    @property
    def in_ten(self) -> str:
        """The share in words, as ``8 in 10``."""
        return f"{int(10 * self.share)} in 10"

    @property
    def explained(self) -> str:
        """What that means, in a sentence."""
        return (
            f"On simulated sweeps, the best frame at this point of an analysis stayed the best, "
            f"within {NEAR_FRAMES} frames, in {self.in_ten}. On real sweeps it was not measured."
        )


def is_settled(analysis: Analysis) -> bool:
    """Whether no frame that waits promises anything by its neighbours."""
    known = np.flatnonzero(analysis.computed)
    worth = np.full(len(analysis.computed), np.nan)
    worth[known] = worth_of(analysis.results(known), analysis.setup.thresholds)
    return bool(promise(worth, analysis.sweep.bounds).max(initial=0.0) < LEAST_PROMISE)


def place(settled: bool, analysed: float) -> tuple[bool, int]:
    """Return where in :data:`STAYED` a state is counted."""
    return settled, int(np.searchsorted(SHARES, analysed))


def certainty(analysis: Analysis) -> Certainty | None:
    """Say how sure the best frame so far is; None where there is none, or all is analysed."""
    if analysis.computed.all():
        return None
    best = analysis.best_frame()
    if best < 0:
        return None
    settled = is_settled(analysis)
    group, column = place(settled, float(analysis.computed.mean()))
    right, cases = STAYED[group][column]
    return Certainty(best, (right + 1) / (cases + 2), settled)
