"""Runs a command of ours beside the window, one at a time, and tells how it goes."""

import os
import signal
import sys
from contextlib import suppress

from qtpy.QtCore import QObject, QProcess, Signal

from napari_fetal_iqa.model_library.command import command, for_people, read_progress

_GRACE_MS = 2000


class CommandRunner(QObject):
    """``began`` gives what is done in words, ``advanced`` how far it is, ``ended`` what came of it.

    ``ended`` has whether it succeeded, and what it said, for people; empty after a cancel.
    """

    began = Signal(str)
    advanced = Signal(int, int)
    ended = Signal(bool, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._said: list[str] = []

    @property
    def running(self) -> bool:
        """Whether a command is on its way."""
        return self._process is not None

    def run(self, doing: str, *arguments: str) -> bool:
        """Run ``napari-fetal-iqa`` with these arguments; False where another is on its way."""
        if self.running:
            return False
        program, *rest = command(*arguments)
        process = QProcess(self)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(lambda *_: self._finish(process))
        process.errorOccurred.connect(lambda _: self._finish(process))
        self._process, self._said = process, []
        self.began.emit(doing)
        process.start(program, rest)
        return True

    def cancel(self) -> None:
        """Ask the command to stop, as Ctrl-C does, so that it clears up; end it if it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        if sys.platform != "win32" and process.processId():
            with suppress(ProcessLookupError):
                os.kill(process.processId(), signal.SIGINT)
        else:
            process.kill()
        process.finished.connect(process.deleteLater)
        self._end_soon(process)
        self.ended.emit(False, "")

    def _end_soon(self, process: QProcess) -> None:
        """Kill what has not stopped, without waiting for it here."""
        from qtpy.QtCore import QTimer

        def kill() -> None:
            with suppress(RuntimeError):  # it has ended and is deleted
                process.kill()

        QTimer.singleShot(_GRACE_MS, kill)

    def close(self) -> None:
        """End what is on its way, for good."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.waitForFinished(_GRACE_MS)
            process.deleteLater()

    def _read(self) -> None:
        process = self._process
        if process is None:
            return
        for line in (
            bytes(process.readAllStandardOutput().data()).decode(errors="replace").split("\n")
        ):
            progress = read_progress(line)
            if progress is not None:
                self.advanced.emit(*progress)
            elif line.strip():
                self._said.append(line.rstrip())

    def _finish(self, process: QProcess) -> None:
        if process is not self._process:
            return
        self._read()
        self._process = None
        errors = bytes(process.readAllStandardError().data()).decode(errors="replace")
        done = process.exitStatus() == QProcess.ExitStatus.NormalExit and process.exitCode() == 0
        said = "\n".join(self._said)
        if not done:
            lines = [line for line in errors.splitlines() if line.strip()]
            ours = [for_people(line) for line in lines if line.startswith("napari-fetal-iqa: ")]
            said = "\n".join(ours) or (lines[-1] if lines else "It ended without saying why")
        process.deleteLater()
        self.ended.emit(done, said)
