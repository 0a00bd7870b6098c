"""Reading a requested sweep, without holding the window up."""

from collections.abc import Callable
from pathlib import Path

from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_fetal_iqa.contributions.sample_data import demo_sweep_at_once
from napari_fetal_iqa.errors import words_in_window
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.io.read import read_source
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets.background.tasks import prepare_sweep
from napari_fetal_iqa.widgets.background.threads import READING


class SweepOpener(QObject):
    """Reads sweeps in a thread; ``opened`` brings each, ``failed`` tells what is wrong with one.

    ``source_failed`` tells it also with the source, where it was one of a folder. ``began`` names
    what is being opened, ``ended`` tells that nothing is any more.

    Where another sweep is requested before one is read, the one is not brought any more.

    Parameters
    ----------
    parent : QWidget
        Over which the dialogs appear.
    """

    began = Signal(str)
    opened = Signal(object)  # SweepVolume
    failed = Signal(str)
    source_failed = Signal(object, str)  # SweepSource, why
    ended = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent
        self._latest: object | None = None

    @property
    def opening(self) -> bool:
        """Whether a sweep is asked for that was not brought yet."""
        return self._latest is not None

    def choose_file(self) -> None:
        """Ask for a file and read it."""
        path, _ = QFileDialog.getOpenFileName(self._window, "Open a sweep")
        if path:
            self.read(path)

    def choose_folder(self) -> str:
        """Ask for a folder; empty where none was chosen."""
        return QFileDialog.getExistingDirectory(self._window, "Open a folder of sweeps or frames")

    def read(self, path: str) -> None:
        """Read a sweep, a file or a folder."""
        self._start(lambda: read_sweep(path), Path(path).name)

    def read_source(self, source: SweepSource) -> None:
        """Read a sweep that was found in a folder, to its end: another is on the screen yet."""
        self._start(lambda: prepare_sweep(read_source(source)), source.name, source)

    def read_phantom(self) -> None:
        """Bring the phantom; where it must be simulated, with its first frame."""
        self._start(demo_sweep_at_once, "the phantom")

    def give(self, sweep: SweepVolume) -> None:
        """Bring a sweep that was read already."""
        self._latest = None
        self.opened.emit(sweep)
        self.ended.emit()

    def _start(
        self, read: Callable[[], SweepVolume], name: str, source: SweepSource | None = None
    ) -> None:
        worker = READING.worker(read)
        self._latest = worker
        worker.returned.connect(lambda sweep: self._bring(worker, sweep))
        worker.errored.connect(lambda error: self._fail(worker, error, source))
        worker.finished.connect(lambda: self._end(worker))
        READING.start(worker)
        self.began.emit(name)

    def _end(self, worker: object) -> None:
        if worker is self._latest and isalive(self):  # the window may be gone by now
            self._latest = None
            self.ended.emit()

    def _bring(self, worker: object, sweep: SweepVolume) -> None:
        if worker is self._latest:
            self.opened.emit(sweep)

    def _fail(self, worker: object, error: Exception, source: SweepSource | None) -> None:
        if worker is self._latest:
            self.failed.emit(words_in_window(error))
            if source is not None:
                self.source_failed.emit(source, words_in_window(error))
