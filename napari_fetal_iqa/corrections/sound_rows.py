"""Reading the rows of a store as far as they are sound; what is not is named, and passed over."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from napari_fetal_iqa.corrections.caliper_rows import CALIPER_COLUMNS, caliper_event_of_row
from napari_fetal_iqa.corrections.database import DATABASE_ERRORS
from napari_fetal_iqa.corrections.events import Event
from napari_fetal_iqa.corrections.remark_rows import REMARK_COLUMNS, remark_event_of_row
from napari_fetal_iqa.corrections.row_numbers import numbers_to_try
from napari_fetal_iqa.corrections.rows import (
    EVENT_COLUMNS,
    SWEEP_COLUMNS,
    Bookmark,
    SweepRecord,
    bookmark_of_row,
    event_of_row,
    sweep_of_row,
)
from napari_fetal_iqa.corrections.subjects import SweepSubject
from napari_fetal_iqa.corrections.tables import EVENT_TABLES
from napari_fetal_iqa.corrections.validity import (
    check_time,
    event_of_its_sweep,
    last_time_to_believe,
    quoted,
    readable_event,
    sound_bookmark,
    sound_dating,
    sound_reviewer,
    sound_subject,
    sound_sweep,
)
from napari_fetal_iqa.growth.dating import Dating

_Meaning = TypeVar("_Meaning")

RecordOf = Callable[[str], SweepRecord | None]
"""Gives what is known of a sweep, by its identity."""


@dataclass(frozen=True)
class Row(Generic[_Meaning]):
    """A row and what it means, or why it means nothing.

    Parameters
    ----------
    number : int
        SQLite's own number of the row.
    meaning : object, optional
        None where the row is not sound.
    problem : str
        One line; empty where the row is sound.
    """

    number: int
    meaning: _Meaning | None
    problem: str = ""


def read_sweeps(
    connection: sqlite3.Connection, *, salvage: bool = False
) -> Iterator[Row[SweepRecord]]:
    """Read the sweeps in the order in which they were first opened, as SweepRecord."""
    seen: set[str] = set()
    for number, row in _rows(connection, "sweep", SWEEP_COLUMNS, salvage=salvage):
        if row is None:
            yield Row(number, None, f"sweep row {number}: {_UNREADABLE}")
            continue
        try:
            record = sound_sweep(sweep_of_row(row))
            if record.identity in seen:
                raise ValueError("it is there twice")
        except (TypeError, ValueError) as error:
            name = row[0][:8] if isinstance(row[0], str) else f"row {number}"
            yield Row(number, None, f"sweep {quoted(name)[1:-1]}: unreadable, {error}")
        else:
            seen.add(record.identity)
            yield Row(number, record)


_EVENT_ROWS: Final[dict[str, tuple[str, Callable[[Sequence[Any]], Event]]]] = {
    "event": (EVENT_COLUMNS, event_of_row),
    "caliper": (CALIPER_COLUMNS, caliper_event_of_row),
    "remark": (REMARK_COLUMNS, remark_event_of_row),
}


def read_events(
    connection: sqlite3.Connection,
    table: str,
    record_of: RecordOf,
    sweep: str | None = None,
    reviewer: str | None = None,
    *,
    after: int | None = None,
    salvage: bool = False,
) -> Iterator[Row[Event]]:
    """Read events of one sweep and reviewer, or of all, in the order of their writing.

    Those of one of the :func:`event_tables`; where ``after`` is given, only those whose row has a
    number above it.
    """
    columns, meaning_of = _EVENT_ROWS[table]
    wanted = {"sweep": sweep, "reviewer": reviewer}
    rows = _rows(connection, table, columns, wanted, after=after, salvage=salvage)
    return _judged(table, rows, meaning_of, record_of)


def event_tables(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Name the tables of events that a store has; an old one, opened read-only, lacks some."""
    query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    there = {name for (name,) in connection.execute(query)}
    return tuple(table for table in EVENT_TABLES if table in there)


def _judged(
    what: str,
    rows: Iterator[tuple[int, Sequence[Any] | None]],
    meaning_of: Callable[[Sequence[Any]], Event],
    record_of: RecordOf,
) -> Iterator[Row[Event]]:
    not_after = last_time_to_believe()
    for number, row in rows:
        if row is None:
            yield Row(number, None, f"{what} {number}: {_UNREADABLE}")
            continue
        try:
            event = readable_event(meaning_of(row))
        except (TypeError, ValueError) as error:
            yield Row(number, None, f"{what} {number}: unreadable, {error}")
            continue
        try:
            yield Row(number, event_of_its_sweep(event, record_of(event.sweep), not_after))
        except ValueError as error:
            yield Row(number, None, f"{what} {number}: {error}")


def read_bookmarks(
    connection: sqlite3.Connection,
    record_of: RecordOf,
    sweep: str | None = None,
    reviewer: str | None = None,
) -> Iterator[Row[tuple[str, str, Bookmark]]]:
    """Read where reviews stand, as (sweep, reviewer, Bookmark)."""
    wanted = {"sweep": sweep, "reviewer": reviewer}
    columns = "sweep, reviewer, frame, quality_threshold, area_threshold"
    for number, row in _rows(connection, "bookmark", columns, wanted):
        try:
            place = _whose(row, record_of)
            yield Row(number, (*place[:2], _bookmark(row, place[2])))
        except (TypeError, ValueError) as error:
            yield Row(number, None, f"bookmark {number}: {error}")


def _bookmark(row: Sequence[Any] | None, record: SweepRecord) -> Bookmark:
    return sound_bookmark(bookmark_of_row((row or ())[2:]), record)


def read_reviewed(
    connection: sqlite3.Connection, record_of: RecordOf, sweep: str | None = None
) -> Iterator[Row[tuple[str, str]]]:
    """Read who looked at every frame of a sweep, as (sweep, reviewer)."""
    not_after = last_time_to_believe()
    columns = "sweep, reviewer, time"
    for number, row in _rows(connection, "reviewed", columns, {"sweep": sweep}):
        try:
            place = _whose(row, record_of)
            check_time((row or ())[2], not_after)
            yield Row(number, place[:2])
        except (TypeError, ValueError) as error:
            yield Row(number, None, f"reviewed sweep {number}: {error}")


def read_subjects(
    connection: sqlite3.Connection, record_of: RecordOf, sweep: str | None = None
) -> Iterator[Row[SweepSubject]]:
    """Read whose sweeps these are, as SweepSubject; nothing of a store before version 4."""
    if not _has(connection, "subject"):
        return
    for number, row in _rows(connection, "subject", "sweep, key, salt", {"sweep": sweep}):
        try:
            if row is None:
                raise ValueError(_UNREADABLE)
            if not isinstance(row[0], str) or record_of(row[0]) is None:
                raise ValueError(f"is of sweep {quoted(row[0])}, which the store does not know")
            yield Row(number, sound_subject(SweepSubject(*row)))
        except (TypeError, ValueError) as error:
            yield Row(number, None, f"subject {number}: {error}")


def read_ages(
    connection: sqlite3.Connection, record_of: RecordOf, sweep: str | None = None
) -> Iterator[Row[tuple[str, Dating]]]:
    """Read ages by dates, as (sweep, Dating); nothing of a store before version 7."""
    if not _has(connection, "age"):
        return
    for number, row in _rows(connection, "age", "sweep, basis, days", {"sweep": sweep}):
        try:
            if row is None:
                raise ValueError(_UNREADABLE)
            if not isinstance(row[0], str) or record_of(row[0]) is None:
                raise ValueError(f"is of sweep {quoted(row[0])}, which the store does not know")
            yield Row(number, (row[0], sound_dating(Dating(row[1], row[2]))))
        except (TypeError, ValueError) as error:
            yield Row(number, None, f"age {number}: {error}")


def _has(connection: sqlite3.Connection, table: str) -> bool:
    query = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
    return connection.execute(query, (table,)).fetchone() is not None


def _whose(row: Sequence[Any] | None, record_of: RecordOf) -> tuple[str, str, SweepRecord]:
    if row is None:
        raise ValueError(_UNREADABLE)
    record = record_of(row[0]) if isinstance(row[0], str) else None
    if record is None:
        raise ValueError(f"speaks of sweep {quoted(row[0])}, which the store does not know")
    return record.identity, sound_reviewer(row[1]), record


_UNREADABLE = "unreadable, the file is damaged there or a value is too large"


def _rows(
    connection: sqlite3.Connection,
    table: str,
    columns: str,
    wanted: dict[str, str | None] | None = None,
    *,
    after: int | None = None,
    salvage: bool = False,
) -> Iterator[tuple[int, Sequence[Any] | None]]:
    """Read rows by number, each with its values, or None where a value is too large.

    A damaged page ends it with SQLite's error; or, where all shall be salvaged that can be, only
    the rows on that page are given as None.
    """
    given = {name: value for name, value in (wanted or {}).items() if value is not None}
    conditions = "".join(f" AND {name} = :{name}" for name in given)
    last = after
    while True:
        beyond = "1" if last is None else "rowid > :last"  # numbers below 0 are numbers, too
        rows = f"FROM {table} WHERE {beyond}{conditions} ORDER BY rowid"
        try:
            for number, *row in connection.execute(
                f"SELECT rowid, {columns} {rows}", {**given, "last": last}
            ):
                if last is not None and number <= last:  # pages that point at each other
                    raise sqlite3.DatabaseError("rows of the file are out of order")
                last = number
                yield number, row
        except sqlite3.DataError:  # in the next row or the one after it, as Python reads ahead
            beyond = "1" if last is None else "rowid > :last"
            number_only = (
                f"SELECT rowid FROM {table} WHERE {beyond}{conditions} ORDER BY rowid LIMIT 1"
            )
            found = connection.execute(number_only, {**given, "last": last}).fetchone()
            if found is None:
                return
            last = found[0]
            yield found[0], _one(connection, table, columns, found[0])
        except DATABASE_ERRORS:
            if not salvage:
                raise
            yield from _one_by_one(connection, table, columns, last)
            return
        else:
            return


def _one_by_one(
    connection: sqlite3.Connection, table: str, columns: str, last: int | None
) -> Iterator[tuple[int, Sequence[Any] | None]]:
    """Read what lies behind a damaged page: row by row, as numbers have few gaps."""
    for number in numbers_to_try(connection, table, last):
        try:
            row = _one(connection, table, columns, number)
        except DATABASE_ERRORS:
            yield number, None
        else:
            if row is not None:
                yield number, row


def _one(
    connection: sqlite3.Connection, table: str, columns: str, number: int
) -> Sequence[Any] | None:
    """Read one row; None where a value is too large, or there is none."""
    query = f"SELECT {columns} FROM {table} WHERE rowid = ?"
    try:
        row: Sequence[Any] | None = connection.execute(query, (number,)).fetchone()
    except sqlite3.DataError:
        return None
    return row
