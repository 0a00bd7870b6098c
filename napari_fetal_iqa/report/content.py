"""What stands in a report, as plain values: no layout, and no name but one that was typed for it.

File names are left out as well, for many hold the patient's name: a sweep is named by its content.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from napari_fetal_iqa.analysis.files import DEMO_NOTICE, NOTICE, SIMULATED_NOTICE
from napari_fetal_iqa.analysis.result import AnalysisSetup
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.geometry.biometry import format_gestational_age, gestational_age_weeks
from napari_fetal_iqa.geometry.caliper import CaliperMeasure
from napari_fetal_iqa.growth.charts import Author, GrowthChart, Measure, OutOfChartError, find_chart
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.growth.weight import WeightEstimate
from napari_fetal_iqa.review.examination.aggregate import CaseCircumference
from napari_fetal_iqa.review.examination.biometry import NamedMeasure
from napari_fetal_iqa.review.examination.earlier import Earlier, EarlierMeasurement
from napari_fetal_iqa.review.examination.examination import BestFrame, Examination
from napari_fetal_iqa.review.plane_criteria import JudgedPlane
from napari_fetal_iqa.version import TOOL_VERSION


@dataclass(frozen=True)
class Entered:
    """What somebody entered for this page.

    Parameters
    ----------
    dating : Dating or None
        Gestational age by dates.
    examined : date or None
        Day of the examination.
    chart : "intergrowth" or "hadlock"
    name : str
        Whose report it is, as typed for this page; kept nowhere else.
    """

    dating: Dating | None = None
    examined: date | None = None
    chart: Author = "intergrowth"
    name: str = ""


@dataclass(frozen=True)
class Growth:
    """Where the circumference lies on a chart.

    Parameters
    ----------
    chart : GrowthChart
    weeks : float or None
        Gestational age by dates; None where none was entered.
    centile, z : float or None
    words : str
        The centile, or why there is none.
    """

    chart: GrowthChart
    weeks: float | None
    centile: float | None
    z: float | None
    words: str


@dataclass(frozen=True)
class RankedMeasure:
    """A measure of the head or the femur, and where it lies on a chart.

    Parameters
    ----------
    found : NamedMeasure
    centile, z : float or None
    words : str
        The centile, or why there is none; empty where no age was entered.
    """

    found: NamedMeasure
    centile: float | None
    z: float | None
    words: str

    @property
    def in_words(self) -> str:
        """Value, centile and origin, as the page says them."""
        parts = [f"{self.found.value_mm:.1f} mm", self.words, self.found.made_of]
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True)
class ReportContent:
    """All that a page says of a case.

    Parameters
    ----------
    examination : Examination
        For the pictures.
    entered : Entered
    made : datetime
        When the report was made, with its time zone.
    reviewer : str
    sweeps : tuple of str
        Content identity of each volume, its first 8 digits.
    circumference : CaseCircumference or None
    best : tuple of BestFrame
        The case's first, then the best of each other sweep.
    growth : Growth
    age_by_ac_weeks : float or None
        Age that a fetus of this circumference has on average (Hadlock 1984); never used for the
        centile.
    labelled, outlined : int
        Frames that the reviewer labelled or outlined.
    setups : tuple of AnalysisSetup
        Of each different pair of models that spoke.
    plane : JudgedPlane or None
        The six criteria of the frame that is shown.
    measures : tuple of RankedMeasure
        Of head and femur, where an expert drew and named them.
    weights : tuple of WeightEstimate
        By each formula that has what it needs.
    earlier : Earlier
        Earlier measurements of the same subject.
    """

    examination: Examination
    entered: Entered
    made: datetime
    reviewer: str
    sweeps: tuple[str, ...]
    circumference: CaseCircumference | None
    best: tuple[BestFrame, ...]
    growth: Growth
    age_by_ac_weeks: float | None
    labelled: int
    outlined: int
    setups: tuple[AnalysisSetup, ...]
    plane: JudgedPlane | None
    measures: tuple[RankedMeasure, ...]
    weights: tuple[WeightEstimate, ...]
    earlier: Earlier = field(default_factory=Earlier)
    version: str = TOOL_VERSION

    @property
    def notices(self) -> tuple[str, ...]:
        """What every reader must know."""
        lines = [NOTICE]
        if any(volume.sweep.simulated for volume in self.examination.volumes):
            lines.append(SIMULATED_NOTICE)
        for setup in self.setups:
            lines += [DEMO_NOTICE] if setup.demo else []
            lines += setup.notices
        return tuple(dict.fromkeys(lines))

    @property
    def value(self) -> str:
        """The circumference in words, or why there is none."""
        if self.circumference is not None:
            return f"{self.circumference.circumference_mm:.1f} mm"
        if self.examination.without_mm:
            return "not measured: the sweep has no spacing in mm"
        return "not measured: no frame shows the abdomen well enough"

    @property
    def interval(self) -> str:
        """The interval in words, or why there is none; empty without a circumference."""
        found = self.circumference
        if found is None:
            return ""
        if found.interval_mm is None:
            return "no interval: these models were never compared with known circumferences"
        low, high = found.interval_mm
        return f"90 % interval {low:.1f} to {high:.1f} mm, by the error of {found.error_of}"

    @property
    def made_of(self) -> str:
        """Which frames made the circumference, and which were left out; empty without one."""
        found = self.circumference
        if found is None:
            return ""
        whose = "outlined or accepted by the reviewer" if found.by_expert else "by the models"
        parts = [f"{counted(len(found.used), 'frame')} in {counted(found.n_runs, 'run')}, {whose}"]
        if found.truncated:
            parts.append(f"outline cut by the field of view in {found.truncated}")
        if found.outliers:
            parts.append(f"left out as outliers: {len(found.outliers)}")
        if found.flashes:
            parts.append(f"left out as single flashes: {len(found.flashes)}")
        if left_out := self.examination.left_without_mm:
            parts.append(left_out)
        return "; ".join(parts)

    @property
    def charted(self) -> tuple[EarlierMeasurement, ...]:
        """The earlier measurements whose age the chart was made for."""
        youngest, oldest = self.growth.chart.weeks
        return tuple(one for one in self.earlier.measured if youngest <= one.weeks <= oldest)

    @property
    def earlier_words(self) -> str:
        """What is known of earlier measurements; empty where no other sweep is of the subject."""
        beyond = len(self.earlier.measured) - len(self.charted)
        words = self.earlier.words
        return f"{words}; {beyond} outside the chart's ages, not drawn" if beyond else words

    @property
    def age_by_ac(self) -> str:
        """The age by the circumference in words, or why there is none."""
        if self.circumference is None:
            return ""
        if self.age_by_ac_weeks is None:
            return "age by this circumference: outside 14 to 42 weeks (Hadlock 1984)"
        age = format_gestational_age(self.age_by_ac_weeks)
        return f"age by this circumference: {age} (Hadlock 1984), not used for the centile"

    @property
    def corrected(self) -> str:
        """What the reviewer corrected, in words."""
        if not self.labelled and not self.outlined:
            return "nothing: every frame is as the models left it"
        labelled = f"{counted(self.labelled, 'frame')} labelled"
        return f"{labelled}, {counted(self.outlined, 'frame')} outlined"


def where(best: BestFrame, examination: Examination) -> str:
    """Say which frame it is, as the window does: sweeps from 1, frames from 0."""
    number, sweep, frame = best.place
    first = sum(len(volume.sweep.bounds) for volume in examination.volumes[:number])
    start, _ = examination.volumes[number].sweep.bounds[sweep]
    return f"sweep {first + sweep + 1}, frame {frame - start}"


def report_content(
    examination: Examination,
    reviewer: str,
    made: datetime,
    entered: Entered | None = None,
    earlier: Earlier | None = None,
) -> ReportContent:
    """Gather what a page says of a case.

    Parameters
    ----------
    examination : Examination
    reviewer : str
        Whose corrections count.
    made : datetime
        With its time zone.
    entered : Entered, optional
        Dates and a name typed for this page.
    earlier : Earlier, optional
        Earlier measurements of the same subject.
    """
    entered = entered or Entered()
    circumference = examination.circumference
    corrections = [one for volume in examination.volumes for one in volume.corrections().values()]
    return ReportContent(
        examination=examination,
        entered=entered,
        made=made,
        reviewer=reviewer,
        sweeps=tuple(volume.sweep.identity[:8] for volume in examination.volumes),
        circumference=circumference,
        best=examination.best,
        growth=_growth(circumference, entered),
        age_by_ac_weeks=(
            gestational_age_weeks(circumference.circumference_mm) if circumference else None
        ),
        labelled=sum(one.label is not None for one in corrections),
        outlined=sum(one.mask is not None for one in corrections),
        setups=_setups(examination),
        plane=examination.plane,
        measures=tuple(_ranked(one, entered) for one in examination.measures),
        weights=examination.weights,
        earlier=earlier or Earlier(),
    )


_CHARTED: dict[CaliperMeasure, Measure] = {
    CaliperMeasure.HC: "HC",
    CaliperMeasure.BPD: "BPD",
    CaliperMeasure.OFD: "OFD",
}


def _ranked(found: NamedMeasure, entered: Entered) -> RankedMeasure:
    weeks = entered.dating.weeks if entered.dating else None
    if weeks is None or found.measure not in _CHARTED:  # no chart of the femur is at hand
        return RankedMeasure(found, None, None, "")
    chart = find_chart(_CHARTED[found.measure], entered.chart)
    if chart is None:
        return RankedMeasure(found, None, None, f"no chart of {found.measure} by this author")
    try:
        standing = chart.standing(found.value_mm, weeks)
    except OutOfChartError as error:
        return RankedMeasure(found, None, None, f"no centile: {error}")
    words = f"{standing}, z {standing.z:+.2f} ({chart.title})"
    return RankedMeasure(found, standing.centile, standing.z, words)


def _growth(circumference: CaseCircumference | None, entered: Entered) -> Growth:
    chart = find_chart("AC", entered.chart)
    assert chart is not None  # both authors have one
    weeks = entered.dating.weeks if entered.dating else None
    if circumference is None:
        return Growth(chart, weeks, None, None, "")
    if weeks is None:
        return Growth(chart, None, None, None, "no centile: the age by dates was not entered")
    try:
        standing = chart.standing(circumference.circumference_mm, weeks)
    except OutOfChartError as error:
        return Growth(chart, weeks, None, None, f"no centile: {error}")
    words = f"{standing}, z {standing.z:+.2f} ({chart.title})"
    return Growth(chart, weeks, standing.centile, standing.z, words)


def _setups(examination: Examination) -> tuple[AnalysisSetup, ...]:
    setups: Sequence[AnalysisSetup] = [
        volume.analysis.setup for volume in examination.volumes if volume.analysis
    ]
    return tuple({setup.models: setup for setup in setups}.values())
