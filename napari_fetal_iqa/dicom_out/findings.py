"""What is said of a case in its DICOM report: numbers, the frames behind them, and notes."""

from dataclasses import dataclass
from typing import Final

from napari_fetal_iqa.analysis.files import SIMULATED_NOTICE
from napari_fetal_iqa.geometry.biometry import gestational_age_weeks
from napari_fetal_iqa.growth.charts import GrowthChart, OutOfChartError, Standing
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.growth.weight import WeightEstimate
from napari_fetal_iqa.review.examination.biometry import NamedMeasure
from napari_fetal_iqa.review.examination.examination import Examination
from napari_fetal_iqa.review.plane_criteria import JudgedPlane

Place = tuple[int, int]
"""Which volume of a case, and which frame of it; 0-based."""

DISCLAIMER: Final = "Research software, not a medical device."


@dataclass(frozen=True)
class Findings:
    """The measurement of a case.

    Parameters
    ----------
    circumference_mm : float
    used : tuple of Place
        Frames that made it.
    best : (Place, float) or None
        The frame that is shown, and its own circumference in mm.
    by_expert : bool
    age_from_circumference_days : int or None
        By Hadlock 1984, within its range.
    dating : Dating or None
        The age that somebody entered.
    chart : GrowthChart or None
    standing : Standing or None
        On the chart, by the age that was entered.
    notes : tuple of str
        What a reader has to know beside the numbers.
    measures : tuple of NamedMeasure
        Of head and femur, where an expert drew and named them.
    weights : tuple of WeightEstimate
    """

    circumference_mm: float
    used: tuple[Place, ...]
    best: tuple[Place, float] | None
    by_expert: bool
    age_from_circumference_days: int | None
    dating: Dating | None
    chart: GrowthChart | None
    standing: Standing | None
    notes: tuple[str, ...]
    measures: tuple[NamedMeasure, ...] = ()
    weights: tuple[WeightEstimate, ...] = ()

    @property
    def averaged(self) -> bool:
        """Whether more than one frame made the circumference."""
        return len(self.used) > 1


def findings_of(
    examination: Examination,
    dating: Dating | None = None,
    chart: GrowthChart | None = None,
    models: str = "",
) -> Findings | None:
    """Say what was measured in a case; None where no frame could be measured.

    Parameters
    ----------
    examination : Examination
    dating : Dating, optional
        Age by dates; without it there is no growth rank, for the age that comes from the
        circumference would say nothing of it.
    chart : GrowthChart, optional
    models : str
        Which models outlined it, in words.
    """
    case = examination.circumference
    if case is None:
        return None
    best = next(
        (
            ((one.place[0], one.place[2]), one.measurement.circumference_mm)
            for one in examination.best
            if one.measurement is not None
        ),
        None,
    )
    weeks = gestational_age_weeks(case.circumference_mm)
    notes = [DISCLAIMER]
    if any(volume.sweep.simulated for volume in examination.volumes):
        notes.append(SIMULATED_NOTICE)
    if case.interval_mm is not None:
        low, high = case.interval_mm
        notes.append(f"90 % interval {low:.1f} to {high:.1f} mm; error of {case.error_of}.")
    else:
        notes.append("No interval: the error of these models is not known.")
    notes.append("Outlined by an expert." if case.by_expert else f"Outlined by models: {models}.")
    if case.truncated:
        notes.append(
            f"In {case.truncated} of {len(case.used)} frames a part of the outline lies beyond the "
            f"field of view."
        )
    if left_out := examination.left_without_mm:
        notes.append(f"{left_out}.")
    if examination.plane is not None:
        notes.append(_plane_note(examination.plane))
    standing = None
    if dating is not None and chart is not None:
        try:
            standing = chart.standing(case.circumference_mm, dating.weeks)
        except OutOfChartError as error:
            notes.append(f"No growth rank: {error}.")
    return Findings(
        circumference_mm=case.circumference_mm,
        used=tuple((one.place[0], one.place[2]) for one in case.used),
        best=best,
        by_expert=case.by_expert,
        age_from_circumference_days=None if weeks is None else round(7 * weeks),
        dating=dating,
        chart=chart,
        standing=standing,
        notes=tuple(notes),
        measures=examination.measures,
        weights=examination.weights,
    )


def _plane_note(plane: JudgedPlane) -> str:
    """Say which of the six criteria the frame that is shown meets."""
    met = [one.words.lower() for one, met in plane.verdicts.items() if met]
    computed = [one.words.lower() for one in plane.verdicts if plane.is_computed(one)]
    said = f"Criteria of the plane shown (Salomon 2006): {plane.words}"
    said += f"; met: {', '.join(met)}" if met else ""
    return said + (f"; computed: {', '.join(computed)}." if computed else ".")
