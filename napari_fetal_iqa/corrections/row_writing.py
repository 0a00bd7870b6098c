"""Writing sound rows: each one once, and none that contradicts what is there."""

import sqlite3

from napari_fetal_iqa.corrections.events import Event
from napari_fetal_iqa.corrections.rows import (
    EVENT_COLUMNS,
    SWEEP_COLUMNS,
    SweepRecord,
    row_of_event,
    row_of_sweep,
    sweep_of_row,
)
from napari_fetal_iqa.corrections.validity import sound_sweep


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
        The sweep was opened here: another shape that is there is corrected.

    Returns
    -------
    record : SweepRecord
        What is known of it now.
    is_new : bool

    Raises
    ------
    ValueError
        Where it is known with another shape, which only a made-up record can have: the identity
        is a hash of the shape, too.
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
    if known is not None and known.shape == record.shape:
        return known, False
    if known is not None and not sure:
        raise ValueError(
            f"sweep {record.identity[:8]}: {_frames(record)}, but here it has {_frames(known)}"
        )
    names = ", ".join(f"{name} = ?" for name in SWEEP_COLUMNS.split(", "))
    connection.execute(f"UPDATE sweep SET {names} WHERE identity = ?", (*row, record.identity))
    return record, False


def insert_event(connection: sqlite3.Connection, event: Event) -> bool:
    """Write a sound event; return whether it is new.

    Raises
    ------
    ValueError
        Where another event of its unique name is there.
    """
    row = row_of_event(event)
    query = f"SELECT {EVENT_COLUMNS} FROM event WHERE uid = ?"
    here = connection.execute(query, (event.uid,)).fetchone()
    if here is None:
        marks = _marks(EVENT_COLUMNS)
        connection.execute(f"INSERT INTO event ({EVENT_COLUMNS}) VALUES ({marks})", row)
    elif tuple(here) != row:
        raise ValueError(f"event {event.uid[:8]}: another event of this name is here")
    return here is None


def _frames(record: SweepRecord) -> str:
    frames, rows, columns = record.shape
    return f"{frames} frames of {rows} x {columns}"


def _marks(columns: str) -> str:
    return ", ".join("?" * len(columns.split(",")))
