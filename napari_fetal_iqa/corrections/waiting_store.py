"""A store that keeps what it cannot write, and writes it as soon as it can."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from napari_fetal_iqa.corrections import schema
from napari_fetal_iqa.corrections.age_store import AgeStore
from napari_fetal_iqa.corrections.events import Event, timed_after
from napari_fetal_iqa.corrections.history import History
from napari_fetal_iqa.corrections.row_writing import told
from napari_fetal_iqa.corrections.rows import Bookmark, FullReview, SweepRecord, Unwritten
from napari_fetal_iqa.corrections.sound_rows import event_tables
from napari_fetal_iqa.corrections.store_file import known_sweep
from napari_fetal_iqa.corrections.subjects import SweepSubject, named
from napari_fetal_iqa.corrections.validity import (
    check_text,
    sound_bookmark,
    sound_dating,
    sound_reviewer,
)
from napari_fetal_iqa.errors import StoreError, StoreLostError, StoreUnwritableError
from napari_fetal_iqa.growth.dating import Dating

Said = Event | SweepRecord | FullReview | SweepSubject | tuple[str, Dating]
"""What may wait to be written."""


class WaitingStore(AgeStore):
    """What is stored, and what waits to be: sweeps, histories of reviewers, where reviews stand.

    Whatever keeps something sound from being written (a lock, a full disk, a file that was cut,
    emptied, moved or replaced while it was open), it waits, and counts meanwhile. All that is said
    enters by :meth:`_put`.

    Parameters
    ----------
    path, mode, wait_s
        See :class:`~napari_fetal_iqa.corrections.store_file.StoreFile`.
    """

    def __init__(
        self, path: Path | str, mode: schema.Mode = "rwc", wait_s: float = schema.LOCK_WAIT_S
    ) -> None:
        self._histories: dict[tuple[str, str], History] = {}
        self._unread: set[tuple[str, str]] = set()
        self._waiting = Unwritten()
        self._mode = mode
        self._said: set[str] = set()
        self._came_later: set[str] = set()
        self._at_opening: dict[str, int] = {}
        super().__init__(path, mode, wait_s)
        try:
            self._at_opening = self._newest_numbers()
        except BaseException:
            self.close()
            raise

    # What is known -------------------------------------------------------------------------

    def sweeps(self) -> list[SweepRecord]:
        """Return the sweeps of this store, in the order in which they were first opened."""
        records = {record.identity: record for record in super().sweeps()}
        for record in self._waiting.sweeps:
            records[record.identity] = told(records.get(record.identity), record)
        self._records |= records
        return list(records.values())

    def reviewers(self, sweep: str | None = None) -> list[str]:
        """Return everyone who corrected something, of one sweep or of any."""
        spoken = {*self._speakers(sweep), *self._histories}
        of_sweep = {key for key in spoken if sweep in (None, key[0])}
        self._read_at_once(of_sweep)
        return sorted({name for identity, name in of_sweep if self.history(identity, name).end})

    def history(self, sweep: str, reviewer: str) -> History:
        """Return one reviewer's replayed history of one sweep; the store keeps it up to date.

        While the file cannot be read, that of what waits to be written.
        """
        key = (sweep, reviewer)
        if not all(isinstance(name, str) for name in key) or key not in self._histories:
            with self._refusing():  # None would be all of them, and be counted as one more
                check_text(sweep, "sweep")
                sound_reviewer(reviewer)
            self._histories[key] = self._read_history(key, self.events(*key))
        return self._histories[key]

    def read_ahead(self, sweep: str, reviewers: Iterable[str]) -> None:
        """Read the histories of reviewers of a sweep in one go, of all that will be asked for."""
        self._read_at_once((sweep, reviewer) for reviewer in reviewers)

    def _read_at_once(self, keys: Iterable[tuple[str, str]]) -> None:
        """Read the histories that are not known yet: one reading a sweep, not one a reviewer.

        There is no order by sweep and reviewer in the table of calipers, and a store may name
        thousands of reviewers.
        """
        missing: dict[str, list[str]] = {}
        for sweep, reviewer in keys:
            if (sweep, reviewer) not in self._histories:
                missing.setdefault(sweep, []).append(reviewer)
        for sweep, reviewers in missing.items():
            if len(reviewers) < 2:  # history() reads less
                continue
            stored: dict[str, list[Event]] = {}
            for event in self.events(sweep):
                stored.setdefault(event.reviewer, []).append(event)
            for reviewer in reviewers:
                key = (sweep, reviewer)
                self._histories[key] = self._read_history(key, stored.get(reviewer, ()))

    def known_reviewers(self, sweep: str) -> list[str]:
        """Everyone who corrected something of a sweep, as far as is known; asks no file."""
        known = self._histories.items()
        return sorted(name for (of, name), history in known if of == sweep and history.end)

    def refresh(self, sweep: str) -> None:
        """Take note of all that others have written of a sweep since it was read."""
        events = self.events(sweep)
        self._look_what_came_later(sweep)
        self._join(events)

    def take_note(self, events: Collection[Event]) -> list[Event]:
        """Take note of events that lie in the file; return those that were not known.

        Parameters
        ----------
        events : collection of Event
            All of a reviewer on a sweep of whom nothing is known yet.
        """
        for event in events:
            known = self._histories.get((event.sweep, event.reviewer))
            if known is not None and not known.knows(event.uid):
                self._came_later.add(event.uid)
        return self._join(events)

    def _join(self, events: Iterable[Event]) -> list[Event]:
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
        """Whether an event came from another desk while this one was open; whatever its clock."""
        return event.uid in self._came_later and event.uid not in self._said

    def _newest_numbers(self) -> dict[str, int]:
        """Return the number of the last event in each table of the file."""
        with self._explaining():
            newest = {
                table: self._connection.execute(f"SELECT max(number) FROM {table}").fetchone()[0]
                for table in event_tables(self._connection)
            }
        return {table: number if isinstance(number, int) else 0 for table, number in newest.items()}

    def _look_what_came_later(self, sweep: str) -> None:
        """Know which events of a sweep were written since the store was opened."""
        with self._explaining():
            for table in event_tables(self._connection):
                number = self._at_opening.get(table, 0)
                rows = self._connection.execute(
                    f"SELECT uid FROM {table} WHERE number > ? AND sweep = ?", (number, sweep)
                )
                self._came_later.update(uid for (uid,) in rows if isinstance(uid, str))

    def _read_history(self, key: tuple[str, str], events: Iterable[Event]) -> History:
        """Replay what is stored and what waits, which is timed after what is stored."""
        self._look_what_came_later(key[0])
        history = History(events, self._said_elsewhere)
        for place, event in enumerate(self._waiting.events):
            if (event.sweep, event.reviewer) == key:
                event = replace(event, time=timed_after(event.time, history.end))
                self._waiting.events[place] = event
                history.apply(event)
        return history

    def fully_reviewed(self, sweep: str) -> list[str]:
        """Name those who looked at every frame of a sweep: their silence means no abdomen."""
        return sorted(self.with_waiting_reviews(sweep, super().fully_reviewed(sweep)))

    def with_waiting_reviews(self, sweep: str, in_file: Iterable[str]) -> set[str]:
        """Name those who looked at every frame, given who did so by the file."""
        names = set(in_file)
        for review in self._waiting.reviews.values():
            if review.sweep == sweep:
                names.discard(review.reviewer)
                names |= {review.reviewer} if review.reviewed else set()
        return names

    def bookmark(self, sweep: str, reviewer: str) -> Bookmark | None:
        """Return where a review stands; None where it was never left."""
        waiting = self._waiting.bookmarks.get((sweep, reviewer))
        return waiting or super().bookmark(sweep, reviewer)

    def subjects(self) -> dict[str, SweepSubject]:
        """Return whose sweep each is, by content identity, as far as it was said."""
        said = super().subjects() | self._waiting.subjects
        return {sweep: whose for sweep, whose in said.items() if whose is not None}

    def subject(self, sweep: str) -> SweepSubject | None:
        """Return whose sweep it is, by the last word; None where nobody said."""
        if sweep in self._waiting.subjects:
            return self._waiting.subjects[sweep]
        return super().subject(sweep)

    def ages(self) -> dict[str, Dating]:
        """Return the age by dates of each sweep, by content identity, as far as it was entered."""
        said = super().ages() | self._waiting.ages
        return {sweep: dating for sweep, dating in said.items() if dating is not None}

    def age(self, sweep: str) -> Dating | None:
        """Return the age by dates of a sweep, by the last word; None where nobody said."""
        if sweep in self._waiting.ages:
            return self._waiting.ages[sweep]
        return super().age(sweep)

    @property
    def waiting_ages(self) -> tuple[tuple[str, Dating], ...]:
        """Ages by dates as far as they wait, as (sweep, Dating); asks no file."""
        said = self._waiting.ages.items()
        return tuple((sweep, dating) for sweep, dating in said if dating is not None)

    @property
    def waiting_subjects(self) -> tuple[SweepSubject, ...]:
        """Whose sweeps are whose as far as it waits; asks no file."""
        return tuple(one for one in self._waiting.subjects.values() if one is not None)

    @property
    def known_sweeps(self) -> tuple[SweepRecord, ...]:
        """Sweeps known so far; asks no file, so that it can be asked when the file is gone."""
        return tuple(self._records.values())

    @property
    def waiting(self) -> tuple[Said, ...]:
        """What counts, but could not be written yet; bookmarks, which wait too, are no loss."""
        waiting = self._waiting
        reviews = waiting.reviews.values()
        ages = self.waiting_ages
        return *waiting.sweeps, *waiting.events, *reviews, *self.waiting_subjects, *ages

    @property
    def unsaved(self) -> tuple[Said, ...]:
        """What is not on disk: what waits, and of a store in memory all that was said.

        Raises
        ------
        StoreError
            Where a store in memory cannot be read.
        """
        if self.on_disk:
            return self.waiting
        reviews = self._waiting.reviews.values()
        return *self.events(), *reviews, *self.waiting_subjects, *self.waiting_ages

    @property
    def said_mark(self) -> tuple[int, ...]:
        """Another one whenever more is unsaved, or other things; asks no file."""
        waiting = self._waiting
        kept = 0 if self.on_disk else self._connection.total_changes
        ages = hash(self.waiting_ages)  # one may follow another of the same sweep
        return kept, len(waiting.events), len(waiting.reviews), len(waiting.subjects), ages

    def write_waiting(self) -> None:
        """Write what could not be written before."""
        if self._waiting:
            self._put(Unwritten())

    # What is said --------------------------------------------------------------------------

    def set_bookmark(self, sweep: str, reviewer: str, bookmark: Bookmark) -> None:
        """Remember where a review stands, in place of what was remembered before."""
        record = self.record(sweep)
        with self._refusing():
            sound = sound_bookmark(bookmark, known_sweep(record, sweep))
            whose = (sweep, sound_reviewer(reviewer))
        self._put(Unwritten(bookmarks={whose: sound}))

    def set_fully_reviewed(self, sweep: str, reviewer: str, reviewed: bool) -> None:
        """Note that a reviewer looked at every frame of a sweep, or does not say so any more."""
        record = self.record(sweep)
        with self._refusing():
            known_sweep(record, sweep)
            review = FullReview(sweep, sound_reviewer(reviewer), bool(reviewed))
        self._put(Unwritten(reviews={(sweep, review.reviewer): review}))

    def set_subject(self, sweep: str, name: str | None) -> None:
        """Note whose sweep it is, by a hash of the name; None where it is not known any more.

        Sweeps of one subject train a model or judge it, and never both. The name is kept nowhere.
        Takes some 50 ms, so that nobody guesses names fast.
        """
        record = self.record(sweep)
        with self._refusing():
            known_sweep(record, sweep)
            whose = None if name is None else named(sweep, name, self._subjects_to_compare())
        self._put(Unwritten(subjects={sweep: whose}))

    def set_age(self, sweep: str, dating: Dating | None) -> None:
        """Note how far the pregnancy was when a sweep was made; None where it is not known."""
        record = self.record(sweep)
        with self._refusing():
            known_sweep(record, sweep)
            sound = None if dating is None else sound_dating(dating)
        self._put(Unwritten(ages={sweep: sound}))

    def _subjects_to_compare(self) -> list[SweepSubject]:
        """Return the subjects that are known; while the file cannot be read, those that wait."""
        try:
            return list(self.subjects().values())
        except StoreError:
            return list(self.waiting_subjects)

    def say_where_reviews_stand(self, kept: "WaitingStore") -> None:
        """Say all that was said of full reviews and bookmarks to a store in memory."""
        said = replace(kept._waiting, events=[], sweeps=[])
        # those that have a subject were taken over, by the key that it has here
        said.subjects = {sweep: None for sweep, whose in said.subjects.items() if whose is None}
        self._put(said)

    def _put(self, said: Unwritten) -> None:
        """Write what waits and this, or let this wait too."""
        self._said.update(event.uid for event in said.events)
        self._waiting.add(said)
        for record in said.sweeps:
            self._believe(record)
        self._replay(said.events)
        try:
            self._write_all()
        except StoreUnwritableError:
            raise
        except StoreError as error:  # all of it is sound, so all of it is worth keeping
            raise StoreUnwritableError(str(error), error.in_window) from None

    def _believe(self, record: SweepRecord) -> None:
        """Know a sweep as it was opened here; what was said of another shape is none of its."""
        before = self._records.get(record.identity)
        self._records[record.identity] = told(before, record)
        if before is None or before.shape != record.shape:
            for key in [key for key in self._histories if key[0] == record.identity]:
                self._unread.add(key)

    def _write_all(self) -> None:
        try:
            self._write_once()
        except StoreLostError:
            if not self._reopen():
                raise
            # the other file may never have heard of them
            self._waiting.sweeps[:] = self.known_sweeps
            self._write_once()

    def _write_once(self) -> None:
        for key in list(self._unread):
            self._histories[key] = self._read_history(key, self.events(*key))
            self._unread.discard(key)
        self._write(self._waiting)
        if self.on_disk:
            self._waiting = Unwritten()
        else:  # whoever takes all of it over must know what was taken back, too
            self._waiting = replace(self._waiting, events=[], sweeps=[])

    def _reopen(self) -> bool:
        """Take the store that lies in this one's place by now; return whether there is one."""
        if self._mode not in ("rw", "rwc"):
            return False
        try:
            connection = schema.connect(self.path, "rw", wait_s=self._wait_s)
        except StoreError:
            return False
        self._connection.close()
        self._connection = connection
        self._at_opening = self._newest_numbers()
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
        self,
        events: Iterable[Event],
        sweeps: Iterable[SweepRecord],
        reviewed: Iterable[tuple[str, str]] = (),
        *,
        sure: bool = False,
    ) -> tuple[int, int, int]:
        """Write what is not here yet, as :meth:`StoreFile.take_over`."""
        events = list(events)
        done = super().take_over(events, sweeps, reviewed, sure=sure)
        self._said.update(event.uid for event in events)  # undo goes on where they end
        self._histories.clear()
        self._unread.clear()
        return done

    def _replay(self, events: Iterable[Event]) -> None:
        for event in events:
            key = (event.sweep, event.reviewer)
            if key in self._histories:
                self._histories[key].apply(event)
