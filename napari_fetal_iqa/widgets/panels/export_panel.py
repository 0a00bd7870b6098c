"""Folded away: all corrections as a data set, written by a process of its own."""

import sys
from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QProcess
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

_ABOUT = (
    "Every corrected sweep as a case of the ACOUSLIC-AI layout: frames, masks and circumferences, "
    "to train on or to share. Cases are named by their content; look for names that are burnt into "
    "the frames yourself."
)


class ExportPanel(QWidget):
    """Asks for a folder and runs ``napari-fetal-iqa corrections export``.

    Parameters
    ----------
    store : callable
        Gives the path of the store.
    """

    def __init__(self, store: Callable[[], Path]) -> None:
        super().__init__()
        self._store = store
        self._process: QProcess | None = None
        self._written = 0
        self._folder = ""
        about = QLabel(_ABOUT)
        about.setWordWrap(True)
        self.export = QPushButton("Export to a folder…")
        self.export.setToolTip("Write the corrections of all sweeps and all reviewers")
        self.export.clicked.connect(self._choose)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop; the sweeps that are written stay")
        self.cancel.clicked.connect(self._cancel)
        self.cancel.hide()
        self.message = QLabel()
        self.message.setWordWrap(True)
        buttons = QHBoxLayout()
        buttons.addWidget(self.export)
        buttons.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(about)
        column.addLayout(buttons)
        column.addWidget(self.message)

    def _choose(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export corrections to")
        if folder:
            self.start(folder)

    def start(self, folder: str) -> None:
        """Write the corrections into a folder; what is wrong is shown in the panel."""
        self.close_process()
        self._folder, self._written = folder, 0
        process = QProcess(self)
        process.readyReadStandardOutput.connect(self._count)
        process.finished.connect(lambda *_: self._finish(process))
        process.errorOccurred.connect(lambda _: self._finish(process))
        self._process = process
        self.export.setEnabled(False)
        self.cancel.show()
        self.message.setText("Exporting…")
        command = ["corrections", "export", folder, "--store", str(self._store())]
        process.start(sys.executable, ["-m", "napari_fetal_iqa", *command])

    def close_process(self) -> None:
        """Stop what is being written."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.waitForFinished(1000)
            process.deleteLater()
        self.export.setEnabled(True)
        self.cancel.hide()

    def _cancel(self) -> None:
        self.close_process()
        self.message.setText(f"Cancelled; {self._in_words()}")

    def _count(self) -> None:
        if self._process is not None:
            self._written += bytes(self._process.readAllStandardOutput().data()).count(b"\n")
            self.message.setText(f"Exporting, {self._in_words()}")

    def _finish(self, process: QProcess) -> None:
        if process is not self._process:
            return
        self._count()
        lines = bytes(process.readAllStandardError().data()).decode(errors="replace").splitlines()
        self.close_process()
        self.message.setText("\n".join([f"Done: {self._in_words()}", *lines]))

    def _in_words(self) -> str:
        sweeps = "sweep" if self._written == 1 else "sweeps"
        return f"{self._written} {sweeps} written to {Path(self._folder).name}"
