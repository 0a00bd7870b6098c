"""The corrections store: an event is on disk before the call returns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.corrections import schema
from napari_fetal_iqa.corrections.consensus import consensus
from napari_fetal_iqa.corrections.events import Event, EventKind, new_uid
from napari_fetal_iqa.corrections.history import FrameCorrection, History
from napari_fetal_iqa.corrections.rows import SweepRecord
from napari_fetal_iqa.corrections.store_file import StoreFile
from napari_fetal_iqa.errors import StoreUnwritableError
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.labels import Label
from napari_fetal_iqa.sweep import SweepVolume


class CorrectionStore(StoreFile):
    """Append-only corrections of one review project, in one SQLite file.

    Each call that says something commits one transaction, synchronously: when it returns, the
    events survive a kill of the process and of the machine. Where they cannot be written now (the
    disk is full, another program has locked the file), it raises StoreUnwritableError; they count
    all the same, and every later call, or :meth:`write_waiting`, writes them first.

    Parameters
    ----------
    path, mode
        See :class:`~napari_fetal_iqa.corrections.store_file.StoreFile`.

    Raises
    ------
    StoreError
        One line on what is wrong with the file; every method may raise it.
    """

    def __init__(self, path: Path | str, mode: schema.Mode = "rwc") -> None:
        super().__init__(path, mode)
        self._histories: dict[tuple[str, str], History] = {}
        self._waiting: list[Event] = []
        self._waiting_sweeps: list[SweepRecord] = []

    # What is known -------------------------------------------------------------------------

    def history(self, sweep: str, reviewer: str) -> History:
        """Return one reviewer's replayed history of one sweep; the store keeps it up to date."""
        key = (sweep, reviewer)
        if key not in self._histories:
            self._histories[key] = History(self.events(sweep, reviewer))
        return self._histories[key]

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
        record = SweepRecord(sweep.identity, sweep.shape, sweep.spacing_mm, sweep.bounds)
        self._put((), (record,))

    def set_label(
        self,
        sweep: str,
        frames: int | Iterable[int],
        label: Label | int | None,
        reviewer: str,
        answers: str | None = None,
    ) -> None:
        """Label one frame or a range, as one action; None goes back to the model's label."""
        frames = [frames] if isinstance(frames, int) else list(frames)
        value = None if label is None else Label(label)
        action = new_uid()
        self._say(
            Event(sweep, reviewer, EventKind.LABEL, action, frame, label=value, answers=answers)
            for frame in frames
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
        self.set_masks(sweep, {frame: mask}, reviewer, answers)

    def set_masks(
        self,
        sweep: str,
        masks: Mapping[int, NDArray[np.bool_] | None],
        reviewer: str,
        answers: str | None = None,
    ) -> None:
        """Outline the abdomen of frames, each as :meth:`set_mask` does, as one action."""
        codes = {frame: None if m is None else encode_mask(m) for frame, m in masks.items()}
        action = new_uid()
        self._say(
            Event(sweep, reviewer, EventKind.MASK, action, frame, mask=code, answers=answers)
            for frame, code in codes.items()
        )

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
            events.append(confirm(kind=EventKind.LABEL, label=Label(label)))
        if mask is not None:
            events.append(confirm(kind=EventKind.MASK, mask=encode_mask(mask)))
        self._say(events)

    def revert(self, sweep: str, frame: int, reviewer: str) -> None:
        """Go back to the model's label and mask of a frame, as one action."""
        action = new_uid()
        self._say(
            Event(sweep, reviewer, kind, action, frame)
            for kind in (EventKind.LABEL, EventKind.MASK)
        )

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

    @property
    def waiting(self) -> tuple[Event | SweepRecord, ...]:
        """What counts, but could not be written yet."""
        return *self._waiting_sweeps, *self._waiting

    def write_waiting(self) -> None:
        """Write what could not be written before."""
        if self.waiting:
            self._put((), ())

    def _put(self, events: Sequence[Event], sweeps: Sequence[SweepRecord]) -> None:
        """Write what waits and this, or let this wait too."""
        try:
            self._write([*self._waiting, *events], [*self._waiting_sweeps, *sweeps])
        except StoreUnwritableError:
            self._waiting += events
            self._waiting_sweeps += sweeps
            self._replay(events)
            raise
        self._waiting.clear()
        self._waiting_sweeps.clear()
        self._replay(events)

    def _say(self, events: Iterable[Event]) -> None:
        """Write what one reviewer says of one sweep now.

        It is replayed in order of time; so where the clock went back, it is timed as late as
        the events before it.
        """
        timed: list[Event] = []
        for event in events:
            before = timed[-1].time if timed else self.history(event.sweep, event.reviewer).end
            timed.append(replace(event, time=max(event.time, before)))
        self._put(timed, ())

    def append(self, events: Iterable[Event], sweeps: Iterable[SweepRecord] = ()) -> None:
        """Write events in one transaction; all of them are on disk afterwards, or none.

        Parameters
        ----------
        events : iterable of Event
        sweeps : iterable of SweepRecord
            Made known before; a sweep that is known already stays as it is.
        """
        events = list(events)
        self._write(events, sweeps)
        self._replay(events)

    def _replay(self, events: Iterable[Event]) -> None:
        for event in events:
            key = (event.sweep, event.reviewer)
            if key in self._histories and event.time < self._histories[key].end:
                del self._histories[key]  # to be replayed in order of time
            elif key in self._histories:
                self._histories[key].apply(event)
