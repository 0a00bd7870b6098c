"""What earlier sessions could not save: offered in the panel, merged in the background."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_fetal_iqa.corrections.rescued import (
    Rescued,
    count_new,
    look_for_rescued,
    merge_rescued,
    tidy,
)
from napari_fetal_iqa.corrections.rescuing import was_set_aside
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.widgets.background.threads import RESCUING
from napari_fetal_iqa.widgets.panels.rescued_notice import RescuedNotice

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Done:
    """What was merged, and by whom; what is left, and why the first of it is."""

    corrections: int
    elsewhere: int
    left: list[Rescued]
    refused: str


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

    def _end(self, done: _Done) -> None:
        if done.corrections or done.elsewhere:
            self.merged.emit()
        taken = f"{_were(done.corrections, 'merged')} into the corrections store"
        elsewhere = (
            f"{_were(done.elsewhere, 'merged')} by another window: nothing of that is left to merge"
            if done.elsewhere
            else ""
        )
        if done.left:
            said = (taken if done.corrections else "", elsewhere, done.refused.rstrip("."))
            self._show(done.left, ". ".join(part for part in said if part))
        elif elsewhere and not done.corrections:
            self._notice.end(elsewhere)
        else:
            self._notice.end(f"{taken}; {elsewhere}" if elsewhere else taken)

    def _failed(self, error: Exception) -> None:
        logger.error("rescued corrections could not be looked at", exc_info=error)
        self._notice.ask(f"Nothing was merged: {type(error).__name__}: {error}", "", False)

    def close(self) -> None:
        """Say nothing more; what is being merged is merged."""
        self.blockSignals(True)


def _look(store: Path) -> list[Rescued]:
    return tidy(look_for_rescued(store))


def _merge(store: Path, found: Sequence[Rescued]) -> _Done:
    """Merge what can be merged, and what another window has not merged since it was found."""
    corrections = elsewhere = 0
    refused = ""
    for one in found:
        if one.problem:
            continue
        try:
            new = count_new(one.path, store)
            merge_rescued(store, one.path)
        except FetalIqaError as error:
            if was_set_aside(one.path):
                elsewhere += one.corrections
            else:
                refused = refused or f"Not merged: {error.in_window}"
        else:
            corrections += new
            elsewhere += one.corrections - new
    return _Done(corrections, elsewhere, tidy(look_for_rescued(store)), refused)


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
