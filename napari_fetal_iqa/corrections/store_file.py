"""One SQLite file of corrections: its rows, read and written in whole transactions."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from napari_fetal_iqa.corrections import schema
from napari_fetal_iqa.corrections.database import DATABASE_ERRORS
from napari_fetal_iqa.corrections.events import Event
from napari_fetal_iqa.corrections.row_numbers import (
    NONE_LEFT,
    NONE_LEFT_IN_WINDOW,
    has_no_number_left,
)
from napari_fetal_iqa.corrections.row_writing import (
    insert_event,
    insert_sweep,
    put_age,
    put_bookmark,
    put_review,
    put_subject,
)
from napari_fetal_iqa.corrections.rows import Bookmark, FullReview, SweepRecord, Unwritten
from napari_fetal_iqa.corrections.sound_rows import (
    Row,
    event_tables,
    read_bookmarks,
    read_events,
    read_reviewed,
    read_sweeps,
)
from napari_fetal_iqa.corrections.validity import (
    check_text,
    quoted,
    sound_event,
    sound_reviewer,
    sound_sweep,
)
from napari_fetal_iqa.errors import StoreError, StoreUnwritableError
from napari_fetal_iqa.foreign_text import shown

logger = logging.getLogger(__name__)

_Meaning = TypeVar("_Meaning")


class StoreFile:
    """Rows of one store: sweeps, events, and where reviews stand.

    Rows that are not sound (:mod:`~napari_fetal_iqa.corrections.validity`) are passed over, with a
    warning; none is written.

    Parameters
    ----------
    path : Path or str
    mode : {"rwc", "rw", "ro", "memory"}
        As SQLite says it: ``rwc`` makes the file, with its folder, where there is none; ``rw``
        wants it to be there; ``ro`` never changes it; ``memory`` leaves it alone and keeps all
        in memory.
    wait_s : float
        How long each step waits for another program that has locked the file.

    Attributes
    ----------
    on_disk : bool
        False for a store in memory.

    Raises
    ------
    StoreError
        One line on what is wrong with the file; every method may raise it.
    """

    def __init__(
        self, path: Path | str, mode: schema.Mode = "rwc", wait_s: float = schema.LOCK_WAIT_S
    ) -> None:
        self.path = Path(path)
        self.on_disk = mode != "memory"
        self._wait_s = wait_s
        self._connection = schema.connect(self.path, mode, wait_s=wait_s)
        self._records: dict[str, SweepRecord] = {}
        self._passed_over: set[str] = set()
        try:
            self.sweeps()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._connection.close()

    def set_wait(self, wait_s: float) -> None:
        """Wait this long, from now on, at each step for another program that has the file locked.

        Without waiting, what cannot be read or written at this moment is refused at once.
        """
        self._wait_s = wait_s
        with self._explaining():
            self._connection.execute(f"PRAGMA busy_timeout = {round(wait_s * 1000)}")

    @contextmanager
    def patient(self, wait_s: float) -> Iterator[None]:
        """Wait this long for a lock meanwhile."""
        before = self._wait_s
        self.set_wait(wait_s)
        try:
            yield
        finally:
            self.set_wait(before)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # What is there -------------------------------------------------------------------------

    def sweeps(self) -> list[SweepRecord]:
        """Return the sweeps of this store, in the order in which they were first opened."""
        with self._explaining():
            records = self._sound(read_sweeps(self._connection))
        self._records.update({record.identity: record for record in records})
        return records

    def record(self, identity: str) -> SweepRecord | None:
        """Return what is known of a sweep; None where it is not known."""
        if not isinstance(identity, str):
            return None
        if identity not in self._records:
            self.sweeps()
        return self._records.get(identity)

    def events(self, sweep: str | None = None, reviewer: str | None = None) -> list[Event]:
        """Return the events of one sweep and reviewer or of all, the earliest first.

        Events of one time come in the order of their writing.
        """
        with self._refusing():
            for name, what in ((sweep, "sweep"), (reviewer, "reviewer")):
                if name is not None:
                    check_text(name, what)
        if sweep not in self._records:
            self.sweeps()
        with self._explaining():
            whose = self._records.get, sweep, reviewer
            rows = chain.from_iterable(
                read_events(self._connection, table, *whose)
                for table in event_tables(self._connection)
            )
            return sorted(self._sound(rows), key=lambda event: event.time)

    def _speakers(self, sweep: str | None = None) -> list[tuple[str, str]]:
        """Return sweeps and who spoke of them, be it soundly or not."""
        self.sweeps()
        of_sweep = () if sweep is None else (sweep,)
        where = " WHERE sweep = ?" if of_sweep else ""
        with self._explaining():
            pairs = {
                pair
                for table in event_tables(self._connection)
                for pair in self._connection.execute(
                    f"SELECT DISTINCT sweep, reviewer FROM {table}{where}", of_sweep
                )
            }
        return [(of, name) for of, name in pairs if of in self._records and _is_reviewer(name)]

    def speakers(self) -> dict[str, list[str]]:
        """Name those who spoke, be it soundly or not, of each sweep of which anyone did."""
        found: dict[str, list[str]] = {}
        for sweep, reviewer in sorted(self._speakers()):
            found.setdefault(sweep, []).append(reviewer)
        return found

    def bookmark(self, sweep: str, reviewer: str) -> Bookmark | None:
        """Return where a review stands; None where it was never left."""
        self.record(sweep)
        with self._explaining():
            rows = read_bookmarks(self._connection, self._records.get, sweep, reviewer)
            found = self._sound(rows)
        return found[0][2] if found else None

    def fully_reviewed(self, sweep: str) -> list[str]:
        """Name those who looked at every frame of a sweep: their silence means no abdomen."""
        self.record(sweep)
        return sorted(self._reviewed_in_file(sweep, self._records))

    def _reviewed_in_file(self, sweep: str, records: Mapping[str, SweepRecord]) -> set[str]:
        with self._explaining():
            found = self._sound(read_reviewed(self._connection, records.get, sweep))
        return {reviewer for _, reviewer in found}

    def _sound(self, rows: Iterable[Row[_Meaning]]) -> list[_Meaning]:
        found = []
        for row in rows:
            if row.meaning is not None:
                found.append(row.meaning)
            elif row.problem not in self._passed_over:
                if not self._passed_over:
                    logger.warning(
                        "%s: passed over what is damaged (%s); napari-fetal-iqa corrections check "
                        "names all of it",
                        shown(self.path),
                        shown(row.problem),
                    )
                self._passed_over.add(row.problem)
        return found

    # What is written -----------------------------------------------------------------------

    def take_over(
        self,
        events: Iterable[Event],
        sweeps: Iterable[SweepRecord],
        reviewed: Iterable[tuple[str, str]] = (),
        *,
        sure: bool = False,
    ) -> tuple[int, int, int]:
        """Write what is not here yet, in one transaction: all of it or nothing.

        A sweep that is known already stays as it is.

        Parameters
        ----------
        events : iterable of Event
        sweeps : iterable of SweepRecord
        reviewed : iterable of (sweep, reviewer)
            Who looked at every frame of a sweep.
        sure : bool
            The sweeps were opened here; a shape that contradicts theirs is corrected, not they
            refused.

        Returns
        -------
        events, sweeps, reviewed : int
            How many were not here.

        Raises
        ------
        StoreError
            Names the first that is not sound or contradicts what is here.
        """
        n_events = n_sweeps = n_reviewed = 0
        records = dict(self._records)
        here: dict[str, set[str]] = {}
        with self._writing(), self._refusing():
            for record in map(sound_sweep, sweeps):
                records[record.identity], is_new = insert_sweep(self._connection, record, sure=sure)
                n_sweeps += is_new
            for event in events:
                known = records.get(event.sweep) or self.record(event.sweep)
                n_events += insert_event(self._connection, _let_in(event, known))
            for sweep, reviewer in reviewed:
                known_sweep(records.get(sweep) or self.record(sweep), sweep)
                if sweep not in here:
                    here[sweep] = self._reviewed_in_file(sweep, records)
                if reviewer not in here[sweep]:
                    review = FullReview(sweep, sound_reviewer(reviewer))
                    put_review(self._connection, review)
                    here[sweep].add(review.reviewer)
                    n_reviewed += 1
        self._records |= records
        return n_events, n_sweeps, n_reviewed

    def _write(self, unwritten: Unwritten) -> None:
        """Write what is sound, its sweeps as they were opened here, in one transaction."""
        with self._writing(), self._refusing():
            for record in unwritten.sweeps:
                self._records[record.identity], _ = insert_sweep(
                    self._connection, record, sure=True
                )
            for event in unwritten.events:
                insert_event(self._connection, event)
            for review in unwritten.reviews.values():
                put_review(self._connection, review)
            for whose, bookmark in unwritten.bookmarks.items():
                put_bookmark(self._connection, *whose, bookmark)
            for sweep, subject in unwritten.subjects.items():
                put_subject(self._connection, sweep, subject)
            for sweep, dating in unwritten.ages.items():
                put_age(self._connection, sweep, dating)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Turn what the door says into one line on this store."""
        try:
            yield
        except (TypeError, ValueError, OSError) as error:
            raise StoreError(f"{self.path}: nothing was written; {error}") from None

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except DATABASE_ERRORS as error:
            if schema.is_full(error) and has_no_number_left(self._connection):
                raise StoreUnwritableError(
                    f"{self.path}: {NONE_LEFT}", f"{self.path}: {NONE_LEFT_IN_WINDOW}"
                ) from None
            raise schema.explain(error, self.path) from None

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Write all that is taken over meanwhile in one transaction, or nothing of it."""
        try:
            with self._writing():
                yield
        except BaseException:
            self._records.clear()  # to be read again: some may not be there after all
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._connection.in_transaction:  # a part of it
            yield
            return
        with self._explaining():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _is_reviewer(name: object) -> bool:
    try:
        return bool(sound_reviewer(name))
    except ValueError:
        return False


def _let_in(event: Event, record: SweepRecord | None) -> Event:
    try:
        return sound_event(event, record)
    except (TypeError, ValueError) as error:
        raise ValueError(f"event {quoted(event.uid)}: {error}") from None


def known_sweep(record: SweepRecord | None, identity: str) -> SweepRecord:
    """Return what is known of a sweep; ValueError where the store does not know it."""
    if record is None:
        check_text(identity, "sweep")
        raise ValueError(f"the store does not know sweep {identity[:8]}; open it first")
    return record
