"""Earlier measurements of the same subject, for the growth chart of a case.

The user ties them: sweeps belong together where the worklist names one subject for them. No date
is kept of anybody, so what is earlier is told by the ages by dates that were entered with the
reviews, and sweeps of one age are one examination. An age that was computed from a circumference
is never taken.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_fetal_iqa.analysis import cache
from napari_fetal_iqa.analysis.result import Analysis, AnalysisSetup, Thresholds
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.geometry.biometry import format_gestational_age
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.review.examination.aggregate import CaseCircumference
from napari_fetal_iqa.review.examination.examination import Examination
from napari_fetal_iqa.review.reviewed_frames import ReviewedFrames
from napari_fetal_iqa.storage.known_sweeps import KnownSweep, KnownSweeps

if TYPE_CHECKING:
    from napari_fetal_iqa.sweep import SweepVolume

NO_AGE = "without an age by dates"
NO_AGE_HERE = "none is known to be earlier, as this case has no age by dates"
NOT_EARLIER = "of this age or later"
UNKNOWN = "not opened on this machine"
NOT_MEASURED = "neither measured by the reviewer nor analysed by the models of this case"
NO_FRAME = "without a frame to measure"
SEVERAL = "the sweeps of this case are of several subjects"


@dataclass(frozen=True)
class EarlierMeasurement:
    """The circumference of an earlier examination.

    Parameters
    ----------
    days : int
        Gestational age by dates, as entered with its review.
    circumference : CaseCircumference
    sweeps : int
        Sweep files that it is made of.
    """

    days: int
    circumference: CaseCircumference
    sweeps: int

    @property
    def weeks(self) -> float:
        """Exact weeks."""
        return self.days / 7

    def __str__(self) -> str:
        """Say age, value and whose it is."""
        found = self.circumference
        whose = "by the reviewer" if found.by_expert else "by the models"
        age = format_gestational_age(self.weeks)
        return f"{age} {found.circumference_mm:.1f} mm {whose}"


@dataclass(frozen=True)
class Earlier:
    """The earlier measurements of a case's subject.

    Parameters
    ----------
    measured : tuple of EarlierMeasurement
        The youngest age first.
    left_out : tuple of (str, int)
        Why sweep files of the subject are not shown, and how many.
    note : str
        Why nothing at all is shown; empty where something may be.
    """

    measured: tuple[EarlierMeasurement, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    note: str = ""

    @property
    def words(self) -> str:
        """What is shown and what is left out; empty where no other sweep is of this subject."""
        parts = [self.note] if self.note else []
        if self.measured:
            said = ", ".join(map(str, self.measured))
            parts.append(f"{len(self.measured)} of the same subject by name: {said}")
        if self.left_out:
            why = ", ".join(
                f"{counted(number, 'sweep file')} {why}" for why, number in self.left_out
            )
            parts.append(f"left out: {why}")
        return "; ".join(parts)


def earlier_measurements(
    store: CorrectionStore,
    sweeps: Sequence[str],
    reviewer: str,
    age: Dating | None,
    setups: Iterable[AnalysisSetup] = (),
) -> Earlier:
    """Find what was measured earlier in the subject of a case; no frame is read.

    What the reviewer outlined counts, else what these models found in a finished analysis that is
    still kept. A sweep must have been opened on this machine, for its field of view.

    Parameters
    ----------
    store : CorrectionStore
    sweeps : sequence of str
        Content identities of the case's own sweeps.
    reviewer : str
        Whose corrections count.
    age : Dating or None
        Of the case, by dates.
    setups : iterable of AnalysisSetup
        The models of the case.

    Raises
    ------
    StoreError
        Where the store cannot be read.
    """
    subjects = store.subjects()
    keys = {subjects[sweep].key for sweep in sweeps if sweep in subjects}
    others = [one for one in subjects.values() if one.key in keys and one.sweep not in sweeps]
    if not others:
        return Earlier()
    if len(keys) > 1:
        return Earlier(note=SEVERAL)
    if age is None:
        files = counted(len(others), "sweep file")
        return Earlier(note=f"{files} of the same subject by name, but {NO_AGE_HERE}")
    ages = store.ages()
    left_out: Counter[str] = Counter()
    examinations: dict[int, list[str]] = {}
    for one in others:
        dating = ages.get(one.sweep)
        if dating is None:
            left_out[NO_AGE] += 1
        elif dating.days >= age.days:
            left_out[NOT_EARLIER] += 1
        else:
            examinations.setdefault(dating.days, []).append(one.sweep)
    measured = []
    wanted = tuple(setups)
    with closing(KnownSweeps()) as known:
        for days, members in sorted(examinations.items()):
            volumes = []
            for identity in members:
                found = known.find_identity(identity)
                volume = _reviewed(found, store, reviewer, wanted) if found else None
                if volume is None:
                    left_out[UNKNOWN] += 1
                elif volume.analysis is None and not volume.measurable().any():
                    left_out[NOT_MEASURED] += 1
                else:
                    volumes.append(volume)
            circumference = Examination(volumes).circumference if volumes else None
            if circumference is not None:
                measured.append(EarlierMeasurement(days, circumference, len(volumes)))
            elif volumes:
                left_out[NO_FRAME] += len(volumes)
    return Earlier(tuple(measured), tuple(left_out.items()))


def _reviewed(
    known: KnownSweep, store: CorrectionStore, reviewer: str, setups: Sequence[AnalysisSetup]
) -> ReviewedFrames | None:
    try:
        sweep = known.without_frames("")
    except (SweepError, ValueError):
        return None
    volume = ReviewedFrames(sweep, store, reviewer)
    volume.analysis = _kept_analysis(sweep, setups)
    bookmark = store.bookmark(sweep.identity, reviewer)
    if volume.analysis is not None and bookmark is not None and bookmark.thresholds:
        volume.analysis.set_thresholds(Thresholds(*bookmark.thresholds))
    return volume


def _kept_analysis(sweep: "SweepVolume", setups: Sequence[AnalysisSetup]) -> Analysis | None:
    kept = (cache.load(sweep, setup) for setup in setups)
    return next((analysis for analysis in kept if analysis is not None), None)
