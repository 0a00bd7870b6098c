"""Rescues of earlier sessions: what they hold that the store does not, and their way into it."""

from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from napari_fetal_iqa.corrections import schema
from napari_fetal_iqa.corrections.database import DATABASE_ERRORS, BoundedConnection
from napari_fetal_iqa.corrections.integrity import WholeStore, read_whole_store
from napari_fetal_iqa.corrections.merge import Merged, merge
from napari_fetal_iqa.corrections.rescuing import has_journal, rescues_of, set_aside
from napari_fetal_iqa.corrections.sound_rows import event_tables
from napari_fetal_iqa.corrections.store import CorrectionStore
from napari_fetal_iqa.errors import StoreError


@dataclass(frozen=True)
class Rescued:
    """A rescue that waits to be merged.

    Parameters
    ----------
    path : Path
    corrections : int
        That its store does not have.
    problem : str
        Why it cannot be read; empty where it can.
    """

    path: Path
    corrections: int
    problem: str = ""


def look_for_rescued(store: Path) -> list[Rescued]:
    """Read what rescues of a store hold; those without anything new come too.

    Parameters
    ----------
    store : Path
        Need not be there.
    """
    return [_look(path, store) for path in rescues_of(store)]


def _look(path: Path, store: Path) -> Rescued:
    if has_journal(path):  # it may have been killed while it was written
        with suppress(StoreError):
            CorrectionStore(path, "rw").close()
    try:
        return Rescued(path, count_new(path, store))
    except StoreError as error:
        return Rescued(path, 0, error.in_window)


def count_new(rescued: Path, store: Path) -> int:
    """Count what a rescue holds that its store does not; all of it where that cannot be read.

    Raises
    ------
    StoreError
        Where the rescue cannot be read, or is damaged.
    """
    found = read_whole_store(rescued, "ro")
    if found.problems:
        raise StoreError(f"{rescued}: damaged ({found.problems[0]})")
    everything = len(found.events) + len(found.reviewed) + len(found.subjects)
    everything += len(found.ages)
    try:
        with closing(schema.connect(store, "ro")) as connection:
            return everything - _count_known(connection, found)
    except (StoreError, *DATABASE_ERRORS):
        return everything


def _count_known(connection: BoundedConnection, found: WholeStore) -> int:
    known = 0
    for table in event_tables(connection):
        known += _count(connection, table, "uid", ((one.uid,) for one in found.events))
    known += _count(connection, "reviewed", "sweep, reviewer", found.reviewed)
    if "age" in {name for (name,) in connection.execute(_TABLES)}:
        known += _count(connection, "age", "sweep", ((sweep,) for sweep, _ in found.ages))
    # that a subject is said at all: the hash is another by the store's own salt
    return known + _count(connection, "subject", "sweep", ((one.sweep,) for one in found.subjects))


_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"


def _count(
    connection: BoundedConnection, table: str, columns: str, rows: Iterable[tuple[str, ...]]
) -> int:
    named = " AND ".join(f"{column} = ?" for column in columns.split(", "))
    query = f"SELECT 1 FROM {table} WHERE {named} LIMIT 1"
    return sum(connection.execute(query, row).fetchone() is not None for row in rows)


def merge_rescued(store: Path, rescued: Path) -> Merged:
    """Take over all of a rescue, or nothing; then rename it, so that nobody is asked again.

    Raises
    ------
    StoreError
        As :func:`~napari_fetal_iqa.corrections.merge.merge`, or where the store cannot be opened.
    """
    with CorrectionStore(store) as opened:
        done = merge(opened, rescued)
    set_aside(rescued)
    return done


def tidy(rescued: Iterable[Rescued]) -> list[Rescued]:
    """Rename those that hold nothing new; return the others, which somebody is to be asked of."""
    waiting = []
    for one in rescued:
        if one.corrections or one.problem:
            waiting.append(one)
        else:
            set_aside(one.path)
    return waiting
