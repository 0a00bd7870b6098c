"""The file that a trainer's events go to, read while it grows."""

from collections.abc import Iterable
from pathlib import Path

from napari_fetal_iqa.finetuning.events import Event, parse_event

READ_BYTES = 256 * 1024
"""At most so much is read at a time, so that a window that finds a long training stays smooth."""


class EventLog:
    """Reads the events of one training.

    Parameters
    ----------
    path : Path
        Of the JSON lines; need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def new(self) -> list[Event]:
        """Return what came since the last call; at most some hundred kilobytes of it.

        A last line that is half written waits for the next call; a line that is no event is
        left out.
        """
        size = READ_BYTES
        try:
            with self._path.open("rb") as file:
                while True:
                    file.seek(self._position)
                    chunk = file.read(size)
                    lines, newline, _ = chunk.rpartition(b"\n")
                    if newline or len(chunk) < size:
                        break
                    size *= 2
        except OSError:
            return []
        self._position += len(lines) + len(newline)
        return parsed(lines.split(b"\n"))

    def every(self, *names: str) -> list[Event]:
        """Return all events of these names, be they whole or the last and half written."""
        try:
            lines = self._path.read_bytes().split(b"\n")
        except OSError:
            return []
        # a long training has many thousand steps: only lines that name these events are parsed
        return parsed(line for line in lines if any(f'"{name}"'.encode() in line for name in names))


def parsed(lines: Iterable[bytes]) -> list[Event]:
    """Read lines, and leave out what is no event."""
    return [event for line in lines if (event := parse_event(line)) is not None]
