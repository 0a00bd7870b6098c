"""Whether all that a store holds can still be read, down to the last mask."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from napari_fetal_iqa.corrections import schema
from napari_fetal_iqa.corrections.events import Event, EventKind
from napari_fetal_iqa.corrections.rows import (
    EVENT_COLUMNS,
    SWEEP_COLUMNS,
    SweepRecord,
    event_of_row,
    sweep_of_row,
)
from napari_fetal_iqa.geometry.mask_codec import decode_mask


@dataclass(frozen=True)
class StoreCheck:
    """What a check of a store found.

    Parameters
    ----------
    events, sweeps : int
        How many were read.
    problems : tuple of str
        One line each; none where the store is sound.
    """

    events: int
    sweeps: int
    problems: tuple[str, ...]


def check_store(path: Path, mode: schema.Mode = "rw") -> StoreCheck:
    """Read all of a store: the file's own structure, every sweep, every event, every mask.

    Parameters
    ----------
    path : Path
    mode : {"rw", "ro"}
        ``rw`` takes back a writing that was cut off, as every opening of a store does; ``ro``
        changes nothing.

    Raises
    ------
    StoreError
        Where the file is not there, is no corrections store, or cannot be opened at all.
    """
    problems: list[str] = []
    sweeps: dict[str, SweepRecord] = {}
    events = 0
    with closing(schema.connect(path, mode)) as connection:
        try:
            problems += _of_the_file(connection)
            for row in connection.execute(f"SELECT {SWEEP_COLUMNS} FROM sweep"):
                try:
                    record = sweep_of_row(row)
                except (TypeError, ValueError) as error:
                    problems.append(f"sweep {str(row[0])[:8]}: unreadable, {error}")
                else:
                    sweeps[record.identity] = record
            query = f"SELECT number, {EVENT_COLUMNS} FROM event ORDER BY number"
            for number, *row in connection.execute(query):
                events += 1
                try:
                    found = [*_of_event(event_of_row(row), sweeps)]
                except (TypeError, ValueError) as error:
                    found = [f"unreadable, {error}"]
                problems += [f"event {number}: {problem}" for problem in found]
        except sqlite3.Error as error:
            problems.append(f"the rest cannot be read: {error}")
    return StoreCheck(events, len(sweeps), tuple(problems))


def _of_the_file(connection: sqlite3.Connection) -> Iterator[str]:
    for (found,) in connection.execute("PRAGMA integrity_check"):
        if found != "ok":
            yield from (f"file: {line}" for line in str(found).splitlines())


def _of_event(event: Event, sweeps: Mapping[str, SweepRecord]) -> Iterator[str]:
    try:
        is_utc = datetime.fromisoformat(event.time).utcoffset() == timedelta(0)
    except (TypeError, ValueError):
        is_utc = False
    if not is_utc:
        yield f"expected a time in UTC, found {event.time!r}"
    record = sweeps.get(event.sweep)
    if record is None:
        yield f"speaks of sweep {event.sweep[:8]}, which the store does not know"
    elif event.kind in (EventKind.LABEL, EventKind.MASK):
        frames, rows, columns = record.shape
        place = f"sweep {event.sweep[:8]}, frame {event.frame}"
        if not 0 <= event.frame < frames:
            yield f"{place}: the sweep has frames 0 to {frames - 1}"
        if event.mask is not None:
            try:
                decode_mask(event.mask, (rows, columns))
            except ValueError as error:
                yield f"{place}: {error}"
