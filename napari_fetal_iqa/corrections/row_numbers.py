"""The numbers of a store's rows: which may be there, and whether any is left for the next."""

import sqlite3
from collections.abc import Iterator

from napari_fetal_iqa.corrections.database import DATABASE_ERRORS
from napari_fetal_iqa.corrections.tables import EVENT_TABLES

FIRST, LAST = -(1 << 63), (1 << 63) - 1
"""That SQLite knows; a store of ours counts up from 1, another program may have written any."""

_FEWEST_LEFT = 1 << 32
"""Of numbers, for a store that can be written to: no one says more."""

_FEWEST_BYTES = 64
"""Of a row: no more rows than this allows are looked for, whatever number the file says."""

_FULL = "it has no number left for another event, as its counter stands at the end"
NONE_LEFT = (
    f"{_FULL}; napari-fetal-iqa corrections check --store FILE --repair OUT makes a store that can "
    "be written to"
)
NONE_LEFT_IN_WINDOW = (
    f"{_FULL}; ask whoever looks after this machine to repair it. What is corrected meanwhile is "
    "kept beside it"
)


def has_no_number_left(connection: sqlite3.Connection) -> bool:
    """Return whether a store can never be written to again, however much room the disk has.

    SQLite gives a new event the number after the highest that it ever gave, and no other.
    """
    return any(_highest_given(connection, table) > LAST - _FEWEST_LEFT for table in EVENT_TABLES)


def _highest_given(connection: sqlite3.Connection, table: str) -> int:
    counter = "SELECT max(CAST(seq AS INTEGER)) FROM sqlite_sequence WHERE name = ?"
    found = [FIRST]
    for query, values in ((counter, (table,)), (f"SELECT max(rowid) FROM {table}", ())):
        try:
            (number,) = connection.execute(query, values).fetchone()
        except DATABASE_ERRORS:  # an old store has no such table; a damaged page is named elsewhere
            continue
        if isinstance(number, int):
            found.append(number)
    return max(found)


def numbers_to_try(
    connection: sqlite3.Connection, table: str, last: int | None = None
) -> Iterator[int]:
    """Return the numbers above the last that rows behind a damaged page may have.

    A made-up file may have rows at both ends of what SQLite knows: looked through is what lies
    beside the lowest number, around 0, where ours begin, and beside the highest.
    """
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
    possible = pages * page_bytes // _FEWEST_BYTES
    lowest = FIRST if last is None else last + 1
    highest = _end(connection, table, "max")
    begin = _end(connection, table, "min") if last is None else lowest
    ranges = [(-possible, possible)]
    if begin is not None:
        ranges.append((begin, begin + possible))
    if highest is not None:
        ranges.append((highest - possible, highest))
    following = lowest
    for start, stop in sorted(ranges):
        end = min(stop, LAST if highest is None else highest)
        yield from range(max(start, following), end + 1)
        following = max(following, end + 1)


def _end(connection: sqlite3.Connection, table: str, which: str) -> int | None:
    try:
        (number,) = connection.execute(f"SELECT {which}(rowid) FROM {table}").fetchone()
    except DATABASE_ERRORS:
        return None
    return number if isinstance(number, int) else None
