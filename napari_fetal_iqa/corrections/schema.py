"""Opening a file as a store only if it truly is one."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from napari_fetal_iqa.corrections.database import (
    DATABASE_ERRORS,
    LARGEST_VALUE,
    BoundedConnection,
    decoded,
)
from napari_fetal_iqa.corrections.tables import (
    ADDED,
    OUR_TRIGGERS,
    OURS,
    TABLES,
    TABLES_OF_VERSION,
)
from napari_fetal_iqa.errors import (
    StoreBusyError,
    StoreError,
    StoreLostError,
    StoreUnwritableError,
)
from napari_fetal_iqa.foreign_text import shown

APPLICATION_ID = 0x46495141  # "FIQA"
SCHEMA_VERSION = 7

LOCK_WAIT_S = 0.5
"""Longer than any writing takes, shorter than a person at the desk notices."""

_MAKING_WAIT_MS = 10_000
"""Making the tables may wait for others who do so: each takes a few flushes of the disk. Whoever
cannot wait as long as others do for a lock cannot wait for this either."""

Mode = Literal["rwc", "rw", "ro", "memory"]
"""Of opening, as SQLite says it: read, write and create; read and write; read only; no file."""


def connect(
    path: Path, mode: Mode = "rwc", *, watched: bool = False, wait_s: float = LOCK_WAIT_S
) -> BoundedConnection:
    """Open a store, by default making it where there is none.

    Every commit is on disk when it returns, and in this one file: a copy of it, made at any
    moment between two strokes, is whole. Another program may have given the store a log of
    changes beside it (SQLite's WAL): it is read with its log, and written without one.

    Parameters
    ----------
    path : Path
    mode : Mode
    watched : bool
        The connection is to see what others write later, too.
    wait_s : float
        How long each step waits for another program that has locked the file.

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
        if mode != "memory" and path.exists() and not path.is_file():
            raise StoreError(f"{path}: not a corrections store, but no file at all; check the path")
        connection = sqlite3.connect(
            _uri(path, mode, still=mode == "ro" and not watched and _has_idle_log(path)),
            uri=True,
            timeout=wait_s,
            isolation_level=None,
            factory=BoundedConnection,
        )
    except (OSError, ValueError, sqlite3.Error):
        raise StoreError(
            f"{path}: cannot be opened or made; choose a corrections store in a folder "
            "that you may write to"
        ) from None
    try:
        connection.text_factory = decoded
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
        if mode != "memory":
            connection.watch(path)
        _prepare(connection, path, mode, wait_s)
    except DATABASE_ERRORS as error:
        connection.close()
        if mode == "ro" and _is_unreadable_log(error, path):
            raise StoreError(f"{path}: {_LOG_UNREADABLE.format(_log_of(path).name)}") from None
        raise explain(error, path, opening=True) from None
    except BaseException:
        connection.close()
        raise
    return connection


def _uri(path: Path, mode: Mode, *, still: bool) -> str:
    place = path.absolute().as_posix()
    end = f"mode={mode}{'&immutable=1' if still else ''}"
    return f"file://{'' if place.startswith('/') else '/'}{quote(place)}?{end}"


def _has_idle_log(path: Path) -> bool:
    """Return whether a store is of the kind with a log beside it, and all of it is in the file.

    Only as a file that never changes can it be read without files made beside it, which a
    colleague's folder may not allow.
    """
    beside = (_log_of(path), path.with_name(f"{path.name}-journal"))
    return _has_log(path) and not any(map(_size, beside))


def _has_log(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(20)[18:20] == b"\2\2"  # https://www.sqlite.org/fileformat2.html


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _prepare(connection: sqlite3.Connection, path: Path, mode: Mode, wait_s: float) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    with _transaction(connection, "DEFERRED"):  # another process may be making the tables
        version, is_empty = _version_of(connection, path)
    may_make = is_empty and mode in ("rwc", "memory")
    if may_make or (version < SCHEMA_VERSION and mode != "ro" and not is_empty):
        version = _make_tables(connection, path, wait_s)
        is_empty = False
    if is_empty:
        raise StoreError(f"{path}: empty, not a corrections store; use a backup")
    _check_tables(connection, path, version, mode)
    if mode != "ro":  # which a log beside the file does not allow, and which writes nothing
        connection.execute("PRAGMA journal_mode = TRUNCATE")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _version_of(connection: sqlite3.Connection, path: Path) -> tuple[int, bool]:
    """Return the version of a store, and whether there is nothing in the file yet."""
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    is_empty = connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None
    if is_empty and application_id == 0:
        return 0, True
    if application_id != APPLICATION_ID:
        raise StoreError(f"{path}: a database, but not a corrections store; choose another file")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: made by a newer napari-fetal-iqa (store version {version}, this one reads "
            f"{SCHEMA_VERSION}); update napari-fetal-iqa"
        )
    if version < 1:
        raise _not_ours(path, "has no version")
    return version, False


def _make_tables(connection: sqlite3.Connection, path: Path, wait_s: float) -> int:
    """Make the tables that are missing, unless another process did so meanwhile."""
    if wait_s >= LOCK_WAIT_S:
        connection.execute(f"PRAGMA busy_timeout = {_MAKING_WAIT_MS}")
    with _transaction(connection, "IMMEDIATE"):
        version, is_empty = _version_of(connection, path)
        if is_empty:
            for statement in (*TABLES, *chain(*ADDED)):
                connection.execute(statement)
        else:
            _check_tables(connection, path, version, "rw")
            for statement in chain(*ADDED[version - 1 :]):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute(f"PRAGMA busy_timeout = {round(wait_s * 1000)}")
    return SCHEMA_VERSION


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _check_tables(connection: sqlite3.Connection, path: Path, version: int, mode: Mode) -> None:
    """Refuse what only looks like a store, before anything of it is evaluated.

    A view may never end, a trigger may do anything, and the check of a column, an index or a
    computed column may take as long as its maker likes: nothing but our own words will do.
    """
    tables = set()
    query = "SELECT type, name, sql, rootpage FROM sqlite_schema"
    for kind, name, sql, root_page in connection.execute(query):
        words = sql.split() if isinstance(sql, str) else []
        if kind == "view":
            raise _not_ours(path, "holds a view")
        if kind == "trigger":
            if mode != "ro" and words != OUR_TRIGGERS.get(name, "").split():
                raise _not_ours(path, "holds a trigger of its own")
        elif not (kind == "index" and sql is None) and words != OURS.get(name):
            raise _not_ours(path, "its tables or indices are not those that we make")
        if kind == "table" and isinstance(root_page, int) and root_page > 0:
            tables.add(name)
    for name in TABLES_OF_VERSION[: 1 + version]:
        if name not in tables:
            raise _not_ours(path, f"its table {name} is missing")


def _not_ours(path: Path, why: str) -> StoreError:
    return StoreError(f"{path}: not a corrections store, or a damaged one ({why}); use a backup")


def explain(error: Exception, path: Path, *, opening: bool = False) -> StoreError:
    """Explain in one line what a database error means for the person at the desk."""
    extended_code = getattr(error, "sqlite_errorcode", 0)
    code = extended_code & 0xFF
    if extended_code == sqlite3.SQLITE_READONLY_ROLLBACK:
        cut = f"{path}: its last writing was cut off"
        return StoreError(
            f"{cut}; mend it with napari-fetal-iqa corrections check --store, then try again",
            f"{cut}; {_ASK_FOR_REPAIR}, then try again",
        )
    if extended_code == sqlite3.SQLITE_READONLY_DBMOVED:
        return StoreLostError(f"{path}: {_MOVED}")
    if code in _LOST or isinstance(error, UnicodeError):
        if opening:
            return StoreLostError(f"{path}: {_DAMAGED}")
        return StoreLostError(
            f"{path}: {_DAMAGED_INSIDE}, or see whether napari-fetal-iqa corrections check "
            "--repair OUT can still read something",
            f"{path}: {_DAMAGED_INSIDE}, or {_ASK_FOR_REPAIR}",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusyError(f"{path}: another program is writing to it; close it and try again")
    if code in _UNWRITABLE:
        return StoreUnwritableError(f"{path}: {_UNWRITABLE[code]}")
    advice = f"the database says: {shown(error)[:200]}"
    return StoreError(f"{path}: {advice}")


def is_full(error: Exception) -> bool:
    """Return whether there was no room for a row, be it on the disk or among its numbers."""
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL


def _is_unreadable_log(error: Exception, path: Path) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR):
        return False
    try:
        return _has_log(path)
    except OSError:
        return False


_LOG_UNREADABLE = (
    "its last changes lie in {}, which can only be read in a folder that may be written to; close "
    "the program that uses it, or copy both files into another folder"
)
_PERMISSIONS = "it cannot be written; check the permissions of the file and its folder"
_MOVED = "it was moved or replaced while it was open; put it back, what is shown is not saved yet"
_DAMAGED = "not a corrections store, or a damaged one; nothing was changed, use a backup"
_DAMAGED_INSIDE = "damaged, or another file by now; use a backup"
_ASK_FOR_REPAIR = "ask someone who has a terminal to repair it"
_UNWRITABLE = {
    sqlite3.SQLITE_FULL: "the disk is full; make room, what is shown is not saved yet",
    sqlite3.SQLITE_IOERR: "the disk fails or is full; what is shown is not saved yet",
    sqlite3.SQLITE_READONLY: _PERMISSIONS,
    sqlite3.SQLITE_CANTOPEN: _PERMISSIONS,
    sqlite3.SQLITE_PERM: _PERMISSIONS,
}
_LOST = {
    sqlite3.SQLITE_ERROR,  # no such table any more: the file was emptied
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_INTERRUPT,  # there is no end to it
}
