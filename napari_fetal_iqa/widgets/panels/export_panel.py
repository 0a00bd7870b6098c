"""Folded away: all corrections as a data set, written by a process of its own."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QProcess
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_fetal_iqa.corrections.export_request import ExportRequest, read_written
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.foreign_text import first_large
from napari_fetal_iqa.process_priority import give_way
from napari_fetal_iqa.widgets.forms import ModelForm
from napari_fetal_iqa.widgets.panels.eliding_label import ElidingLabel

_ABOUT = (
    "Every corrected sweep as a case of the ACOUSLIC-AI layout: frames, masks and circumferences, "
    "to train on or to share. Cases are named by their content; look for names that are burnt into "
    "the frames yourself."
)

_OF_THE_COMMAND = re.compile(r"^napari-fetal-iqa: (?:[0-9a-f]{8}[0-9a-f-]*: )?")
"""How the command begins a line: with its name, and that of the case, which is a hash."""


class ExportPanel(QWidget):
    """Asks for a folder and what to write, and runs ``napari-fetal-iqa corrections export``.

    Parameters
    ----------
    store : callable
        Gives the path of the store.
    """

    def __init__(self, store: Callable[[], Path]) -> None:
        super().__init__()
        self._store = store
        self._process: QProcess | None = None
        self._written: Counter[str] = Counter()
        self._folder = ""
        about = QLabel(_ABOUT)
        about.setWordWrap(True)
        self.form = ModelForm(ExportRequest(), list(ExportRequest.model_fields))
        self.form.changed.connect(self._offer)
        self.export = QPushButton("Export")
        self.export.clicked.connect(lambda: self.start(self.form.value))
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop; the sweeps that are written stay")
        self.cancel.clicked.connect(self._cancel)
        self.cancel.hide()
        self.message = ElidingLabel()
        buttons = QHBoxLayout()
        buttons.addWidget(self.export)
        buttons.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(about)
        column.addWidget(self.form)
        column.addLayout(buttons)
        column.addWidget(self.message)
        self._offer(self.form.value)

    def _offer(self, request: ExportRequest) -> None:
        """Let an export start once there is a folder to write into."""
        self.export.setEnabled(bool(request.folder) and self._process is None)
        self.export.setToolTip(
            "Write the corrections of all sweeps as a data set"
            if request.folder
            else "Choose a folder to write into first"
        )

    def start(self, request: ExportRequest) -> None:
        """Write the corrections into a folder; what is wrong is shown in the panel."""
        self.close_process()
        self._folder, self._written = request.folder, Counter()
        process = QProcess(self)
        process.readyReadStandardOutput.connect(self._count)
        process.finished.connect(lambda *_: self._finish(process))
        process.errorOccurred.connect(lambda _: self._finish(process))
        process.started.connect(lambda: give_way(process.processId()))
        self._process = process
        self.export.setEnabled(False)
        self.cancel.show()
        self.message.setText("Exporting…")
        program, *arguments = request.command(self._store())
        process.start(program, arguments)

    def when_closed(self) -> str:
        """Say what becomes of an export when the window is closed; empty where none runs."""
        if self._process is None:
            return ""
        return (
            f"Corrections are being exported: {self._in_words()}. Closing ends that; what is "
            "written stays, and exporting again into the same folder completes it."
        )

    def close_process(self) -> None:
        """Stop what is being written."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.waitForFinished(1000)
            process.deleteLater()
        self.cancel.hide()
        self._offer(self.form.value)

    def _cancel(self) -> None:
        self.close_process()
        self.message.setText(f"Cancelled; {self._in_words()}")

    def _count(self) -> None:
        process = self._process
        if process is not None:
            process.setReadChannel(QProcess.ProcessChannel.StandardOutput)
            while process.canReadLine():
                line = bytes(process.readLine().data()).decode(errors="replace")
                if (written := read_written(line)) is not None:
                    count, what = written
                    self._written[what] += count
            self.message.setText(f"Exporting, {self._in_words()}")

    def _finish(self, process: QProcess) -> None:
        if process is not self._process:
            return
        self._count()
        lines = bytes(process.readAllStandardError().data()).decode(errors="replace").splitlines()
        self.close_process()
        # for people: neither the command's name nor the case's
        shown = [first_large(_OF_THE_COMMAND.sub("", line)) for line in lines]
        reasons = [line for line in dict.fromkeys(shown) if line]
        if self._written.total():
            first = f"Done: {self._in_words()}"
        else:
            first = f"Nothing was written to {Path(self._folder).name}"
            reasons = reasons or ["The export ended without saying why; try it again"]
        self.message.setText("\n".join([first, *reasons]))

    def _in_words(self) -> str:
        said = f"{counted(self._written['sweep'], 'sweep')} written to {Path(self._folder).name}"
        for what in ("free caliper", "judged frame"):
            if count := self._written[what]:
                said = f"{said}, and {counted(count, what)}"
        return said
