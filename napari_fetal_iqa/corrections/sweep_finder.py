"""From content identity back to the file: where a corrected sweep lies on this machine."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from napari_fetal_iqa.corrections.rows import SweepRecord
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.storage.paths import known_location
from napari_fetal_iqa.sweep import SweepVolume

logger = logging.getLogger(__name__)

FIELD = "Moved sweeps"
"""The window's name for the folders to search."""


def is_where_it_was(record: SweepRecord) -> bool:
    """Return whether a sweep of that shape lies where it was last opened; reads no frame."""
    place = known_location(record.identity)
    if place is None:
        return False
    try:
        return read_sweep(place).shape == record.shape
    except SweepError:
        return False


class SweepFinder:
    """Finds sweeps by content: where they were last opened, else in the given folders.

    Parameters
    ----------
    folders : sequence of Path
        Searched with their subfolders; a file's content decides, not its name.

    Raises
    ------
    SweepError
        Where a folder is not there.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise SweepError(f"{folder}: there is no such folder of sweeps; check the path")
        self._unread = self._candidates(folders)
        self._found: dict[str, Path] = {}

    def find(self, record: SweepRecord) -> SweepVolume:
        """Open the sweep of a record; its content is checked the first time.

        Raises
        ------
        SweepError
            Names the file where it is gone or has changed since its frames were corrected.
        """
        if record.identity in self._found:
            return read_sweep(self._found[record.identity])
        known = known_location(record.identity)
        if known is not None and self._opens_as(known) == record.identity:
            return read_sweep(known)
        for path in self._unread:
            if self._opens_as(path) == record.identity:
                return read_sweep(path)
        frames, rows, columns = record.shape
        size = f"{counted(frames, 'frame')} of {rows} x {columns}"
        facts = f"sweep {record.identity[:8]}, {size}"
        if known is None:
            said = f"{facts}: was corrected, but never opened on this machine"
            raise SweepError(
                f"{said}; give the folder that holds it with --sweeps",
                f"{said}; give the folder that holds it as {FIELD!r}",
            )
        what = "has changed since its frames were corrected" if known.exists() else "is gone"
        said = f"{known}: {what} ({facts})"
        raise SweepError(
            f"{said}; give the folder of the original with --sweeps",
            f"{said}; give the folder of the original as {FIELD!r}",
        )

    def check(self, records: Iterable[SweepRecord]) -> None:
        """Find every sweep, or name all those that are not found.

        Raises
        ------
        SweepError
        """
        wrong = []
        for record in records:
            try:
                self.find(record)
            except SweepError as error:
                wrong.append(str(error))
        if wrong:
            several = f"{len(wrong)} sweeps are not found: " if len(wrong) > 1 else ""
            raise SweepError(several + "; ".join(wrong))

    def _opens_as(self, path: Path) -> str | None:
        """Content identity of a file, noted for later; None where it is no sweep."""
        try:
            identity = read_sweep(path).identity
        except SweepError as error:
            logger.info("%s", shown(error))
            return None
        self._found[identity] = path
        return identity

    @staticmethod
    def _candidates(folders: Iterable[Path]) -> Iterator[Path]:
        for folder in folders:
            yield from (path for path in sorted(folder.rglob("*")) if path.is_file())
