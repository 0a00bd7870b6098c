"""The store's tables, and opening a file only if it truly is one."""

import sqlite3
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from napari_fetal_iqa.errors import StoreError, StoreUnwritableError

APPLICATION_ID = 0x46495141  # "FIQA"
SCHEMA_VERSION = 3

_TABLES = """
CREATE TABLE sweep (
    identity TEXT PRIMARY KEY,
    frames INTEGER NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL,
    row_mm REAL, column_mm REAL,
    bounds TEXT NOT NULL
);
CREATE TABLE event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    time TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    sweep TEXT NOT NULL REFERENCES sweep (identity),
    frame INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('label', 'mask', 'undo', 'redo')),
    action TEXT NOT NULL,
    label INTEGER CHECK (label IN (0, 1, 2)),
    mask BLOB,
    accepted INTEGER NOT NULL CHECK (accepted IN (0, 1)),
    answers TEXT,
    tool TEXT NOT NULL
);
CREATE INDEX event_of_sweep ON event (sweep, reviewer);
CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
"""

# since version 2; where a review stands is no correction: it is overwritten
_BOOKMARKS = """
CREATE TABLE bookmark (
    sweep TEXT NOT NULL REFERENCES sweep (identity),
    reviewer TEXT NOT NULL,
    frame INTEGER NOT NULL,
    quality_threshold REAL, area_threshold REAL,
    PRIMARY KEY (sweep, reviewer)
);
"""

# since version 3; whose silence on the other frames of a sweep says that nothing is there
_REVIEWED = """
CREATE TABLE reviewed (
    sweep TEXT NOT NULL REFERENCES sweep (identity),
    reviewer TEXT NOT NULL,
    time TEXT NOT NULL,
    PRIMARY KEY (sweep, reviewer)
);
"""

_ADDED = (_BOOKMARKS, _REVIEWED)
"""What each version after the first added."""

_LOCK_WAIT_S = 0.5
"""Longer than any writing takes, shorter than a person at the desk notices."""

Mode = Literal["rwc", "rw", "ro", "memory"]
"""Of opening, as SQLite says it: read, write and create; read and write; read only; no file."""


def connect(path: Path, mode: Mode = "rwc") -> sqlite3.Connection:
    """Open a store, by default making it where there is none.

    Every commit is on disk when it returns, and in this one file: a copy of it, made at any
    moment between two strokes, is whole.

    Raises
    ------
    StoreError
        Where the file is something else, damaged, of a newer version, locked or unwritable; or
        is not there and may not be made.
    """
    try:
        if mode == "rwc":
            path.parent.mkdir(parents=True, exist_ok=True)
        elif mode != "memory" and not path.is_file():
            raise StoreError(f"{path}: there is no corrections store; check the path")
        connection = sqlite3.connect(
            _uri(path, mode), uri=True, timeout=_LOCK_WAIT_S, isolation_level=None
        )
    except (OSError, sqlite3.Error):
        raise StoreError(
            f"{path}: cannot be opened or made; choose a corrections store in a folder "
            "that you may write to"
        ) from None
    try:
        _prepare(connection, path, mode)
    except sqlite3.Error as error:
        connection.close()
        raise explain(error, path) from None
    except StoreError:
        connection.close()
        raise
    return connection


def _uri(path: Path, mode: Mode) -> str:
    place = path.absolute().as_posix()
    return f"file://{'' if place.startswith('/') else '/'}{quote(place)}?mode={mode}"


def _prepare(connection: sqlite3.Connection, path: Path, mode: Mode) -> None:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    is_new = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if is_new and application_id == 0 and mode in ("rwc", "memory"):
        connection.executescript(
            f"BEGIN IMMEDIATE; {_TABLES} {' '.join(_ADDED)}"
            f"PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
    elif application_id != APPLICATION_ID:
        raise StoreError(f"{path}: a database, but not a corrections store; choose another file")
    elif version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: made by a newer napari-fetal-iqa (store version {version}, this one reads "
            f"{SCHEMA_VERSION}); update napari-fetal-iqa"
        )
    elif version < SCHEMA_VERSION and mode != "ro":
        connection.executescript(
            f"BEGIN IMMEDIATE; {' '.join(_ADDED[version - 1 :])}"
            f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def explain(error: sqlite3.Error, path: Path) -> StoreError:
    """Explain in one line what a database error means for the person at the desk."""
    extended_code = getattr(error, "sqlite_errorcode", 0)
    code = extended_code & 0xFF
    if extended_code == sqlite3.SQLITE_READONLY_ROLLBACK:
        advice = (
            "its last writing was cut off; mend it with napari-fetal-iqa corrections check "
            "--store, then try again"
        )
    elif code in _UNWRITABLE:
        return StoreUnwritableError(f"{path}: {_UNWRITABLE[code]}")
    else:
        advice = f"the database says: {error}"
    return StoreError(f"{path}: {advice}")


_PERMISSIONS = "it cannot be written; check the permissions of the file and its folder"
_DAMAGED = "not a corrections store, or a damaged one; nothing was changed, use a backup"
_UNWRITABLE = {
    sqlite3.SQLITE_BUSY: "another program is writing to it; close it and try again",
    sqlite3.SQLITE_LOCKED: "another program is writing to it; close it and try again",
    sqlite3.SQLITE_FULL: "the disk is full; make room, what is shown is not saved yet",
    sqlite3.SQLITE_IOERR: "the disk fails or is full; what is shown is not saved yet",
    sqlite3.SQLITE_READONLY: _PERMISSIONS,
    sqlite3.SQLITE_CANTOPEN: _PERMISSIONS,
    sqlite3.SQLITE_PERM: _PERMISSIONS,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
}
