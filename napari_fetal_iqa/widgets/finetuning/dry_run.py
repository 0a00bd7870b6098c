"""Asks the trainer what there is to learn from, and does not wait for the answer."""

from collections.abc import Sequence

from qtpy.QtCore import QObject, QProcess, Signal

from napari_fetal_iqa.finetuning.event_log import parsed
from napari_fetal_iqa.finetuning.events import ErrorEvent, SummaryEvent
from napari_fetal_iqa.process_priority import give_way

_NO_ANSWER = "The corrections could not be counted; press Refresh to try again"


class DryRun(QObject):
    """At most one question at a time: ``answered`` gives the summaries, ``failed`` one line."""

    answered = Signal(list)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None

    def ask(self, command: Sequence[str]) -> None:
        """Ask, and forget the question before."""
        self.close()
        process = QProcess(self)
        process.finished.connect(lambda *_: self._finish(process))
        process.errorOccurred.connect(lambda _: self._finish(process))
        process.started.connect(lambda: give_way(process.processId()))
        self._process = process
        process.start(command[0], list(command[1:]))

    def close(self) -> None:
        """Ask no longer."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.waitForFinished(1000)
            process.deleteLater()

    def _finish(self, process: QProcess) -> None:
        if process is not self._process:
            return
        self._process = None
        process.deleteLater()
        lines = bytes(process.readAllStandardOutput().data()).splitlines()
        events = parsed(lines)
        found = [event for event in events if isinstance(event, SummaryEvent)]
        error = next((event.message for event in events if isinstance(event, ErrorEvent)), None)
        # what there is too little of ends the dry run, too, and its summary says it better
        if found and (error is None or any(one.problem for one in found)):
            self.answered.emit(found)
        else:
            self.failed.emit(error or _NO_ANSWER)
