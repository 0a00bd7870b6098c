"""Closing while something is under way: what becomes of it is said before the window goes."""

from collections.abc import Callable, Sequence

from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import QMainWindow, QMessageBox


class ClosingQuestion(QObject):
    """Holds a close once while something is under way; a second close, or the answer, closes.

    Parameters
    ----------
    window : QMainWindow
    under_way : callable
        Says in one sentence each what is under way and what becomes of it on closing; nothing
        where nothing is.
    """

    def __init__(self, window: QMainWindow, under_way: Callable[[], Sequence[str]]) -> None:
        super().__init__(window)
        self._window = window
        self._under_way = under_way
        self.question: QMessageBox | None = None

    def may_close(self, close: Callable[[], object]) -> bool:
        """Whether nothing is under way, or it was said; else say it, and close by the answer."""
        said = () if self.question is not None else self._under_way()
        if said:
            self._ask(said, close)
        return not said

    def _ask(self, said: Sequence[str], close: Callable[[], object]) -> None:
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Information)
        box.setWindowTitle("Close the window?")
        box.setTextFormat(Qt.TextFormat.PlainText)  # names of files are others' words
        box.setText("\n\n".join(said))
        yes = box.addButton("Close", QMessageBox.ButtonRole.AcceptRole)
        stay = box.addButton("Stay", QMessageBox.ButtonRole.RejectRole)
        for button, tip in ((yes, "Close the window now"), (stay, "Do not close the window")):
            if button is not None:
                button.setToolTip(tip)
        box.setDefaultButton(yes)
        box.buttonClicked.connect(lambda button: close() if button is yes else self.stay())
        self.question = box
        box.open()

    def remove(self) -> None:
        """Ask nothing more, and hold on to nothing."""
        self.stay()
        self._under_way = _nothing
        self.deleteLater()

    def stay(self) -> None:
        """Ask again at the next close."""
        question, self.question = self.question, None
        if question is not None:
            question.deleteLater()


def _nothing() -> Sequence[str]:
    return ()
