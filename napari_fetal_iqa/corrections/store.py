"""The corrections store: an event is on disk before the call returns."""

import operator
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
from napari_fetal_iqa.corrections.validity import (
    packed_mask,
    sound_event,
    sound_index,
    sound_label,
    sound_sweep,
)
from napari_fetal_iqa.errors import StoreError, StoreLostError, StoreUnwritableError
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
        self._histories: dict[tuple[str, str], History] = {}
        self._unread: set[tuple[str, str]] = set()
        self._waiting: list[Event] = []
        self._waiting_sweeps: list[SweepRecord] = []
        self._mode = mode
        super().__init__(path, mode)

    # What is known -------------------------------------------------------------------------

    def sweeps(self) -> list[SweepRecord]:
        """Return the sweeps of this store, in the order in which they were first opened."""
        records = super().sweeps()
        self._records.update({record.identity: record for record in self._waiting_sweeps})
        return records

    def reviewers(self, sweep: str | None = None) -> list[str]:
        """Return everyone who corrected something, of one sweep or of any."""
        spoken = {*self._speakers(sweep), *self._histories}
        of_sweep = {key for key in spoken if sweep in (None, key[0])}
        return sorted({name for identity, name in of_sweep if self.history(identity, name).end})

    def history(self, sweep: str, reviewer: str) -> History:
        """Return one reviewer's replayed history of one sweep; the store keeps it up to date.

        While the file cannot be read, that of what waits to be written.
        """
        key = (sweep, reviewer)
        if key not in self._histories:
            self._histories[key] = self._read_history(key)
        return self._histories[key]

    def _read_history(self, key: tuple[str, str]) -> History:
        """Replay what is stored and what waits, which is timed as late as what is stored."""
        history = History(self.events(*key))
        for place, event in enumerate(self._waiting):
            if (event.sweep, event.reviewer) == key:
                event = replace(event, time=max(event.time, history.end))
                self._waiting[place] = event
                history.apply(event)
        return history

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
        self.set_masks(sweep, {frame: mask}, reviewer, answers)

    def set_masks(
        self,
        sweep: str,
        masks: Mapping[int, NDArray[np.bool_] | None],
        reviewer: str,
        answers: str | None = None,
    ) -> None:
        """Outline the abdomen of frames, each as :meth:`set_mask` does, as one action."""
        codes = {frame: self._packed(sweep, mask) for frame, mask in masks.items()}
        action = new_uid()
        self._say(
            Event(sweep, reviewer, EventKind.MASK, action, frame, mask=code, answers=answers)
            for frame, code in codes.items()
        )

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
    def known_sweeps(self) -> tuple[SweepRecord, ...]:
        """Sweeps known so far; asks no file, so that it can be asked when the file is gone."""
        return tuple(self._records.values())

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
        self._waiting += events
        self._waiting_sweeps += sweeps
        for record in sweeps:
            self._believe(record)
        self._replay(events)
        try:
            self._write_all()
        except StoreUnwritableError:
            raise
        except StoreError as error:  # all of it is sound, so all of it is worth keeping
            raise StoreUnwritableError(str(error)) from None

    def _believe(self, record: SweepRecord) -> None:
        """Know a sweep as it was opened here; what was said of another shape is none of its."""
        before = self._records.get(record.identity)
        if before is None or before.shape != record.shape:
            self._records[record.identity] = record
            for key in [key for key in self._histories if key[0] == record.identity]:
                self._unread.add(key)

    def _write_all(self) -> None:
        try:
            self._write_once(self._waiting_sweeps)
        except StoreLostError:
            if not self._reopen():
                raise
            spoken_of = {event.sweep for event in self._waiting}
            self._write_once([r for key, r in self._records.items() if key in spoken_of])

    def _write_once(self, sweeps: Sequence[SweepRecord]) -> None:
        for key in list(self._unread):
            self._histories[key] = self._read_history(key)
            self._unread.discard(key)
        self._write(self._waiting, sweeps)
        self._waiting.clear()
        self._waiting_sweeps.clear()

    def _reopen(self) -> bool:
        """Take the store that lies in this one's place by now; return whether there is one."""
        if self._mode not in ("rw", "rwc"):
            return False
        try:
            connection = schema.connect(self.path, "rw")
        except StoreError:
            return False
        self._connection.close()
        self._connection = connection
        self._unread.update(self._histories)
        return True

    def _say(self, events: Iterable[Event]) -> None:
        """Write what one reviewer says of one sweep now.

        It is replayed in order of time; so where the clock went back, it is timed as late as
        the events before it.
        """
        said: list[Event] = []
        for event in events:
            record = self.record(event.sweep)
            with self._refusing():
                sound = sound_event(event, record)
            before = said[-1].time if said else self._history_to_add_to(sound).end
            said.append(replace(sound, time=max(sound.time, before)))
        self._put(said, ())

    def _history_to_add_to(self, event: Event) -> History:
        """Return the history of an event's reviewer, or a new one until it can be read."""
        key = (event.sweep, event.reviewer)
        try:
            return self.history(*key)
        except StoreError:
            self._unread.add(key)
            self._histories[key] = History()
            return self._histories[key]

    def append(self, events: Iterable[Event], sweeps: Iterable[SweepRecord] = ()) -> None:
        """Write events in one transaction; all of them are on disk afterwards, or none.

        Parameters
        ----------
        events : iterable of Event
        sweeps : iterable of SweepRecord
            Made known before; a sweep that is known already stays as it is.
        """
        self.take_over(events, sweeps)

    def take_over(
        self, events: Iterable[Event], sweeps: Iterable[SweepRecord], *, sure: bool = False
    ) -> tuple[int, int]:
        """Write what is not here yet, as :meth:`StoreFile.take_over`."""
        done = super().take_over(events, sweeps, sure=sure)
        self._histories.clear()
        self._unread.clear()
        return done

    def _replay(self, events: Iterable[Event]) -> None:
        for event in events:
            key = (event.sweep, event.reviewer)
            if key in self._histories:
                self._histories[key].apply(event)


def _frame_numbers(frames: object) -> list[int]:
    """Return frame numbers, be it one or many, be they numpy's."""
    try:
        return [operator.index(frames)]  # type: ignore[arg-type]
    except TypeError:
        return [sound_index(frame, "frame") for frame in frames]  # type: ignore[attr-defined]
