"""Nothing is lost on closing: the window is held while corrections are not on disk."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from qtpy.QtCore import QCoreApplication, QEvent, QObject
from qtpy.QtWidgets import QFileDialog, QMainWindow, QMessageBox, QPushButton

from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.errors import StoreError, words_in_window
from napari_fetal_iqa.widgets.background.closing_question import ClosingQuestion
from napari_fetal_iqa.widgets.background.store_keeper import StoreKeeper

logger = logging.getLogger(__name__)

_AT_NEXT_START = "the next start of the window offers to take over what is kept."


class CloseGuard(QObject):
    """Watches napari's window: what is unsaved holds it once, and what was saved lets it go.

    At the first close with something unsaved, that is rescued into a store of its own and the
    person is asked; a second close, or the answer, closes all the same.

    Parameters
    ----------
    window : QMainWindow
    keeper : StoreKeeper
    shut_down : callable
        Called when the window is closed for good, and when the program ends.
    under_way : callable
        Says what else is under way, see :class:`ClosingQuestion`.

    Attributes
    ----------
    going_on : ClosingQuestion
        Asked once nothing is unsaved.
    """

    def __init__(
        self,
        window: QMainWindow,
        keeper: StoreKeeper,
        shut_down: Callable[[], None],
        under_way: Callable[[], Sequence[str]],
    ) -> None:
        super().__init__(window)
        self._window = window
        self._keeper = keeper
        self._shut_down = shut_down
        self._closing = False
        self._then: Callable[[], object] = window.close
        self.question: QMessageBox | None = None
        self._needless: list[QPushButton] = []  # once everything is saved
        self.going_on = ClosingQuestion(window, under_way)
        window.installEventFilter(self)
        keeper.saved.connect(self._say_saved)
        application = QCoreApplication.instance()
        assert application is not None
        application.aboutToQuit.connect(shut_down)

    def remove(self) -> None:
        """Watch no longer, and hold on to nothing."""
        self._window.removeEventFilter(self)
        self._keeper.saved.disconnect(self._say_saved)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.disconnect(self._shut_down)
        self._stay()
        self.going_on.remove()
        self._shut_down = self._then = _nothing
        self.deleteLater()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Hold a close, or note that it went through: then the window hides."""
        if watched is not self._window or event is None:
            return False
        if event.type() == QEvent.Type.Close:
            self._closing = self.may_close(self._window.close)
            if not self._closing:
                event.ignore()
                return True
        elif event.type() == QEvent.Type.Hide and self._closing and not event.spontaneous():
            self._shut_down()
        return False

    def may_close(self, close: Callable[[], object]) -> bool:
        """Whether nothing is unsaved, or under way; else ask, and close so by the answer."""
        unsaved = 0 if self.question else self._keeper.unsaved
        if unsaved:
            self._then = close
            self._ask(unsaved)
            return False
        return self.going_on.may_close(close)

    def _ask(self, unsaved: int, first: str = "") -> None:
        one = unsaved == 1
        corrections = f"{counted(unsaved, 'correction')} {'is' if one else 'are'}"
        they = "It is" if one else "They are"
        try:
            path = self._keeper.rescue()
            kept = f"{they} kept in {path} in any case: {_AT_NEXT_START}" if path else ""
            kept = f"{kept} {self._keeper.beyond_rescue}".strip()
        except (StoreError, OSError) as error:
            it = "It" if one else "They"
            kept = f"{it} could not be kept elsewhere either: {words_in_window(error)}"
        logger.warning("closing was held: %s not saved. %s", corrections, kept)
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Not saved")
        box.setText(f"{corrections} not saved yet: the corrections store cannot be written.")
        box.setInformativeText(f"{first}\n\n{kept}".strip())
        again = box.addButton("Try again", QMessageBox.ButtonRole.AcceptRole)
        elsewhere = box.addButton("Save elsewhere…", QMessageBox.ButtonRole.ActionRole)
        close = box.addButton("Close", QMessageBox.ButtonRole.DestructiveRole)
        stay = box.addButton("Stay", QMessageBox.ButtonRole.RejectRole)
        for button, tip in (
            (again, "Write them to the store once more, and close"),
            (elsewhere, "Choose a file for them, or a store that they are added to, and close"),
            (close, "Close; the next start offers to take over what is kept"),
            (stay, "Do not close; saving is tried again by itself"),
        ):
            if button is not None:
                button.setToolTip(tip)
        box.setDefaultButton(again)
        self._needless = [button for button in (again, elsewhere) if button is not None]
        answers = {again: self._try_again, elsewhere: self._save_elsewhere, close: self._close}
        box.buttonClicked.connect(lambda button: answers.get(button, self._stay)())
        self.question = box
        box.open()

    def _say_saved(self) -> None:
        """Do not go on saying that something is unsaved."""
        if self.question is not None:
            self.question.setWindowTitle("Saved")
            self.question.setIcon(QMessageBox.Icon.Information)
            self.question.setText("Everything is saved by now.")
            self.question.setInformativeText("")
            for button in self._needless:
                button.hide()

    def _stay(self) -> None:
        question, self.question = self.question, None
        if question is not None:
            question.deleteLater()

    def _try_again(self) -> None:
        self._stay()
        self._then()

    def _save_elsewhere(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self._window,
            "Save corrections: a store that is there already keeps what it has",
            "rescued-corrections.sqlite",
            "Corrections (*.sqlite)",
            # nothing is overwritten: what is there is added to, or refused
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if not path:
            self._ask_again()
            return
        try:
            self._keeper.rescue(Path(path))
        except (StoreError, OSError) as error:
            self._ask_again(f"Nothing was changed there: {words_in_window(error)}")
            return
        self._close()

    def _ask_again(self, first: str = "") -> None:
        """Ask once more, as nothing was saved; first say why."""
        self._stay()
        if unsaved := self._keeper.unsaved:
            self._ask(unsaved, first)
        else:  # written meanwhile
            self._then()

    def _close(self) -> None:
        self._then()  # not held: the question is still there


def _nothing() -> None:
    """Do nothing."""
