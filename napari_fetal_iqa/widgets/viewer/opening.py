"""Files that somebody opens in napari's window: what is wrong with them is told to our panel."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari.errors import NoAvailableReaderError, ReaderPluginError
from napari.viewer import Viewer

from napari_fetal_iqa.contributions.unopened import asked_by_window, take_waiting
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.widgets.viewer.compat import replace_open

_FORMATS = "MetaImage, NIfTI, NRRD, DICOM, video, animated GIF, or a folder of frames"


def tell_unopened(viewer: Viewer, told: Callable[[str], None]) -> Callable[[], None]:
    """Have what cannot be opened by drop, by menu or on the command line told in our words.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    told : callable
        Gets what is wrong, a line for each file.

    Returns
    -------
    callable
        Undoes it.
    """

    def around(napari_open: Callable[..., Any]) -> Callable[..., Any]:
        def open_and_tell(filenames: Sequence[str], *args: Any, **options: Any) -> Any:
            with asked_by_window() as messages:
                try:
                    opened = napari_open(filenames, *args, **options)
                except (NoAvailableReaderError, ReaderPluginError, SweepError, OSError) as error:
                    messages.append(_in_words(error, filenames))
                    opened = None
            if messages:
                told("\n".join(messages))
            return opened

        return open_and_tell

    if waiting := take_waiting():
        told("\n".join(waiting))
    return replace_open(viewer, around)


def _in_words(error: Exception, filenames: Sequence[str]) -> str:
    missing = [name for name in filenames if not Path(name).exists()]
    if missing:
        return f"{shown(missing[0])}: there is no such file; it may have been moved or renamed"
    if isinstance(error, NoAvailableReaderError):
        # without a reader napari stops at the first file that has none
        named = [str(path) for path in error.paths] if hasattr(error, "paths") else []
        name = (named or list(filenames))[0]
        if name.lower().endswith(".zip"):
            return f"{shown(name)}: no sweep; a model is added by Models… in Models and reviewer"
        return f"{shown(name)}: no file that can be opened here; choose {_FORMATS}"
    original = getattr(error, "original_error", None) or error
    return f"{shown(filenames[0])}: cannot be opened ({shown(original)})"
