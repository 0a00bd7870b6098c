"""What earlier sessions could not save: offered in the panel, merged in the background."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_fetal_iqa.corrections.rescued import Rescued, look_for_rescued, merge_rescued, tidy
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.widgets.background.threads import RESCUING
from napari_fetal_iqa.widgets.panels.rescued_notice import RescuedNotice

logger = logging.getLogger(__name__)


class RescuedDesk(QObject):
    """Looks once for rescues of a store and asks in a notice; ``merged`` tells that all is in.

    Parameters
    ----------
    notice : RescuedNotice
    store : callable
        Gives the path of the store.
    parent : QObject
    """

    merged = Signal()

    def __init__(self, notice: RescuedNotice, store: Callable[[], Path], parent: QObject) -> None:
        super().__init__(parent)
        self._notice = notice
        self._store = store
        self._found: Sequence[Rescued] = ()
        notice.merge_requested.connect(self.merge)

    def look(self) -> None:
        """Look, in the background, for what earlier sessions rescued."""
        worker = RESCUING.worker(_look, self._store())
        worker.returned.connect(self._show)
        worker.errored.connect(self._failed)
        RESCUING.start(worker)

    def _show(self, found: Sequence[Rescued], refused: str = "") -> None:
        self._found = found
        if not found:
            return
        lines = [f"{refused}." if refused else "", _in_words(found), *_problems(found)]
        places = "\n".join(shown(one.path) for one in found)
        can_merge = any(not one.problem for one in found)
        self._notice.ask(" ".join(line for line in lines if line), places, can_merge)

    def merge(self) -> None:
        """Take over all that was rescued, file by file: each whole, or nothing of it."""
        self._notice.begin("Merging the rescued corrections…")
        worker = RESCUING.worker(_merge, self._store(), self._found)
        worker.returned.connect(self._end)
        worker.errored.connect(self._failed)
        RESCUING.start(worker)

    def _end(self, done: tuple[int, list[Rescued], str]) -> None:
        corrections, left, refused = done
        if corrections:
            self.merged.emit()
        if left:
            taken = f"{counted(corrections, 'correction')} merged. " if corrections else ""
            self._show(left, f"{taken}{refused}".rstrip("."))
        else:
            self._notice.end(f"{_were(corrections, 'merged')} into the corrections store")

    def _failed(self, error: Exception) -> None:
        logger.error("rescued corrections could not be looked at", exc_info=error)
        self._notice.ask(f"Nothing was merged: {type(error).__name__}: {error}", "", False)

    def close(self) -> None:
        """Say nothing more; what is being merged is merged."""
        self.blockSignals(True)


def _look(store: Path) -> list[Rescued]:
    return tidy(look_for_rescued(store))


def _merge(store: Path, found: Sequence[Rescued]) -> tuple[int, list[Rescued], str]:
    """Merge what can be merged; return how much, what is left, and why the first of it is."""
    corrections, refused = 0, ""
    for one in found:
        if one.problem:
            continue
        try:
            merge_rescued(store, one.path)
        except FetalIqaError as error:
            refused = refused or f"Not merged: {error.in_window}"
        else:
            corrections += one.corrections
    return corrections, tidy(look_for_rescued(store)), refused


def _were(corrections: int, done: str) -> str:
    return f"{counted(corrections, 'correction')} {'was' if corrections == 1 else 'were'} {done}"


def _in_words(found: Sequence[Rescued]) -> str:
    corrections = sum(one.corrections for one in found)
    if not corrections:
        return ""
    readable = sum(not one.problem for one in found)
    sessions = "the last session" if readable == 1 else f"{readable} earlier sessions"
    one = corrections == 1
    return (
        f"{counted(corrections, 'correction')} of {sessions} {'was' if one else 'were'} rescued: "
        f"{'it is' if one else 'they are'} not in the corrections store yet."
    )


def _problems(found: Sequence[Rescued]) -> list[str]:
    return [f"What was rescued cannot be read: {one.problem}." for one in found if one.problem]
