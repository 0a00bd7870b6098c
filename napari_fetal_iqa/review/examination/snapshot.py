"""A review as it stands at one moment, for work beside the window: the window goes on meanwhile."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from napari_fetal_iqa.analysis.result import Analysis
from napari_fetal_iqa.corrections import CorrectionStore, Event
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.review.examination.earlier import Earlier, earlier_measurements
from napari_fetal_iqa.review.examination.examination import Examination
from napari_fetal_iqa.review.examination.known_errors import error_of_case
from napari_fetal_iqa.review.reviewed_frames import ReviewedFrames
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.sweep import SweepVolume

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReviewSnapshot:
    """What one reviewer and the models say of a sweep.

    No file is asked for it, but for earlier measurements.

    Parameters
    ----------
    sweep : SweepVolume
    reviewer : str
        Whose corrections are shown.
    analysis : Analysis or None
    events : tuple of Event
        All that the reviewer said, be it on disk or not.
    age : Dating or None
        By dates, as it was entered.
    store : Path or None
        Where earlier measurements of the same subject are looked for.
    """

    sweep: SweepVolume
    reviewer: str
    analysis: Analysis | None
    events: tuple[Event, ...]
    age: Dating | None
    store: Path | None = None

    @classmethod
    def of(cls, session: ReviewSession, age: Dating | None) -> "ReviewSnapshot":
        """Take what a review says now; a later correction does not change it."""
        return cls(
            session.sweep,
            session.shown,
            copy(session.analysis),
            session.events,
            age,
            session.store_path,
        )

    @contextmanager
    def examination(self) -> Iterator[Examination]:
        """Give the case of this sweep, with a store in memory; to be used in one thread."""
        with CorrectionStore(Path("in memory"), "memory") as store:
            store.add_sweep(self.sweep)
            store.append(self.events)
            if self.age is not None:
                store.set_age(self.sweep.identity, self.age)
            reviewed = ReviewedFrames(self.sweep, store, self.reviewer)
            reviewed.analysis = self.analysis
            yield Examination([reviewed], error_of_case([reviewed]))

    def earlier(self) -> Earlier:
        """Find what was measured earlier in the same subject; reads files, so not for the window.

        Where the corrections cannot be read now, that is said instead.
        """
        if self.store is None or not self.store.exists():
            return Earlier()
        setups = [self.analysis.setup] if self.analysis else []
        try:
            with CorrectionStore(self.store, "ro") as store:
                return earlier_measurements(
                    store, [self.sweep.identity], self.reviewer, self.age, setups
                )
        except StoreError as error:
            logger.info("%s", error)
            return Earlier(note="not looked for: the corrections cannot be read now")
