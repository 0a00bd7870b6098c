"""Whether all that a store holds can still be read, down to the last mask; and saving what can."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from napari_fetal_iqa.corrections import schema
from napari_fetal_iqa.corrections.database import DATABASE_ERRORS
from napari_fetal_iqa.corrections.events import Event
from napari_fetal_iqa.corrections.row_numbers import NONE_LEFT, has_no_number_left
from napari_fetal_iqa.corrections.rows import Bookmark, SweepRecord
from napari_fetal_iqa.corrections.sound_rows import (
    Row,
    event_tables,
    read_ages,
    read_bookmarks,
    read_events,
    read_reviewed,
    read_subjects,
    read_sweeps,
)
from napari_fetal_iqa.corrections.store import CorrectionStore
from napari_fetal_iqa.corrections.subjects import SweepSubject
from napari_fetal_iqa.errors import StoreError, StoreLostError
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.growth.dating import Dating

_Meaning = TypeVar("_Meaning")


@dataclass(frozen=True)
class StoreCheck:
    """What a check of a store found.

    Parameters
    ----------
    events, sweeps : int
        How many were read, sound or not.
    problems : tuple of str
        One line each; none where the store is sound.
    """

    events: int
    sweeps: int
    problems: tuple[str, ...]


@dataclass
class WholeStore:
    """All sound rows of a store, and what is wrong with the others.

    Parameters
    ----------
    sweeps : list of SweepRecord
    events : list of Event
        Table by table in the order of their writing.
    bookmarks : list of (sweep, reviewer, Bookmark)
    reviewed : list of (sweep, reviewer)
    subjects : list of SweepSubject
    ages : list of (sweep, Dating)
    problems : list of str
        One line each.
    n_events : int
        Sound or not.
    unwritable : tuple of str
        Why nothing can be written to it any more, though all of it can be read.
    """

    sweeps: list[SweepRecord] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    bookmarks: list[tuple[str, str, Bookmark]] = field(default_factory=list)
    reviewed: list[tuple[str, str]] = field(default_factory=list)
    subjects: list[SweepSubject] = field(default_factory=list)
    ages: list[tuple[str, Dating]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    n_events: int = 0
    unwritable: tuple[str, ...] = ()


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
    found = read_whole_store(path, mode, keep_events=False)
    return StoreCheck(found.n_events, len(found.sweeps), (*found.problems, *found.unwritable))


def read_whole_store(
    path: Path, mode: schema.Mode = "rw", *, keep_events: bool = True
) -> WholeStore:
    """Read all sound rows of a store, also those behind a damaged page.

    Parameters
    ----------
    path, mode
        As of :func:`check_store`.
    keep_events : bool
        Otherwise they are only judged and counted.

    Raises
    ------
    StoreError
        As :func:`check_store`.
    """
    found = WholeStore()
    with closing(schema.connect(path, mode)) as connection:
        try:
            connection.execute("BEGIN")  # one state of the file, whoever writes meanwhile
            found.problems += _of_the_file(connection)
            _read_rows(connection, found, keep_events)
            if has_no_number_left(connection):
                found.unwritable = (f"file: {NONE_LEFT}",)
        except DATABASE_ERRORS as error:
            found.problems.append(f"the rest cannot be read: {shown(error)[:200]}")
    return found


def _read_rows(connection: sqlite3.Connection, found: WholeStore, keep_events: bool) -> None:
    for row in read_sweeps(connection, salvage=True):
        _sort(row.meaning, row.problem, found.sweeps, found.problems)
    record_of = {record.identity: record for record in found.sweeps}.get
    named: dict[str, str] = {}
    for table in event_tables(connection):
        with _going_on(found, f"{table}s"):
            for event in read_events(connection, table, record_of, salvage=True):
                _sort_event(table, event, named, found, keep_events)
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    there = {name for (name,) in connection.execute(tables)}  # an old store lacks some
    if "bookmark" in there:
        with _going_on(found, "bookmarks"):
            for mark in read_bookmarks(connection, record_of):
                _sort(mark.meaning, mark.problem, found.bookmarks, found.problems)
    if "reviewed" in there:
        with _going_on(found, "full reviews"):
            for one in read_reviewed(connection, record_of):
                _sort(one.meaning, one.problem, found.reviewed, found.problems)
    with _going_on(found, "subjects"):
        for whose in read_subjects(connection, record_of):
            _sort(whose.meaning, whose.problem, found.subjects, found.problems)
    with _going_on(found, "ages"):
        for age in read_ages(connection, record_of):
            _sort(age.meaning, age.problem, found.ages, found.problems)


def _sort_event(
    what: str, row: Row[Event], named: dict[str, str], found: WholeStore, keep: bool
) -> None:
    meaning, problem, place = row.meaning, row.problem, f"{what} {row.number}"
    if meaning is not None and meaning.uid in named:
        problem = f"{place}: has the name of {named[meaning.uid]}"
        meaning = None
    elif meaning is not None:
        named[meaning.uid] = place
    found.n_events += 1
    if keep or meaning is None:
        _sort(meaning, problem, found.events, found.problems)


@contextmanager
def _going_on(found: WholeStore, what: str) -> Iterator[None]:
    """Let a damaged page of one table keep no other from being read."""
    try:
        yield
    except DATABASE_ERRORS as error:
        found.problems.append(f"the rest of the {what} cannot be read: {shown(error)[:200]}")


def _sort(
    meaning: _Meaning | None, problem: str, sound: list[_Meaning], problems: list[str]
) -> None:
    if meaning is None:
        problems.append(problem)
    else:
        sound.append(meaning)


def _of_the_file(connection: sqlite3.Connection) -> Iterator[str]:
    try:
        for (found,) in connection.execute("PRAGMA integrity_check"):
            if found != "ok":
                yield from (f"file: {shown(line)[:200]}" for line in str(found).splitlines())
    except DATABASE_ERRORS as error:
        yield f"file: {shown(error)[:200]}"


_LONGEST_PAD = 1 << 20
"""Bytes that a small file may lack; a large one lacks at most three times what it has. The header
of a made-up file may promise terabytes."""


def _read_or_salvage(path: Path) -> WholeStore:
    """Read a store, or, where it was cut short, as many of its rows as are left."""
    try:
        return read_whole_store(path, "ro")
    except StoreLostError as error:
        with tempfile.TemporaryDirectory(prefix="fetal-iqa-") as folder:
            whole = Path(folder) / "padded.sqlite"
            try:
                missing = _pad(path, whole)
                found = read_whole_store(whole, "ro") if missing else WholeStore()
            except (OSError, StoreError):
                found = WholeStore()
        if not (found.sweeps or found.events):
            raise StoreLostError(
                f"{path}: damaged so far that no row of it can be read, nothing was saved; use a "
                "backup"
            ) from error
        found.problems.insert(0, f"file: cut short, its last {missing} bytes are missing")
        return found


def _pad(path: Path, whole: Path) -> int:
    """Copy a store that was cut short, zeros in place of what is missing; say how much it is."""
    with path.open("rb") as file:
        header = file.read(32)
    # https://www.sqlite.org/fileformat2.html#the_database_header
    page = int.from_bytes(header[16:18], "big")
    length = int.from_bytes(header[28:32], "big") * (1 << 16 if page == 1 else page)
    size = path.stat().st_size
    missing = length - size
    if missing <= 0 or missing > max(_LONGEST_PAD, 3 * size):
        return 0
    shutil.copyfile(path, whole)
    with whole.open("r+b") as file:
        file.truncate(length)
    return missing


def repair(path: Path, out: Path) -> StoreCheck:
    """Write all that is sound in a store into a new one; the damaged one stays as it is.

    Parameters
    ----------
    path : Path
        Opened read-only.
    out : Path
        Made here; nothing that is there already is touched.

    Returns
    -------
    StoreCheck
        Events and sweeps in the new store; problems of the old one.

    Raises
    ------
    StoreError
        Where nothing of the old one can be read, or the new one is there already or cannot be
        written.
    """
    found = _read_or_salvage(path)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.open("xb").close()
    except FileExistsError:
        raise StoreError(f"{out}: is there already; give the new store another name") from None
    except OSError as error:
        raise StoreError(
            f"{out}: cannot be made ({error.strerror}); choose another folder"
        ) from None
    try:
        with CorrectionStore(out) as mended:
            mended.take_over(found.events, found.sweeps)
            for sweep, reviewer, bookmark in found.bookmarks:
                mended.set_bookmark(sweep, reviewer, bookmark)
            for sweep, reviewer in found.reviewed:
                mended.set_fully_reviewed(sweep, reviewer, True)
            mended.take_over_subjects(found.subjects)
            mended.take_over_ages(found.ages)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    problems = (*found.problems, *found.unwritable)
    return StoreCheck(len(found.events), len(found.sweeps), problems)
