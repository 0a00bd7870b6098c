"""Free calipers of a review: a reviewer's own measurements, which belong to no label."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from napari_fetal_iqa.corrections import CorrectionStore, History, PlacedCaliper
from napari_fetal_iqa.corrections.events import new_uid
from napari_fetal_iqa.geometry.caliper import Caliper, CaliperMeasure, CaliperSize
from napari_fetal_iqa.sweep import SweepVolume


class FreeCalipers:
    """Places, moves and takes away calipers of one sweep; the review's undo takes that back.

    Parameters
    ----------
    sweep : SweepVolume
    store : CorrectionStore
    history : callable
        Gives the history of the reviewer who is shown.
    reviewer : callable
        Names under whom calipers are stored.
    changing : callable
        Tells of frames that change in its context.
    """

    def __init__(
        self,
        sweep: SweepVolume,
        store: CorrectionStore,
        history: Callable[[], History],
        reviewer: Callable[[], str],
        changing: Callable[[tuple[int, ...]], AbstractContextManager[None]],
    ) -> None:
        self._sweep = sweep
        self._store = store
        self._history = history
        self._reviewer = reviewer
        self._changing = changing

    def on(self, frame: int) -> tuple[PlacedCaliper, ...]:
        """Return the calipers on a frame, in the order of their placing."""
        return self._history().calipers(frame)

    def everywhere(self) -> tuple[PlacedCaliper, ...]:
        """Return all calipers of the sweep, by frame."""
        return self._history().calipers()

    def frames(self) -> set[int]:
        """Return the frames that have one."""
        return {one.frame for one in self.everywhere()}

    def size(self, caliper: Caliper) -> CaliperSize:
        """Measure a caliper with the sweep's spacing; in pixels where that is not known."""
        return caliper.size(self._sweep.spacing_mm)

    def place(self, frame: int, caliper: Caliper, mark: str | None = None) -> str:
        """Put a caliper on a frame, or move the one that is named; return its name."""
        mark = mark or new_uid()
        with self._changing((frame,)):
            self._store.set_caliper(self._sweep.identity, frame, caliper, self._reviewer(), mark)
        return mark

    def name(self, placed: PlacedCaliper, measure: CaliperMeasure | None) -> None:
        """Say what a caliper measures; None takes the name away."""
        with self._changing((placed.frame,)):
            self._store.name_caliper(self._sweep.identity, placed, measure, self._reviewer())

    def remove(self, placed: PlacedCaliper) -> None:
        """Take a caliper away."""
        with self._changing((placed.frame,)):
            self._store.set_caliper(
                self._sweep.identity, placed.frame, None, self._reviewer(), placed.mark
            )
