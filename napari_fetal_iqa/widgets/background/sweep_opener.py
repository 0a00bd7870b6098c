"""Reading a requested sweep, without holding the window up."""

from collections.abc import Callable

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_fetal_iqa.contributions.sample_data import demo_sweep
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets.background.threads import READING


class SweepOpener(QObject):
    """Reads sweeps in a thread; ``opened`` brings each, ``failed`` tells what is wrong with one.

    Parameters
    ----------
    parent : QWidget
        Over which the dialogs appear.
    """

    opened = Signal(object)  # SweepVolume
    failed = Signal(str)
    ended = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent

    def choose_file(self) -> None:
        """Ask for a file and read it."""
        path, _ = QFileDialog.getOpenFileName(self._window, "Open a sweep")
        if path:
            self.read(path)

    def choose_folder(self) -> None:
        """Ask for a folder and read it."""
        path = QFileDialog.getExistingDirectory(self._window, "Open a folder of frames")
        if path:
            self.read(path)

    def read(self, path: str) -> None:
        """Read a sweep, a file or a folder."""
        self._start(lambda: read_sweep(path))

    def read_phantom(self) -> None:
        """Read the phantom; simulating it the first time takes some seconds."""
        self._start(demo_sweep)

    def _start(self, read: Callable[[], SweepVolume]) -> None:
        worker = READING.worker(read)
        worker.returned.connect(self.opened)
        worker.errored.connect(lambda error: self.failed.emit(str(error)))
        worker.finished.connect(self.ended)
        READING.start(worker)
