"""One SQLite file of corrections: its rows, read and written in whole transactions."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from napari_fetal_iqa.corrections import schema
from napari_fetal_iqa.corrections.events import Event, now
from napari_fetal_iqa.corrections.rows import (
    EVENT_COLUMNS,
    SWEEP_COLUMNS,
    Bookmark,
    SweepRecord,
    event_of_row,
    row_of_event,
    row_of_sweep,
    sweep_of_row,
)
from napari_fetal_iqa.errors import StoreError


class StoreFile:
    """Rows of one store: sweeps, events, and where reviews stand.

    Parameters
    ----------
    path : Path or str
    mode : {"rwc", "rw", "ro", "memory"}
        As SQLite says it: ``rwc`` makes the file, with its folder, where there is none; ``rw``
        wants it to be there; ``ro`` never changes it; ``memory`` leaves it alone and keeps all
        in memory.

    Attributes
    ----------
    on_disk : bool
        False for a store in memory.

    Raises
    ------
    StoreError
        One line on what is wrong with the file; every method may raise it.
    """

    def __init__(self, path: Path | str, mode: schema.Mode = "rwc") -> None:
        self.path = Path(path)
        self.on_disk = mode != "memory"
        self._connection = schema.connect(self.path, mode)

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def sweeps(self) -> list[SweepRecord]:
        """Return the sweeps of this store, in the order in which they were first opened."""
        query = f"SELECT {SWEEP_COLUMNS} FROM sweep ORDER BY rowid"
        with self._explaining():
            return [sweep_of_row(row) for row in self._connection.execute(query)]

    def reviewers(self, sweep: str | None = None) -> list[str]:
        """Return everyone who corrected something, of one sweep or of any."""
        query = "SELECT DISTINCT reviewer FROM event WHERE ? IS NULL OR sweep = ? ORDER BY reviewer"
        with self._explaining():
            return [row[0] for row in self._connection.execute(query, (sweep, sweep))]

    def events(self, sweep: str | None = None, reviewer: str | None = None) -> list[Event]:
        """Return the events of one sweep and reviewer or of all, the earliest first.

        Events of one time come in the order of their writing.
        """
        query = (
            f"SELECT {EVENT_COLUMNS} FROM event WHERE (:sweep IS NULL OR sweep = :sweep) "
            "AND (:reviewer IS NULL OR reviewer = :reviewer) ORDER BY time, number"
        )
        with self._explaining():
            rows = self._connection.execute(query, {"sweep": sweep, "reviewer": reviewer})
            return [event_of_row(row) for row in rows]

    def bookmark(self, sweep: str, reviewer: str) -> Bookmark | None:
        """Return where a review stands; None where it was never left."""
        query = (
            "SELECT frame, quality_threshold, area_threshold FROM bookmark "
            "WHERE sweep = ? AND reviewer = ?"
        )
        with self._explaining():
            row = self._connection.execute(query, (sweep, reviewer)).fetchone()
            if row is None:
                return None
            frame, quality, area = row
            thresholds = None if quality is None else (float(quality), float(area))
            return Bookmark(int(frame), thresholds)

    def set_bookmark(self, sweep: str, reviewer: str, bookmark: Bookmark) -> None:
        """Remember where a review stands, in place of what was remembered before."""
        thresholds = bookmark.thresholds or (None, None)
        with self._writing():
            self._connection.execute(
                "INSERT OR REPLACE INTO bookmark VALUES (?, ?, ?, ?, ?)",
                (sweep, reviewer, bookmark.frame, *thresholds),
            )

    def fully_reviewed(self, sweep: str) -> list[str]:
        """Name those who looked at every frame of a sweep: their silence means no abdomen."""
        query = "SELECT reviewer FROM reviewed WHERE sweep = ? ORDER BY reviewer"
        with self._explaining():
            return [str(name) for (name,) in self._connection.execute(query, (sweep,))]

    def set_fully_reviewed(self, sweep: str, reviewer: str, reviewed: bool) -> None:
        """Note that a reviewer looked at every frame of a sweep, or does not say so any more."""
        with self._writing():
            if reviewed:
                self._connection.execute(
                    "INSERT OR REPLACE INTO reviewed VALUES (?, ?, ?)", (sweep, reviewer, now())
                )
            else:
                self._connection.execute(
                    "DELETE FROM reviewed WHERE sweep = ? AND reviewer = ?", (sweep, reviewer)
                )

    def _write(self, events: Iterable[Event], sweeps: Iterable[SweepRecord] = ()) -> None:
        with self._writing():
            self._connection.executemany(
                f"INSERT OR IGNORE INTO sweep ({SWEEP_COLUMNS}) VALUES ({_marks(SWEEP_COLUMNS)})",
                [row_of_sweep(record) for record in sweeps],
            )
            self._connection.executemany(
                f"INSERT INTO event ({EVENT_COLUMNS}) VALUES ({_marks(EVENT_COLUMNS)})",
                [row_of_event(event) for event in events],
            )

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise schema.explain(error, self.path) from None
        except (TypeError, ValueError) as error:
            raise StoreError(
                f"{self.path}: damaged, it holds what no store writes ({error}); napari-fetal-iqa "
                "corrections check says where, use a backup"
            ) from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._explaining():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _marks(columns: str) -> str:
    return ", ".join("?" * len(columns.split(",")))
