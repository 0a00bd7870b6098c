"""Rows that no store would write any more, written past it."""

import sqlite3
import uuid
from contextlib import closing

import pytest

EVENT = {
    "time": "2026-11-22T10:00:00.000000+00:00",
    "reviewer": "Eve",
    "frame": 1,
    "kind": "label",
    "action": "a",
    "label": None,
    "mask": None,
    "accepted": 0,
    "tool": "0",
}


def insert(path, table, row):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        marks = ", ".join("?" * len(row))
        connection.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
        )
        connection.commit()


@pytest.fixture
def write_raw():
    """Write a row of a table, or an event of a sweep, as an earlier version let it in."""

    def write(path, of=None, table="event", **columns):
        if table != "sweep":
            columns = {"sweep": of, **columns}
        if table == "event":
            columns = {**EVENT, "uid": uuid.uuid4().hex, **columns}
        insert(path, table, columns)

    return write
