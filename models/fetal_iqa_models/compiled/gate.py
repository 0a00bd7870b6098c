"""What a graph of less precision must keep of the float32 one before it is used; torch-free."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

LEAST_AGREEMENT = 0.995
"""Share of the frames whose label stays."""
LEAST_DICE = 0.99
"""Mean over the frames that either outlines."""
LARGEST_MEDIAN_AC_MM = 0.5
LARGEST_95TH_AC_MM = 2.0
LARGEST_CALIBRATION_CHANGE = 0.005

FEWEST_FRAMES = 200
"""Of fewer, one whose label changes is more than what may change."""
FEWEST_OF_A_KIND = 10
"""Frames with and without the abdomen, by the float32 graph: one kind alone shows nothing."""

_BINS = 10


class GateFigures(BaseModel):
    """How far a graph of less precision says on held-out frames what the float32 one says.

    Parameters
    ----------
    frames : int
        That were compared; none of them calibrated the graph.
    positive : int
        Those of them that show the abdomen, by the float32 graph.
    label_agreement : float
    calibration_change : float or None
        The most by which the expected calibration error can have changed, whatever the labels:
        the distance of the two mean probabilities in each bin, weighted by its frames. None
        of a SEG model.
    dice : float or None
        None of a CLS model, as are the two below.
    ac_median_mm, ac_95th_mm : float or None
        Of the absolute differences; None, too, where the sweeps have no spacing.
    measured : int
        Frames whose circumference both gave.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    frames: int
    positive: int
    label_agreement: float
    calibration_change: float | None = None
    dice: float | None = None
    ac_median_mm: float | None = None
    ac_95th_mm: float | None = None
    measured: int = 0

    @property
    def passed(self) -> bool:
        """Whether the graph may be used."""
        return not any(self.failures())

    def failures(self) -> Iterator[str]:
        """Say what does not suffice, each in some words."""
        if self.frames < FEWEST_FRAMES:
            yield f"{self.frames} frames are too few, {FEWEST_FRAMES} are needed"
        rarer = min(self.positive, self.frames - self.positive)
        if rarer < FEWEST_OF_A_KIND:
            yield f"{rarer} frames of the rarer label are too few, {FEWEST_OF_A_KIND} are needed"
        if not self.label_agreement >= LEAST_AGREEMENT:
            yield f"label agreement {self.label_agreement:.4f} below {LEAST_AGREEMENT}"
        if self.calibration_change is not None:
            yield from _above(
                "change of calibration", self.calibration_change, LARGEST_CALIBRATION_CHANGE
            )
        if self.dice is None:
            if self.calibration_change is None:
                yield "nothing was outlined"
            return
        if not self.dice >= LEAST_DICE:
            yield f"Dice {self.dice:.4f} below {LEAST_DICE}"
        if self.measured < FEWEST_OF_A_KIND or self.ac_median_mm is None or self.ac_95th_mm is None:
            yield f"{self.measured} circumferences are too few, {FEWEST_OF_A_KIND} are needed"
            return
        yield from _above("AC difference at the median", self.ac_median_mm, LARGEST_MEDIAN_AC_MM)
        yield from _above("AC difference at the 95th", self.ac_95th_mm, LARGEST_95TH_AC_MM)

    def in_words(self) -> str:
        """Say the figures in one line."""
        said = [f"{self.frames} frames", f"label agreement {self.label_agreement:.4f}"]
        if self.calibration_change is not None:
            said.append(f"change of calibration {self.calibration_change:.4f}")
        if self.dice is not None:
            said.append(f"Dice {self.dice:.4f}")
        if self.ac_median_mm is not None and self.ac_95th_mm is not None:
            said.append(f"AC {self.ac_median_mm:.2f} mm median, {self.ac_95th_mm:.2f} mm 95th")
        return ", ".join(said)


def _above(what: str, found: float, largest: float) -> Iterator[str]:
    if not found <= largest:
        yield f"{what} {found:.4g} above {largest}"


def compared_scores(
    reference: NDArray[np.floating], other: NDArray[np.floating], threshold: float
) -> GateFigures:
    """Compare the probabilities of two graphs of one CLS model, (n,) each."""
    labels = reference > threshold
    return GateFigures(
        frames=len(reference),
        positive=int(labels.sum()),
        label_agreement=float(np.mean(labels == (other > threshold))),
        calibration_change=_calibration_change(reference, other),
    )


def compared_outlines(
    reference: tuple[NDArray[np.floating], NDArray[np.float64]],
    other: tuple[NDArray[np.floating], NDArray[np.float64]],
    dice: NDArray[np.float64],
    threshold: float,
) -> GateFigures:
    """Compare the outlines of two graphs of one SEG model.

    Parameters
    ----------
    reference, other : ((n,) array, (n,) array)
        Area fractions, and circumferences in mm, nan where there is none.
    dice : (n,) array
        Between the two masks of each frame; nan where both are empty.
    threshold : float
        The area fraction from which on a frame counts.
    """
    labels = reference[0] >= threshold
    outlined = dice[~np.isnan(dice)]
    # a mask that only one of them gives has a Dice of 0; a circumference takes both
    differences = np.abs(reference[1] - other[1])[labels]
    differences = differences[~np.isnan(differences)]
    return GateFigures(
        frames=len(dice),
        positive=int(labels.sum()),
        label_agreement=float(np.mean(labels == (other[0] >= threshold))),
        dice=float(outlined.mean()) if len(outlined) else None,
        ac_median_mm=float(np.median(differences)) if len(differences) else None,
        ac_95th_mm=float(np.quantile(differences, 0.95)) if len(differences) else None,
        measured=len(differences),
    )


def _calibration_change(reference: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    bins = np.minimum((other * _BINS).astype(int), _BINS - 1)
    apart = np.bincount(bins, (other - reference).astype(np.float64), _BINS)
    return float(np.abs(apart).sum() / len(other))
