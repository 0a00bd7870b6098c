"""The corrections store: an event is on disk before the call returns."""

import operator
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.corrections.consensus import consensus
from napari_fetal_iqa.corrections.events import (
    MET,
    NOT_MET,
    Event,
    EventKind,
    new_uid,
    timed_after,
)
from napari_fetal_iqa.corrections.history import FrameCorrection, PlacedCaliper
from napari_fetal_iqa.corrections.rows import SweepRecord, Unwritten
from napari_fetal_iqa.corrections.validity import (
    packed_mask,
    quoted,
    sound_event,
    sound_index,
    sound_label,
    sound_sweep,
)
from napari_fetal_iqa.corrections.waiting_store import WaitingStore
from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.geometry.caliper import Caliper, CaliperMeasure
from napari_fetal_iqa.labels import Label
from napari_fetal_iqa.sweep import SweepVolume


class CorrectionStore(WaitingStore):
    """Append-only corrections of one review project, in one SQLite file.

    Each call that says something commits one transaction, synchronously: when it returns, the
    events survive a kill of the process and of the machine. Where they cannot be written now (the
    disk is full, another program has locked the file), it raises StoreUnwritableError; they count
    all the same, and every later call, or :meth:`write_waiting`, writes them first.

    Parameters
    ----------
    path, mode, wait_s
        See :class:`~napari_fetal_iqa.corrections.store_file.StoreFile`.

    Raises
    ------
    StoreError
        One line on what is wrong with the file; every method may raise it.
    """

    def corrections(self, sweep: str, reviewer: str | None = None) -> dict[int, FrameCorrection]:
        """Return the state of every corrected frame of a sweep, by frame number.

        Without a reviewer, the :func:`~napari_fetal_iqa.corrections.consensus.consensus` of all.
        """
        if reviewer is not None:
            return self.history(sweep, reviewer).state()
        states: dict[int, list[FrameCorrection]] = {}
        for name in self.reviewers(sweep):
            for frame, state in self.history(sweep, name).state().items():
                states.setdefault(frame, []).append(state)
        return {frame: consensus(states[frame]) for frame in sorted(states)}

    # Events --------------------------------------------------------------------------------

    def add_sweep(self, sweep: SweepVolume) -> None:
        """Make a sweep known to the store; must come before any event of it."""
        with self._refusing():
            record = sound_sweep(
                SweepRecord(sweep.identity, sweep.shape, sweep.spacing_mm, sweep.bounds)
            )
        self._put(Unwritten(sweeps=[record]))

    def set_label(
        self,
        sweep: str,
        frames: int | Iterable[int],
        label: Label | int | None,
        reviewer: str,
        answers: str | None = None,
    ) -> None:
        """Label one frame or a range, as one action; None goes back to the model's label."""
        with self._refusing():
            numbers = _frame_numbers(frames)
            value = None if label is None else sound_label(label)
        action = new_uid()
        self._say(
            Event(sweep, reviewer, EventKind.LABEL, action, frame, label=value, answers=answers)
            for frame in numbers
        )

    def set_mask(
        self,
        sweep: str,
        frame: int,
        mask: NDArray[np.bool_] | None,
        reviewer: str,
        answers: str | None = None,
    ) -> None:
        """Outline the abdomen of a frame, (H, W) bool; None goes back to the model's mask."""
        with self._refusing():
            number = sound_index(frame, "frame")
        self.set_masks(sweep, {number: mask}, reviewer, answers)

    def set_masks(
        self,
        sweep: str,
        masks: Mapping[int, NDArray[np.bool_] | None],
        reviewer: str,
        answers: str | None = None,
        unlabelled: Iterable[int] = (),
    ) -> None:
        """Outline the abdomen of frames, each as :meth:`set_mask` does, as one action.

        The same action takes the reviewer's label of the frames ``unlabelled`` back.
        """
        codes = {frame: self._packed(sweep, mask) for frame, mask in masks.items()}
        action = new_uid()
        says = partial(Event, sweep, reviewer, action=action)
        labels = [says(kind=EventKind.LABEL, frame=frame) for frame in unlabelled]
        outlines = [
            says(kind=EventKind.MASK, frame=frame, mask=code, answers=answers)
            for frame, code in codes.items()
        ]
        self._say([*labels, *outlines])

    def _packed(self, sweep: str, mask: NDArray[np.bool_] | None) -> bytes | None:
        record = self.record(sweep)
        if mask is None or record is None:
            return None  # an unknown sweep is refused with the event
        with self._refusing():
            return packed_mask(mask, record)

    def accept(
        self,
        sweep: str,
        frame: int,
        reviewer: str,
        label: Label | int | None = None,
        mask: NDArray[np.bool_] | None = None,
        answers: str | None = None,
    ) -> None:
        """Confirm the label or the mask that the model gave a frame, or both, as one action."""
        confirm = partial(
            Event, sweep, reviewer, action=new_uid(), frame=frame, accepted=True, answers=answers
        )
        events = []
        if label is not None:
            with self._refusing():
                events.append(confirm(kind=EventKind.LABEL, label=sound_label(label)))
        if mask is not None:
            events.append(confirm(kind=EventKind.MASK, mask=self._packed(sweep, mask)))
        self._say(events)

    def revert(self, sweep: str, frame: int, reviewer: str) -> None:
        """Go back to the model's label and mask of a frame, as one action."""
        action = new_uid()
        self._say(
            Event(sweep, reviewer, kind, action, frame)
            for kind in (EventKind.LABEL, EventKind.MASK)
        )

    def set_caliper(
        self,
        sweep: str,
        frame: int,
        caliper: Caliper | None,
        reviewer: str,
        mark: str | None = None,
    ) -> str:
        """Put a free caliper on a frame, or move the one named ``mark``; None takes it away.

        Returns
        -------
        str
            The caliper's own name.
        """
        mark = mark or new_uid()
        said = Event(
            sweep, reviewer, EventKind.CALIPER, new_uid(), frame, mark=mark, caliper=caliper
        )
        self._say([said])
        return mark

    def name_caliper(
        self, sweep: str, placed: PlacedCaliper, measure: CaliperMeasure | None, reviewer: str
    ) -> None:
        """Say what a free caliper measures; None takes the name away."""
        with self._refusing():
            if measure is not None and measure.kind is not placed.caliper.kind:
                raise ValueError(f"{measure.value} is measured by another kind of caliper")
        word = None if measure is None else measure.value
        frame, mark = placed.frame, placed.mark
        naming = EventKind.NAMING
        self._say([Event(sweep, reviewer, naming, new_uid(), frame, mark=mark, word=word)])

    def judge(
        self, sweep: str, frame: int, criterion: Criterion, met: bool | None, reviewer: str
    ) -> None:
        """Say whether a frame meets one of the six criteria; None takes the word back."""
        word = None if met is None else MET if met else NOT_MET
        kind, mark = EventKind.CRITERION, str(criterion)
        self._say([Event(sweep, reviewer, kind, new_uid(), frame, mark=mark, word=word)])

    def verdicts(self, sweep: str, reviewer: str) -> dict[int, dict[Criterion, bool]]:
        """Return what a reviewer says of the criteria of every frame, by frame number."""
        return self.history(sweep, reviewer).all_verdicts()

    def calipers(self, sweep: str, reviewer: str) -> tuple[PlacedCaliper, ...]:
        """Return a reviewer's free calipers on a sweep, by frame, then as they were placed."""
        return self.history(sweep, reviewer).calipers()

    def undo(self, sweep: str, reviewer: str) -> list[int]:
        """Take back the reviewer's last action on a sweep; return the frames that changed."""
        return self._step(sweep, reviewer, EventKind.UNDO)

    def redo(self, sweep: str, reviewer: str) -> list[int]:
        """Bring back what was undone last; return the frames that changed."""
        return self._step(sweep, reviewer, EventKind.REDO)

    def _step(self, sweep: str, reviewer: str, kind: EventKind) -> list[int]:
        history = self.history(sweep, reviewer)
        action = history.next_undo if kind is EventKind.UNDO else history.next_redo
        if action is None:
            return []
        self._say([Event(sweep, reviewer, kind, action)])
        return history.frames_of(action)

    def _say(self, events: Iterable[Event]) -> None:
        """Write what one reviewer says of one sweep now.

        It is replayed in order of time; so where the clock went back, it is timed just after the
        event before it.
        """
        said: list[Event] = []
        for event in events:
            record = self.record(event.sweep)
            with self._refusing():
                sound = sound_event(event, record)
            before = said[-1].time if said else self._history_to_add_to(sound).end
            said.append(replace(sound, time=timed_after(sound.time, before)))
        self._put(Unwritten(events=said))


def _frame_numbers(frames: object) -> list[int]:
    """Return frame numbers, be it one or many, be they numpy's."""
    try:
        return [operator.index(frames)]  # type: ignore[arg-type]
    except TypeError:
        pass
    try:
        several = iter(frames)  # type: ignore[call-overload]
    except TypeError:
        raise ValueError(
            f"expected a whole number as frame, or several, found {quoted(frames)}"
        ) from None
    return [sound_index(frame, "frame") for frame in several]
