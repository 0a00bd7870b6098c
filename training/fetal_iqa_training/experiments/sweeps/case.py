"""One case of blind sweeps: what the models predict of its frames, and what is true."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.analysis.result import Thresholds

FrameRanges = Sequence[tuple[int, int]]


class ChooseFrame(Protocol):
    """The rule that chooses the frame to measure."""

    def __call__(
        self,
        score: NDArray[np.floating],
        positive: NDArray[np.bool_],
        bounds: FrameRanges,
        smoothing_frames: float,
    ) -> int:
        """Return a 0-based frame within the bounds, or -1 where none is positive.

        Parameters
        ----------
        score : (T,) float
            Of each frame; nan where not computed.
        positive : (T,) bool
        bounds : sequence of (start, stop)
            Frame range of each sweep that was done, one at least; others are not looked at.
        smoothing_frames : float
            Standard deviation of the Gaussian along time; 0 for none.
        """


@dataclass(frozen=True)
class AcError:
    """Absolute error of an abdominal circumference, in mm and in percent of the reference."""

    mm: float
    percent: float


@dataclass(frozen=True, eq=False)
class SweepCase:
    """The frames of one case, in the order in which they were recorded.

    Parameters
    ----------
    name : str
    quality : (T,) float, or None
        CLS probability, nan where not computed; None without a classifier.
    area_fraction : (T,) float, or None
        Share of the padded square that the mask covers; None without a segmenter.
    ac_mm : (T,) float
        Abdominal circumference of the model's mask; nan where there is none.
    labels : (T,) int
        The truth: 0 not annotated, 1 optimal, 2 suboptimal plane.
    sweep : (T,) int
        Which sweep each frame belongs to, from 0 and never falling.
    reference_ac_mm : (S,) float
        Of each sweep, by an expert; nan where not annotated.
    subject : str, optional
        Whose case it is; several may be one subject's.

    Raises
    ------
    ValueError
        Where these do not belong together.
    """

    name: str
    quality: NDArray[np.floating] | None
    area_fraction: NDArray[np.floating] | None
    ac_mm: NDArray[np.floating]
    labels: NDArray[np.integer]
    sweep: NDArray[np.integer]
    reference_ac_mm: NDArray[np.floating]
    subject: str | None = None

    def __post_init__(self) -> None:
        scores = [part for part in (self.quality, self.area_fraction) if part is not None]
        if not scores:
            raise ValueError(
                f"{self.name}: expected a quality or an area of each frame, found none"
            )
        lengths = {len(part) for part in (*scores, self.ac_mm, self.labels, self.sweep)}
        if len(lengths) != 1:
            raise ValueError(f"{self.name}: expected one of each a frame, found lengths {lengths}")
        numbers = np.unique(self.sweep)
        if (np.diff(self.sweep) < 0).any() or not np.isin(numbers, range(self.n_sweeps)).all():
            raise ValueError(
                f"{self.name}: expected frames in the order of {self.n_sweeps} sweeps, "
                f"found sweeps {numbers.tolist()}"
            )

    @property
    def unit(self) -> str:
        """What intervals resample: the subject, else the case."""
        return f"case {self.name}" if self.subject is None else f"subject {self.subject}"

    @property
    def n_sweeps(self) -> int:
        """Sweeps of the case, those without a frame among them."""
        return len(self.reference_ac_mm)

    @property
    def bounds(self) -> tuple[tuple[int, int], ...]:
        """Half-open frame range of each sweep."""
        edges = np.searchsorted(self.sweep, np.arange(self.n_sweeps + 1)).tolist()
        return tuple(pairwise(edges))

    @property
    def score(self) -> NDArray[np.float32]:
        """(T,) float32: the quality where there is a classifier, else the area."""
        score = self.area_fraction if self.quality is None else self.quality
        return np.asarray(score, np.float32)

    def positive(self, thresholds: Thresholds) -> NDArray[np.bool_]:
        """(T,) bool: where every model there is finds the abdomen; never where it is nan.

        Compared in float32, as the networks give their scores.
        """
        found = np.ones(len(self.labels), bool)
        if self.quality is not None:
            found &= np.asarray(self.quality, np.float32) > np.float32(thresholds.quality)
        if self.area_fraction is not None:
            found &= np.asarray(self.area_fraction, np.float32) >= np.float32(thresholds.area)
        return found

    def choose(
        self,
        choose: ChooseFrame,
        thresholds: Thresholds,
        smoothing_frames: float,
        sweeps: Sequence[int] | None = None,
    ) -> int:
        """Return the frame that would be measured after some of the sweeps; -1 for none.

        The sweeps that were done are handed over as they were recorded, in whatever order they were
        done: the choice depends on which they are, and not on their order.
        """
        bounds = self.bounds
        done = range(self.n_sweeps) if sweeps is None else sorted(sweeps)
        filled = [bounds[number] for number in done if bounds[number][1] > bounds[number][0]]
        if not filled:
            return -1
        return choose(self.score, self.positive(thresholds), filled, smoothing_frames)

    def frames_off(self, frame: int) -> float:
        """Distance to the nearest annotated frame of the same sweep; inf where there is none."""
        if frame < 0:
            return np.inf
        annotated = np.flatnonzero((self.labels > 0) & (self.sweep == self.sweep[frame]))
        return float(np.abs(annotated - frame).min()) if len(annotated) else np.inf

    def ac_error(self, frame: int) -> AcError | None:
        """Return how wrong a frame's circumference is against its sweep's reference.

        None where no frame is chosen, it has no circumference, or its sweep is not annotated.
        """
        if frame < 0:
            return None
        reference = float(self.reference_ac_mm[self.sweep[frame]])
        error = abs(float(self.ac_mm[frame]) - reference)
        if not np.isfinite(error) or reference <= 0:
            return None
        return AcError(error, 100 * error / reference)
