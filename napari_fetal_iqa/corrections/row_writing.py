"""Writing sound rows: each one once, and none that contradicts what is there."""

import math
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from napari_fetal_iqa.corrections.caliper_rows import (
    CALIPER_COLUMNS,
    caliper_event_of_row,
    row_of_caliper_event,
)
from napari_fetal_iqa.corrections.events import Event, EventKind
from napari_fetal_iqa.corrections.remark_rows import (
    REMARK_COLUMNS,
    remark_event_of_row,
    row_of_remark,
)
from napari_fetal_iqa.corrections.rows import (
    EVENT_COLUMNS,
    SWEEP_COLUMNS,
    Bookmark,
    FullReview,
    SweepRecord,
    event_of_row,
    row_of_bookmark,
    row_of_event,
    row_of_sweep,
    sweep_of_row,
)
from napari_fetal_iqa.corrections.subjects import SweepSubject
from napari_fetal_iqa.corrections.validity import readable_event, sound_sweep
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.growth.dating import Dating


def insert_sweep(
    connection: sqlite3.Connection, record: SweepRecord, *, sure: bool
) -> tuple[SweepRecord, bool]:
    """Make a sweep known, which stays as it is where it is known already.

    Parameters
    ----------
    connection : sqlite3.Connection
        In a transaction.
    record : SweepRecord
    sure : bool
        The sweep was opened here: another shape, spacing or bounds that are there are corrected;
        only where it says no spacing itself, that which is there stays.

    Returns
    -------
    record : SweepRecord
        What is known of it now.
    is_new : bool

    Raises
    ------
    ValueError
        Where it is known with another shape, which only a made-up record can have (the identity
        is a hash of the shape, too), or with another spacing: one of the two measures wrongly.
    """
    row = row_of_sweep(record)
    query = f"SELECT {SWEEP_COLUMNS} FROM sweep WHERE identity = ?"
    here = connection.execute(query, (record.identity,)).fetchone()
    if here is None:
        marks = _marks(SWEEP_COLUMNS)
        connection.execute(f"INSERT INTO sweep ({SWEEP_COLUMNS}) VALUES ({marks})", row)
        return record, True
    try:
        known = sound_sweep(sweep_of_row(here))
    except (TypeError, ValueError):
        known = None
    if known is not None and not sure:
        _check_agrees(record, known)
        return known, False
    record = told(known, record)
    if known == record:
        return known, False
    row = row_of_sweep(record)
    names = ", ".join(f"{name} = ?" for name in SWEEP_COLUMNS.split(", "))
    connection.execute(f"UPDATE sweep SET {names} WHERE identity = ?", (*row, record.identity))
    return record, False


def told(before: SweepRecord | None, record: SweepRecord) -> SweepRecord:
    """Return what is known of a sweep once it was opened here.

    Its own word counts; only where it says no spacing, that which was known stays.
    """
    if before is not None and before.shape == record.shape and record.spacing_mm is None:
        return replace(record, spacing_mm=before.spacing_mm)
    return record


def put_review(connection: sqlite3.Connection, review: FullReview) -> None:
    """Write whether a reviewer looked at every frame of a sweep."""
    whose = (review.sweep, review.reviewer)
    if review.reviewed:
        connection.execute(
            "INSERT OR REPLACE INTO reviewed VALUES (?, ?, ?)", (*whose, review.time)
        )
    else:
        connection.execute("DELETE FROM reviewed WHERE sweep = ? AND reviewer = ?", whose)


def put_bookmark(
    connection: sqlite3.Connection, sweep: str, reviewer: str, bookmark: Bookmark
) -> None:
    """Write where a review stands, in place of what was there."""
    row = (sweep, reviewer, *row_of_bookmark(bookmark))
    connection.execute("INSERT OR REPLACE INTO bookmark VALUES (?, ?, ?, ?, ?)", row)


def insert_event(connection: sqlite3.Connection, event: Event) -> bool:
    """Write a sound event; return whether it is new.

    Where a damaged event has its unique name, which nothing may change, it gets another one, the
    same each time.

    Raises
    ------
    ValueError
        Where another sound event of its unique name is there.
    """
    table = _TABLE_OF_KIND.get(event.kind, "event")
    columns, row_of, _ = _ROWS[table]
    row = row_of(event)
    named = (event.uid,)
    here = connection.execute(f"SELECT {columns} FROM {table} WHERE uid = ?", named).fetchone()
    elsewhere = any(
        connection.execute(f"SELECT 1 FROM {other} WHERE uid = ?", named).fetchone()
        for other in _ROWS
        if other != table
    )
    if elsewhere or here not in (None, row):
        if not elsewhere and not _is_sound(here, table) and not event.uid.endswith(_AGAIN):
            return insert_event(connection, replace(event, uid=f"{event.uid[:120]}{_AGAIN}"))
        raise ValueError(f"event {event.uid[:8]}: another event of this name is here")
    if here is None:
        marks = _marks(columns)
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", row)
    return here is None


_TABLE_OF_KIND = {
    EventKind.CALIPER: "caliper",
    EventKind.CRITERION: "remark",
    EventKind.NAMING: "remark",
}
_ROWS: dict[
    str,
    tuple[str, Callable[[Event], tuple[object, ...]], Callable[[Sequence[Any]], Event]],
] = {
    "event": (EVENT_COLUMNS, row_of_event, event_of_row),
    "caliper": (CALIPER_COLUMNS, row_of_caliper_event, caliper_event_of_row),
    "remark": (REMARK_COLUMNS, row_of_remark, remark_event_of_row),
}

_AGAIN = "-again"
"""Ends the unique name of an event that was damaged here and is sound elsewhere."""


def _is_sound(row: tuple[Any, ...], table: str) -> bool:
    """Whether a row is an event at all, of whatever sweep."""
    try:
        readable_event(_ROWS[table][2](row))
    except (TypeError, ValueError):
        return False
    return True


def put_subject(connection: sqlite3.Connection, sweep: str, subject: SweepSubject | None) -> None:
    """Write whose sweep it is by the last word; None where it is not known any more."""
    connection.execute("DELETE FROM subject WHERE sweep = ?", (sweep,))
    if subject is not None:
        insert_subject(connection, subject)


def insert_subject(connection: sqlite3.Connection, subject: SweepSubject) -> None:
    """Write whose sweep it is, in place of a damaged row, which said nothing."""
    row = (subject.sweep, subject.key, subject.salt)
    connection.execute("INSERT OR REPLACE INTO subject (sweep, key, salt) VALUES (?, ?, ?)", row)


def put_age(connection: sqlite3.Connection, sweep: str, dating: Dating | None) -> None:
    """Write how far the pregnancy was by the last word; None where it is not known any more."""
    connection.execute("DELETE FROM age WHERE sweep = ?", (sweep,))
    if dating is not None:
        row = (sweep, dating.basis, dating.days)
        connection.execute("INSERT INTO age (sweep, basis, days) VALUES (?, ?, ?)", row)


_SAME_SPACING = 1e-6
"""Relative: spacings of one sweep differ by rounding only, in single precision at worst."""


def _check_agrees(record: SweepRecord, known: SweepRecord) -> None:
    name = f"sweep {record.identity[:8]}"
    if known.shape != record.shape:
        raise ValueError(f"{name}: {_frames(record)}, but here it has {_frames(known)}")
    there, here = record.spacing_mm, known.spacing_mm
    if there is None or here is None:
        return
    if not all(map(partial(math.isclose, rel_tol=_SAME_SPACING), there, here)):
        raise ValueError(
            f"{name}: spacing of {_millimetres(there)}, but here it has {_millimetres(here)}; find "
            "out which is right, and open the sweep itself with the store that is wrong"
        )


def _millimetres(spacing: tuple[float, float]) -> str:
    return " x ".join(f"{length:.7g}" for length in spacing) + " mm"


def _frames(record: SweepRecord) -> str:
    frames, rows, columns = record.shape
    return f"{counted(frames, 'frame')} of {rows} x {columns}"


def _marks(columns: str) -> str:
    return ", ".join("?" * len(columns.split(",")))
