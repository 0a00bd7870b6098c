"""A review in progress: one sweep, what the models say of it and what the expert says."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_fetal_iqa.analysis.candidates import candidates
from napari_fetal_iqa.analysis.result import Analysis, FrameResults, Thresholds
from napari_fetal_iqa.corrections import Bookmark, CorrectionStore, Event, Label
from napari_fetal_iqa.corrections.news import StoreNews
from napari_fetal_iqa.errors import StoreBusyError, StoreUnwritableError
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.review.comparison import Comparison
from napari_fetal_iqa.review.frame_view import FrameView, Source
from napari_fetal_iqa.review.free_calipers import FreeCalipers
from napari_fetal_iqa.review.interpolation import fill_gaps
from napari_fetal_iqa.review.plane_criteria import PlaneCriteria
from napari_fetal_iqa.review.queue import ReviewQueue
from napari_fetal_iqa.review.reviewed_frames import ReviewedFrames
from napari_fetal_iqa.sweep import SweepVolume

__all__ = ["FrameView", "ReviewSession", "Source"]

LIFTED = (
    "The label None was taken back, for there is an outline now: label the plane 1 or 2. "
    "Undo brings it back"
)

EMPTIED = (
    "The label {} was taken back, for the outline is gone: there is no abdomen here. "
    "Undo brings both back"
)


class ReviewSession(ReviewedFrames):
    """What the models say of a sweep, overruled by what the expert says.

    Knows no widget: ``frames_changed`` tells with the frame numbers what to paint anew, and
    ``frames_computed`` of which frames results came. Every correction is on disk when its call
    returns.

    Parameters
    ----------
    sweep : SweepVolume
    store : CorrectionStore
    reviewer : str
    """

    frames_changed = Signal(tuple)
    frames_computed = Signal(tuple)

    def __init__(self, sweep: SweepVolume, store: CorrectionStore, reviewer: str) -> None:
        super().__init__(sweep, store, reviewer)
        self._reviewer = reviewer
        self.comparison: Comparison | None = None
        self._notice = ""
        self.free = FreeCalipers(
            sweep, store, lambda: self._history, lambda: self._reviewer, self._changing
        )
        self.criteria = PlaneCriteria(self, store, lambda: self._reviewer, self._changing)
        self._queue = ReviewQueue(self._candidates)
        self.frames_changed.connect(self._forget)
        self.frames_computed.connect(self._forget)
        with suppress(StoreUnwritableError):  # it waits, as its events will
            store.add_sweep(sweep)
        store.refresh(sweep.identity)  # others may have written since an earlier review of it
        self._bookmark = store.bookmark(sweep.identity, reviewer) or Bookmark()
        self._age = store.age(sweep.identity)

    # Whose review it is --------------------------------------------------------------------

    @property
    def store_path(self) -> Path:
        """Where the corrections are kept."""
        return self._store.path

    @property
    def reviewer(self) -> str:
        """Under whose name corrections are stored."""
        return self._reviewer

    @reviewer.setter
    def reviewer(self, name: str) -> None:
        bookmark = self._store.bookmark(self.sweep.identity, name)
        self._reviewer = name
        self._bookmark = bookmark or Bookmark()
        self._apply_thresholds()
        self.show_reviewer(name)

    @property
    def age(self) -> Dating | None:
        """How far the pregnancy was by dates, as somebody entered it; asks no file."""
        return self._age

    @age.setter
    def age(self, dating: Dating | None) -> None:
        self._age = dating  # what cannot be written now waits, and counts
        with suppress(StoreBusyError):
            self._store.set_age(self.sweep.identity, dating)

    @property
    def events(self) -> tuple[Event, ...]:
        """All that the shown reviewer said of the sweep; asks no file."""
        return self._history.events()

    @property
    def place(self) -> int | None:
        """The frame that this reviewer looked at last; None at the first time."""
        return self._bookmark.frame

    @property
    def begun(self) -> bool:
        """Whether the reviewer corrected something here, or chose thresholds."""
        return bool(self.corrections()) or self._bookmark.thresholds is not None

    def remember(self, frame: int) -> None:
        """Keep the place and the thresholds for the next time; where they can be written."""
        bookmark = replace(self._bookmark, frame=frame)
        if bookmark != self._store.bookmark(self.sweep.identity, self._reviewer):
            self._store.set_bookmark(self.sweep.identity, self._reviewer, bookmark)

    @property
    def fully_reviewed(self) -> bool:
        """Whether this reviewer looked at every frame: those not corrected show no abdomen."""
        return self._reviewer in self._store.fully_reviewed(self.sweep.identity)

    @fully_reviewed.setter
    def fully_reviewed(self, reviewed: bool) -> None:
        with suppress(StoreBusyError):  # it waits, as a correction does
            self._store.set_fully_reviewed(self.sweep.identity, self._reviewer, reviewed)

    def show_reviewer(self, name: str) -> None:
        """Show another reviewer's corrections of the sweep, or the reviewer's own again."""
        changed = set(self.corrections()) | self.free.frames()
        self._shown, self.comparison = name, None
        self._queue.restart()
        changed |= set(self.corrections()) | self.free.frames()
        self.frames_changed.emit(tuple(sorted(changed)))

    def other_reviewers(self) -> list[str]:
        """Name those who corrected this sweep, but for the reviewer."""
        names = self._store.reviewers(self.sweep.identity)
        return [name for name in names if name != self._reviewer]

    def fully_reviewed_by(self, news: StoreNews) -> bool:
        """Whether this reviewer looked at every frame, by the news and by what waits."""
        names = self._store.with_waiting_reviews(news.sweep, news.fully_reviewed)
        return self._reviewer in names

    def take_note(self, news: StoreNews) -> bool:
        """Take note of what other desks wrote; return whether there was anything new.

        Asks no file.
        """
        fresh = self._store.take_note(news.events)
        on_screen = {self._shown, self.comparison.other if self.comparison else self._shown}
        changed = {
            frame
            for event in fresh
            if event.reviewer in on_screen
            for frame in self._frames_of(event)
        }
        if changed:
            self.frames_changed.emit(tuple(sorted(changed)))
        return bool(fresh)

    def _frames_of(self, event: Event) -> Sequence[int]:
        if event.frame >= 0:
            return [event.frame]
        return self._store.history(event.sweep, event.reviewer).frames_of(event.action)

    def known_others(self) -> list[str]:
        """Name those who corrected this sweep, but for the reviewer, as far as is known."""
        names = self._store.known_reviewers(self.sweep.identity)
        return [name for name in names if name != self._reviewer]

    def compare_with(self, name: str) -> None:
        """Show the reviewer's own corrections; to review is what the other one says otherwise."""
        self.show_reviewer(self._reviewer)
        self.comparison = Comparison(self._store, self.sweep, self._reviewer, name)
        self._queue.restart()
        self.frames_changed.emit(self.comparison.agreement.disagreements)

    @property
    def disagreements(self) -> tuple[int, ...]:
        """Frames of which the reviewer compared with says otherwise; none without one."""
        return self.comparison.agreement.disagreements if self.comparison else ()

    def _forget(self) -> None:
        self._queue.forget()
        if self.comparison is not None:
            self.comparison.forget()

    # What the models say -------------------------------------------------------------------

    def begin_analysis(self, analysis: Analysis) -> None:
        """Take a new analysis, still empty or complete, for that of this sweep."""
        self.analysis = analysis
        self._models_thresholds = analysis.setup.thresholds
        self._apply_thresholds()
        self._queue.restart()
        self.frames_changed.emit(tuple(range(len(self.sweep))))

    def add_results(self, results: FrameResults) -> None:
        """Take in the results of some frames."""
        if self.analysis is None:
            raise RuntimeError("results without an analysis")
        self.analysis.add(results)
        self.frames_computed.emit(tuple(results.frames.tolist()))

    def set_thresholds(self, thresholds: tuple[float, float] | None) -> None:
        """Count frames as positive from other scores on, of quality and area, in this review.

        None goes back to the models' own thresholds. Without an analysis nothing changes.
        """
        if self.analysis is not None:
            self._bookmark = replace(self._bookmark, thresholds=thresholds)
            self._apply_thresholds()

    def _apply_thresholds(self) -> None:
        if self.analysis is not None:
            chosen = self._bookmark.thresholds
            thresholds = Thresholds(*chosen) if chosen else self._models_thresholds
            self.frames_changed.emit(self.analysis.set_thresholds(thresholds))

    # What the expert says ------------------------------------------------------------------

    # What cannot be stored counts all the same, on the screen too: it raises StoreUnwritableError
    # and is stored as soon as it can be. Where another program has the store locked at this moment
    # nothing is raised: that is over soon, and `unsaved` tells meanwhile.

    @property
    def unsaved(self) -> int:
        """How many events are not on disk yet."""
        return len(self._store.unsaved)

    def save(self) -> None:
        """Try again to store what could not be stored; every correction does so too."""
        self._store.write_waiting()

    @contextmanager
    def _changing(self, frames: tuple[int, ...]) -> Iterator[None]:
        try:
            with suppress(StoreBusyError):
                yield
        finally:
            if frames:
                self.frames_changed.emit(frames)

    def set_label(self, frames: Iterable[int], label: Label) -> None:
        """Label frames, as one action."""
        frames = tuple(frames)
        answers = self._answered(frames, "cls_model")
        with self._changing(frames):
            self._store.set_label(self.sweep.identity, frames, label, self._reviewer, answers)

    def set_mask(self, frame: int, mask: NDArray[np.bool_]) -> None:
        """Outline the abdomen of a frame; an empty mask says that there is none.

        An outline takes back the reviewer's own label that there is none, in the same action; and
        an empty mask the label of a plane.
        """
        self._set_masks({frame: mask})

    def _set_masks(self, masks: Mapping[int, NDArray[np.bool_]]) -> None:
        frames = tuple(masks)
        answers = self._answered(frames, "seg_model")
        said = {frame: self._said(frame) for frame in frames}
        lifted = [frame for frame in frames if _contradicts(masks[frame], said[frame])]
        with self._changing(frames):
            for frame in lifted:
                label = said[frame]
                self._notice = EMPTIED.format(label.name.capitalize()) if label else LIFTED
            self._store.set_masks(self.sweep.identity, masks, self._reviewer, answers, lifted)

    def take_notice(self) -> str:
        """Return once what a correction changed beside what it was asked for; mostly empty."""
        said, self._notice = self._notice, ""
        return said

    def _said(self, frame: int) -> Label | None:
        correction = self._correction(frame)
        return None if correction is None else correction.label

    def copy_previous(self, frame: int) -> bool:
        """Take the mask that counts on the frame before for this frame's; return whether there was.

        There is none before the first frame of a sweep, and none where that mask is empty.
        """
        _, frame_in_sweep = self.sweep.locate(frame)
        mask = self.mask(frame - 1) if frame_in_sweep else None
        if mask is None or not mask.any():
            return False
        self.set_mask(frame, mask.copy())
        return True

    def interpolate(self, frame: int) -> tuple[int, ...]:
        """Outline the frames around this one between the nearest that the expert drew.

        One action, by :func:`~napari_fetal_iqa.review.interpolation.fill_gaps`; labels stay as
        they are.
        Gives the frames with a new mask, none where there are not two ends in this sweep.
        """
        bounds = self.sweep.bounds[self.sweep.locate(frame)[0]]
        masks = fill_gaps(frame, bounds, self.corrections(), self.sweep.shape[1:])
        if masks:
            self._set_masks(masks)
        return tuple(masks)

    def revert(self, frame: int) -> bool:
        """Go back to the model's label and mask of a frame, as one action.

        Return whether anything was corrected; else nothing is stored.
        """
        if self._correction(frame) is None:
            return False
        with self._changing((frame,)):
            self._store.revert(self.sweep.identity, frame, self._reviewer)
        return True

    def accept(self, frame: int) -> bool:
        """Confirm the model's label and mask of a frame; return whether there was any to confirm.

        What the expert had set already stays as it is.
        """
        label, label_source = self._label(frame, self._correction(frame))
        mask_source = self.mask_source(frame)
        if Source.MODEL not in (label_source, mask_source):
            return False
        mask = self.mask(frame) if mask_source is Source.MODEL else None
        with self._changing((frame,)):
            self._store.accept(
                self.sweep.identity,
                frame,
                self._reviewer,
                label=label if label_source is Source.MODEL else None,
                mask=mask,
                answers=self._answered([frame], "cls_model", "seg_model"),
            )
        return True

    def undo(self) -> tuple[int, ...]:
        """Take back the last action; return the frames that changed."""
        return self._step(self._store.undo, self._history.next_undo)

    def redo(self) -> tuple[int, ...]:
        """Bring back what was undone last; return the frames that changed."""
        return self._step(self._store.redo, self._history.next_redo)

    def _step(self, go: Callable[[str, str], object], action: str | None) -> tuple[int, ...]:
        frames = tuple(self._history.frames_of(action)) if action else ()
        with self._changing(frames):
            go(self.sweep.identity, self._reviewer)
        return frames

    def _answered(self, frames: Sequence[int], *which: str) -> str | None:
        """Name the models whose predictions of these frames were there to be seen."""
        return self.analysis.speakers(frames, *which) if self.analysis else None

    # What next -----------------------------------------------------------------------------

    def _candidates(self) -> list[int]:
        if self.comparison is not None:
            return list(self.disagreements)
        if self.analysis is None:
            return []
        return candidates(self.analysis, self.labels()[1], self.sweep.bounds)

    def to_review(self) -> list[int]:
        """Return the frames worth the expert's time and not yet corrected, in ascending order."""
        return sorted(self._queue.order)

    def next_to_review(self, frame: int, step: int = 1) -> int | None:
        """Return the frame to go to from a frame, which is remembered as visited.

        Step 1: the most valuable frame not visited yet, or where all were, the one visited longest
        ago. Step -1: the frame visited before. None where there is none.
        """
        return self._queue.forward(frame) if step > 0 else self._queue.back(frame)


def _contradicts(mask: NDArray[np.bool_], said: Label | None) -> bool:
    """Whether a label says that there is an abdomen where a mask shows none, or the reverse."""
    return said is not None and bool(mask.any()) is (said is Label.NONE)
