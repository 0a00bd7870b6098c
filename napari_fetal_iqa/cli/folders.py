"""Which sweeps a command means by the paths that it is given."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.discovery import SweepSource, look_into


def find_sweeps(paths: Iterable[Path]) -> Iterator[SweepSource]:
    """Return every sweep that is meant: of a folder all that it holds.

    What a folder holds besides is named on standard error. What is no sweep is given too: reading
    it says why.
    """
    for path in paths:
        try:
            contents = look_into(path) if path.is_dir() else None
        except (OSError, SweepError):
            contents = None
        if contents is None or not contents.sweeps:
            yield SweepSource(path)
            continue
        if contents.notice:
            echo(contents.notice, err=True)
        yield from contents.sweeps
