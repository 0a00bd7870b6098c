"""What others wrote into a store since the last look, for a thread that looks again and again."""

import os
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from napari_fetal_iqa.corrections import schema
from napari_fetal_iqa.corrections.database import DATABASE_ERRORS, BoundedConnection
from napari_fetal_iqa.corrections.events import Event
from napari_fetal_iqa.corrections.rows import SweepRecord
from napari_fetal_iqa.corrections.sound_rows import (
    event_tables,
    read_events,
    read_reviewed,
    read_sweeps,
)
from napari_fetal_iqa.errors import StoreError


@dataclass(frozen=True)
class StoreNews:
    """What was written of one sweep.

    Parameters
    ----------
    sweep : str
        Content identity.
    events : tuple of Event
        Table by table in the order of their writing; at the first look all that there are.
    fully_reviewed : tuple of str
        Who says now to have looked at every frame.
    """

    sweep: str
    events: tuple[Event, ...]
    fully_reviewed: tuple[str, ...]


class NewsReader:
    """Reads one sweep's news from a store, with a connection that changes nothing.

    Looks cost one small read while nobody writes. Files on network drives tell no one when they
    change, so somebody has to look. To be used in one thread.

    Parameters
    ----------
    path : Path
        Of the store.
    sweep : str
        Content identity.
    """

    def __init__(self, path: Path, sweep: str) -> None:
        self._path = path
        self._sweep = sweep
        self._connection: BoundedConnection | None = None
        self._file: tuple[int, int] | None = None
        self._seen: tuple[dict[str, int | None], tuple[str, ...]] | None = None
        self._version = -1

    def look(self) -> StoreNews | None:
        """Return what was written since the last look; None where nothing was.

        A file that is locked, damaged or gone has no news until it can be read again: it is the
        writing of corrections that tells what is wrong with it.
        """
        try:
            return self._look()
        except (StoreError, OSError):
            self.close()
        except DATABASE_ERRORS:
            self._version = -1  # somebody may be writing: the next look reads it
        return None

    def close(self) -> None:
        """Let the file go, until the next look."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._seen, self._version = None, None, -1

    def _look(self) -> StoreNews | None:
        status = os.stat(self._path)
        if (status.st_dev, status.st_ino) != self._file:  # put there in place of the other
            self.close()
        if self._connection is None:
            self._connection = schema.connect(self._path, "ro", watched=True)
            self._file = (status.st_dev, status.st_ino)
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return None
        news = self._read(self._connection)
        self._version = version
        return news

    def _read(self, connection: BoundedConnection) -> StoreNews | None:
        last, reviewed = self._seen or ({}, ())
        tables = event_tables(connection)
        if any(_lies_behind(_newest(connection, table), last.get(table)) for table in tables):
            last = {}  # written anew from its beginning
        records: dict[str, SweepRecord] = {
            row.meaning.identity: row.meaning for row in read_sweeps(connection) if row.meaning
        }
        rows = {
            table: list(
                read_events(connection, table, records.get, self._sweep, after=last.get(table))
            )
            for table in tables
        }
        read = chain.from_iterable(rows.values())
        events = tuple(row.meaning for row in read if row.meaning is not None)
        looked_at = read_reviewed(connection, records.get, self._sweep)
        names = tuple(sorted(row.meaning[1] for row in looked_at if row.meaning is not None))
        is_first = self._seen is None
        seen = {
            table: max([row.number for row in found], default=last.get(table))
            for table, found in rows.items()
        }
        self._seen = seen, names
        if not (is_first or events or names != reviewed):
            return None
        return StoreNews(self._sweep, events, names)


def _newest(connection: BoundedConnection, table: str) -> int | None:
    newest: int | None = connection.execute(f"SELECT max(number) FROM {table}").fetchone()[0]
    return newest


def _lies_behind(newest: int | None, seen: int | None) -> bool:
    return seen is not None and (newest is None or newest < seen)
