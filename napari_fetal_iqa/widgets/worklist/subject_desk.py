"""Whose sweeps these are: asked beside the list, noted in the background."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_fetal_iqa.errors import FetalIqaError, words_in_window
from napari_fetal_iqa.review.worklist.columns import Row
from napari_fetal_iqa.review.worklist.subjects import say_subject
from napari_fetal_iqa.widgets.background.threads import SUBJECTS
from napari_fetal_iqa.widgets.worklist.subject_dialog import SubjectDialog

logger = logging.getLogger(__name__)

_PIECE_S = 0.3
"""What was noted is shown as soon as so long went by."""


class SubjectDesk(QObject):
    """Asks for subjects and notes them; ``noted`` gives the rows that are another subject's now.

    ``doing`` tells in one line how it goes, ``failed`` why it does not.

    Parameters
    ----------
    store : callable
        Gives the path of the corrections store.
    """

    noted = Signal(list)
    doing = Signal(str)
    failed = Signal(str)

    def __init__(self, store: Callable[[], Path], parent: QObject) -> None:
        super().__init__(parent)
        self._store = store
        self._workers: list[Any] = []
        self.dialog: SubjectDialog | None = None

    def ask(self, rows: Sequence[Row], parent: QWidget | None) -> None:
        """Ask whose sweeps these are, in the place of what was asked before."""
        self._leave_dialog()
        known = any(row.subject for row in rows)
        dialog = SubjectDialog([row.name for row in rows], known, parent)
        dialog.answered.connect(lambda name: self.say(rows, name))
        dialog.finished.connect(lambda: self._left(dialog))
        self.dialog = dialog
        dialog.show()

    def _left(self, dialog: SubjectDialog) -> None:
        if dialog is self.dialog:
            self.dialog = None

    def _leave_dialog(self) -> None:
        if self.dialog is not None:
            self.dialog.reject()

    def say(self, rows: Sequence[Row], name: str) -> None:
        """Note in the background whose sweeps these are; without a name, that nobody knows."""
        worker = SUBJECTS.worker(_in_pieces, rows, name or None, self._store())
        done: list[Row] = []
        worker.yielded.connect(lambda piece: self._take(rows, done, piece))
        worker.returned.connect(lambda _: self._end(done, bool(name)))
        worker.errored.connect(lambda error: self._fail(rows, done, error))
        worker.finished.connect(lambda: self._workers.remove(worker))
        self._workers.append(worker)
        self.doing.emit("Noting the subject…")
        SUBJECTS.start(worker)

    def _take(self, rows: Sequence[Row], done: list[Row], piece: list[int]) -> None:
        fresh = [rows[number] for number in piece]
        done += fresh
        self.noted.emit(fresh)
        if len(done) < len(rows):
            self.doing.emit(f"Noting the subject, {len(done)} of {len(rows)}…")

    def _end(self, done: list[Row], known: bool) -> None:
        sweeps = "one sweep" if len(done) == 1 else f"{len(done)} sweeps"
        self.doing.emit(f"Subject of {sweeps} {'noted' if known else 'forgotten'}")

    def _fail(self, rows: Sequence[Row], done: list[Row], error: Exception) -> None:
        if not isinstance(error, FetalIqaError):
            logger.error("noting a subject failed", exc_info=error)
        foreseen = isinstance(error, FetalIqaError)
        why = words_in_window(error) if foreseen else f"{type(error).__name__}: {error}"
        far = f"Subject noted of {len(done)} of {len(rows)} sweeps"
        self.doing.emit(far)
        self.failed.emit(f"{far}: {why}")

    def close(self) -> None:
        """Ask nothing more, and stop after the sweep that is being noted."""
        self._leave_dialog()
        self.blockSignals(True)
        for worker in self._workers:
            worker.quit()
            logger.warning("closed while a subject was being noted; look which sweeps have it")


def _in_pieces(rows: Sequence[Row], name: str | None, store: Path) -> Iterator[list[int]]:
    piece: list[int] = []
    since = time.monotonic()
    try:
        for number in say_subject([(n, row.source) for n, row in enumerate(rows)], name, store):
            piece.append(number)
            if time.monotonic() - since > _PIECE_S:
                yield piece
                piece, since = [], time.monotonic()
    except Exception:
        yield piece  # is noted all the same
        raise
    yield piece
