"""A connection to a SQLite file that a stranger may have made: bounded in memory and in time."""

import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any

LARGEST_VALUE = 1 << 23
"""Bytes: a packed mask of the largest frame has 2 MiB; SQLite alone would let a value have 1 GB."""

DATABASE_ERRORS = (sqlite3.Error, UnicodeError, OverflowError)
"""What reading and writing may raise; a damaged file's own messages may be no text at all."""

decoded = partial(str, encoding="utf-8", errors="surrogateescape")
"""Text of a database; what does not decode is let through here, and refused as a value later."""

_STEP = 1000
"""Steps of SQLite's machine between two looks: some twenty million a second on a slow desk, but
one that calls a function on a large value may take a hundredth of a second alone."""

_STEPS = 20_000_000

_STEPS_PER_BYTE = 8
"""Of the file. A sound event has over 200 bytes and takes some 30 steps, 300 to check."""

_SECONDS = 5.0
_BYTES_PER_SECOND = 250_000
"""Of the file: a thousand events, whose masks the reader unpacks between two of its steps."""


class BoundedConnection(sqlite3.Connection):
    """Stops a statement that takes longer than any can on a sound file of this size.

    Pages of a made-up file may point at each other so that reading them never ends.
    """

    def __init__(self, place: str, *arguments: Any, **named: Any) -> None:
        super().__init__(place, *arguments, **named)
        self._done = 0
        self._since = time.monotonic()
        self._file: Path | None = None
        self.set_progress_handler(self._count, _STEP)

    def watch(self, file: Path) -> None:
        """Measure what is too long by this file; without one, nothing is."""
        self._file = file

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Execute a statement, whose steps and seconds count from here."""
        self._done = 0
        self._since = time.monotonic()
        return super().execute(*arguments)

    def _count(self) -> bool:
        self._done += _STEP
        seconds = time.monotonic() - self._since
        if self._file is None or (self._done <= _STEPS and seconds <= _SECONDS):
            return False
        try:
            size = self._file.stat().st_size
        except OSError:
            return True
        return (
            self._done > _STEPS + _STEPS_PER_BYTE * size
            or seconds > _SECONDS + size / _BYTES_PER_SECOND
        )
