"""What was learnt of sweeps when they were read, so that they are known again without their frames.

Kept by the place of the files, with their sizes and times: a file that was changed since is not
known any more. It can all be learnt again, so what cannot be read here is as good as nothing.
"""

import json
import logging
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.geometry.mask_codec import decode_mask, encode_mask
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.sweep import Bounds, SweepVolume, is_earlier_phantom

logger = logging.getLogger(__name__)

_TABLE = """CREATE TABLE IF NOT EXISTS known (
    path TEXT PRIMARY KEY, stamp TEXT, identity TEXT, shape TEXT, spacing TEXT, bounds TEXT,
    field_of_view BLOB, simulated INTEGER
)"""
_COLUMN_SINCE = "ALTER TABLE known ADD COLUMN simulated INTEGER"
_DAMAGE = (sqlite3.Error, OSError, ValueError, TypeError, SweepError)


@dataclass(frozen=True)
class KnownSweep:
    """A sweep that was read before.

    Parameters
    ----------
    identity : str
        Content identity.
    shape : (T, H, W)
    spacing_mm : (float, float) or None
    bounds : tuple of (start, stop)
    field_of_view : bytes
        Packed (H, W) mask.
    simulated : bool
        Whether it is a phantom.
    """

    identity: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float] | None
    bounds: Bounds
    field_of_view: bytes
    simulated: bool = False

    def without_frames(self, name: str) -> SweepVolume:
        """Return the sweep to ask facts of: its identity and its field of view; frames are black.

        Raises
        ------
        SweepError, ValueError
            Where it is none.
        """
        black = np.broadcast_to(np.uint8(0), self.shape)
        sweep = SweepVolume(black, self.spacing_mm, self.bounds, name, simulated=self.simulated)
        # as if they had been computed, of frames that are not here
        vars(sweep)["identity"] = self.identity
        vars(sweep)["field_of_view"] = decode_mask(self.field_of_view, self.shape[1:])
        return sweep


def stamp(files: Sequence[Path]) -> str:
    """Return what changes when any of the files does: how many, their sizes and times.

    Raises
    ------
    OSError
        Where one is not there.
    """
    statuses = [path.stat() for path in files]
    size, latest = sum(s.st_size for s in statuses), max(s.st_mtime_ns for s in statuses)
    return f"{len(statuses)} {size} {latest}"


def remember(path: Path, files: Sequence[Path], sweep: SweepVolume) -> None:
    """Note what was learnt of a sweep, which lies in these files; computes what is not known yet.

    Raises
    ------
    OSError
        Where it cannot be noted.
    """
    row = (
        _name(path),
        stamp(files),
        sweep.identity,
        json.dumps(sweep.shape),
        json.dumps(sweep.spacing_mm),
        json.dumps(sweep.bounds),
        encode_mask(sweep.field_of_view),
        int(sweep.simulated),
    )
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(place, timeout=2)) as connection, connection:
            connection.execute(_TABLE)
            if "simulated" not in _columns(connection):  # of an earlier version
                connection.execute(_COLUMN_SINCE)
            connection.execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    except sqlite3.Error as error:
        raise OSError(None, f"the list of known sweeps cannot be written ({error})") from None


class KnownSweeps:
    """Looks sweeps up by the place of their files; of one thread, until :meth:`close`."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None
        if _place().exists():
            try:
                uri = f"{_place().resolve().as_uri()}?mode=ro"
                self._connection = sqlite3.connect(uri, timeout=2, uri=True)
            except sqlite3.Error:
                logger.warning("the list of known sweeps cannot be read")

    def close(self) -> None:
        """Close the file; nothing is known afterwards."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def find(self, path: Path, files: Sequence[Path]) -> KnownSweep | None:
        """Return what is known of the sweep in these files, unless they were changed since."""
        try:
            row = self._row("path", _name(path))
            return _known(row) if row is not None and row[1] == stamp(files) else None
        except _DAMAGE:
            return None

    def find_identity(self, identity: str) -> KnownSweep | None:
        """Return what is known of a sweep by its content, wherever its files are by now."""
        try:
            row = self._row("identity", identity)
            return _known(row) if row is not None else None
        except _DAMAGE:
            return None

    def _row(self, column: str, value: str | bytes) -> tuple[Any, ...] | None:
        if self._connection is None:
            return None
        simulated = "simulated" if "simulated" in _columns(self._connection) else "NULL"
        row: tuple[Any, ...] | None = self._connection.execute(
            "SELECT path, stamp, identity, shape, spacing, bounds, field_of_view, "
            f"{simulated} FROM known WHERE {column} = ?",
            (value,),
        ).fetchone()
        return row


def _known(row: tuple[Any, ...]) -> KnownSweep:
    place, _, identity, shape, spacing, bounds, field_of_view, simulated = row
    frames, rows, columns = json.loads(shape)
    spacing_mm = json.loads(spacing)
    name = Path(os.fsdecode(place)).stem
    return KnownSweep(
        str(identity),
        (int(frames), int(rows), int(columns)),
        None if spacing_mm is None else (float(spacing_mm[0]), float(spacing_mm[1])),
        tuple((int(start), int(stop)) for start, stop in json.loads(bounds)),
        bytes(field_of_view),
        is_earlier_phantom(name) if simulated is None else bool(simulated),
    )


def _columns(connection: sqlite3.Connection) -> set[str]:
    return {str(column[1]) for column in connection.execute("PRAGMA table_info(known)")}


def _name(path: Path) -> str | bytes:
    """Return a place as SQLite takes it: as bytes where its name is not UTF-8."""
    place = str(path.resolve())
    return place if is_utf8(place) else os.fsencode(place)


def is_utf8(text: str) -> bool:
    """Whether a text can be written: a file's name may hold bytes that are none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _place() -> Path:
    return paths.cache() / "known-sweeps.sqlite"
