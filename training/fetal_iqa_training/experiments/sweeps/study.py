"""What blind sweeps are for: whether they bring a frame that can be measured, and how soon.

Over whole cases: how the chance that the chosen frame is a good one grows with the sweeps done, how
many sweeps a search takes that stops there, how near the chosen frame is to an annotated one, how
wrong its circumference is, and what smoothing the scores along time changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.bootstrap import FEWEST_CASES
from fetal_iqa_training.experiments.sweeps.case import ChooseFrame, SweepCase, Thresholds
from fetal_iqa_training.experiments.sweeps.smoothing import (
    Smoothing,
    chosen_frames_over_smoothing,
)
from fetal_iqa_training.experiments.sweeps.success import Success, success_over_sweeps

SMOOTHING_FRAMES = 2.0
"""Of the best-frame rule as it is in use."""
WIDTHS: Final = (0.0, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class SweepStudy:
    """What blind sweeps bring, over whole cases.

    Parameters
    ----------
    cases : int
    thresholds : Thresholds
    smoothing_frames : float
        With which the successes were found.
    success : tuple of Success
        One a goal.
    smoothing : tuple of Smoothing
        One a width.
    unit : str
        What intervals resample: subjects, or cases where none is known.
    units : int
        How many; of fewer than five there is no interval.
    """

    cases: int
    thresholds: Thresholds
    smoothing_frames: float
    success: tuple[Success, ...]
    smoothing: tuple[Smoothing, ...]
    unit: str = "cases"
    units: int = 0

    @property
    def resampled(self) -> str:
        """What the intervals resample, in words; or that there are none."""
        few = ": too few to tell, so there are no intervals"
        return f"{self.unit} ({self.units}{few if self.units < FEWEST_CASES else ''})"

    def success_rows(self) -> list[dict[str, str | float | None]]:
        """One row a goal and number of sweeps: each share with its interval."""
        return [
            {"goal": success.goal, "sweeps": number + 1}
            | {
                column: value
                for name, curve in success.curves.items()
                for column, value in curve[number].as_row(name).items()
            }
            for success in self.success
            for number in range(len(success.usual))
        ]

    def smoothing_rows(self) -> list[dict[str, float | None]]:
        """One row a width: each metric with its interval."""
        rows: list[dict[str, float | None]] = []
        for row in self.smoothing:
            rows.append(
                {"smoothing_frames": row.frames, "chosen": row.chosen, "measured": row.measured}
            )
            for name, found in row.estimates.items():
                rows[-1].update(found.as_row(name))
        return rows

    def as_json(self) -> dict[str, JsonValue]:
        """Return everything; None where a metric or its interval is not known."""
        return {
            "cases": self.cases,
            "units": {
                "unit": self.unit,
                "count": self.units,
                "enough": self.units >= FEWEST_CASES,
            },
            "quality_threshold": self.thresholds.quality,
            "area_threshold": self.thresholds.area,
            "smoothing_frames": self.smoothing_frames,
            "success": {success.goal: success.as_json() for success in self.success},
            "smoothing": [
                {"smoothing_frames": row.frames, "chosen": row.chosen, "measured": row.measured}
                | {name: found.as_json() for name, found in row.estimates.items()}
                for row in self.smoothing
            ],
        }


def study_sweeps(
    cases: Sequence[SweepCase],
    choose: ChooseFrame,
    thresholds: Thresholds | None = None,
    smoothing_frames: float = SMOOTHING_FRAMES,
    widths: Sequence[float] = WIDTHS,
    seed: int = 0,
) -> SweepStudy:
    """Find out how soon sweeps bring a good frame, and how good the chosen one is.

    Frames of sweeps that nobody annotated count as not annotated, and their circumferences are not
    judged.

    Parameters
    ----------
    cases : sequence of SweepCase
    choose : callable
        The best-frame rule.
    thresholds : Thresholds, optional
        From when on a frame is positive; by default the paper's.
    smoothing_frames : float
        For the successes over the sweeps done.
    widths : sequence of float
        To compare, the first with all.
    seed : int
        Of the resamples of subjects, or of cases whose subject is unknown, for the 95 % intervals.

    Returns
    -------
    SweepStudy

    Raises
    ------
    TrainingError
        Where no case has an annotated frame.
    ValueError
        Where a case has more than 12 sweeps.
    """
    if not any((case.labels > 0).any() for case in cases):
        raise TrainingError(
            "no case has an annotated frame to find; choose data with masks of the abdomen"
        )
    limits = thresholds or Thresholds()
    return SweepStudy(
        len(cases),
        limits,
        smoothing_frames,
        success_over_sweeps(cases, choose, limits, smoothing_frames, seed),
        chosen_frames_over_smoothing(cases, choose, limits, widths, seed),
        "cases" if all(case.subject is None for case in cases) else "subjects",
        len({case.unit for case in cases}),
    )
