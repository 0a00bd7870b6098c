"""A folder of sweeps that is dropped on napari's window, or opened by its menu, is listed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari.plugins.utils import get_preferred_reader
from napari.viewer import Viewer

from napari_fetal_iqa.contributions.reader import get_reader
from napari_fetal_iqa.widgets.reader_choice import PLUGIN
from napari_fetal_iqa.widgets.viewer.compat import replace_open


def list_dropped(viewer: Viewer, open_folder: Callable[[Path], None]) -> Callable[[], None]:
    """Have folders that hold sweeps listed; all else is napari's, and what others shall read.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    open_folder : callable
        Lists the sweeps of a folder.

    Returns
    -------
    callable
        Undoes it.
    """

    def around(napari_open: Callable[..., Any]) -> Callable[..., Any]:
        def open_or_list(filenames: Sequence[str], *args: Any, **options: Any) -> Any:
            if len(filenames) == 1 and _is_ours(Path(filenames[0]), **options):
                open_folder(Path(filenames[0]))
                return None
            return napari_open(filenames, *args, **options)

        return open_or_list

    return replace_open(viewer, around)


def _is_ours(
    path: Path, plugin: str | None = None, choose_plugin: bool = False, **_: object
) -> bool:
    if choose_plugin or plugin not in (None, PLUGIN) or not path.is_dir():
        return False
    if get_preferred_reader(path) not in (None, PLUGIN):
        return False
    return get_reader(str(path)) is not None
