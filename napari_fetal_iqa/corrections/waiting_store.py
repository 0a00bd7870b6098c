"""A store that keeps what it cannot write, and writes it as soon as it can."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from napari_fetal_iqa.corrections import schema
from napari_fetal_iqa.corrections.events import Event, now
from napari_fetal_iqa.corrections.history import History
from napari_fetal_iqa.corrections.rows import SweepRecord
from napari_fetal_iqa.corrections.subject_store import SubjectStore
from napari_fetal_iqa.errors import StoreError, StoreLostError, StoreUnwritableError


class WaitingStore(SubjectStore):
    """Histories of reviewers, replayed from what is stored and from what waits to be.

    Whatever keeps a sound event from being written (a lock, a full disk, a file that was cut,
    emptied, moved or replaced while it was open), the event waits.

    Parameters
    ----------
    path, mode
        See :class:`~napari_fetal_iqa.corrections.store_file.StoreFile`.
    """

    def __init__(self, path: Path | str, mode: schema.Mode = "rwc") -> None:
        self._histories: dict[tuple[str, str], History] = {}
        self._unread: set[tuple[str, str]] = set()
        self._waiting: list[Event] = []
        self._waiting_sweeps: list[SweepRecord] = []
        self._mode = mode
        self._said: set[str] = set()
        self._opened = now()
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

    def known_reviewers(self, sweep: str) -> list[str]:
        """Everyone who corrected something of a sweep, as far as is known; asks no file."""
        known = self._histories.items()
        return sorted(name for (of, name), history in known if of == sweep and history.end)

    def refresh(self, sweep: str) -> None:
        """Take note of all that others have written of a sweep since it was read."""
        self.take_note(self.events(sweep))

    def take_note(self, events: Iterable[Event]) -> list[Event]:
        """Take note of events that lie in the file; return those that were not known.

        Parameters
        ----------
        events : iterable of Event
            All of a reviewer on a sweep of whom nothing is known yet.
        """
        by_key: dict[tuple[str, str], list[Event]] = {}
        for event in events:
            by_key.setdefault((event.sweep, event.reviewer), []).append(event)
        fresh: list[Event] = []
        for key, theirs in by_key.items():
            known = self._histories.get(key) or self._empty_history()
            self._histories[key], news = known.with_more(theirs)
            fresh += news
        return fresh

    def _empty_history(self) -> History:
        return History(said_elsewhere=self._said_elsewhere)

    def _said_elsewhere(self, event: Event) -> bool:
        """Whether an event came from another desk while this one was open."""
        return event.uid not in self._said and event.time > self._opened

    def _read_history(self, key: tuple[str, str]) -> History:
        """Replay what is stored and what waits, which is timed as late as what is stored."""
        history = History(self.events(*key), self._said_elsewhere)
        for place, event in enumerate(self._waiting):
            if (event.sweep, event.reviewer) == key:
                event = replace(event, time=max(event.time, history.end))
                self._waiting[place] = event
                history.apply(event)
        return history

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
        self._said.update(event.uid for event in events)
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
            self._write_once(self.known_sweeps)  # the other file may never have heard of them

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

    def _history_to_add_to(self, event: Event) -> History:
        """Return the history of an event's reviewer, or a new one until it can be read."""
        key = (event.sweep, event.reviewer)
        try:
            return self.history(*key)
        except StoreError:
            self._unread.add(key)
            self._histories[key] = self._empty_history()
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
