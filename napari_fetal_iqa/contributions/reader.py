"""What napari calls to open a sweep (npe2 reader contribution)."""

from collections.abc import Callable
from pathlib import Path

from napari_fetal_iqa.contributions import unopened
from napari_fetal_iqa.contributions.layers import LayerData, sweep_layer
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.discovery import find_reader, is_dicom, is_picture, look_into
from napari_fetal_iqa.io.read import read_sweep

LOOK_AT_FILES = 1000
"""Files of a folder that are looked at to see whether it is ours.

Fewer than :data:`~napari_fetal_iqa.io.discovery.MAX_FILES`, as napari's window waits meanwhile.
"""

ReadFunction = Callable[[str | list[str]], list[LayerData]]

NO_LAYER: LayerData = (None,)  # type: ignore[assignment]
"""What npe2 takes for "read, and there is nothing to show"."""


def get_reader(path: str | list[str]) -> ReadFunction | None:
    """Return the function that opens a path, or None where it is not a sweep of ours.

    Decides by the ending, for other files by the DICOM prefix, for folders by whether they hold
    sweeps. A single PNG or JPEG is left to napari's own reader. What may not
    be read is taken, so that opening it says why.
    """
    if not isinstance(path, str):
        return None  # files that napari shall stack
    try:
        ours = _holds_sweeps(Path(path)) if Path(path).is_dir() else _is_sweep(Path(path))
    except PermissionError:
        ours = True
    return read_layers if ours else None


def read_layers(path: str | list[str]) -> list[LayerData]:
    """Open a sweep as one layer.

    Where it cannot be read and somebody opens it in a window, that is told to the window, and
    there is no layer.

    Raises
    ------
    SweepError
        Where it cannot be read, and a script opens it.
    """
    paths = [path] if isinstance(path, str) else path
    try:
        return [sweep_layer(read_sweep(one)) for one in paths]
    except SweepError as error:
        if unopened.tell(error.in_window):
            return [NO_LAYER]
        raise


def _is_sweep(path: Path) -> bool:
    if is_picture(path):
        return False
    if find_reader(path) is not None:
        return True
    return path.is_file() and is_dicom(path)


def _holds_sweeps(folder: Path) -> bool:
    return bool(look_into(folder, LOOK_AT_FILES).sweeps)
