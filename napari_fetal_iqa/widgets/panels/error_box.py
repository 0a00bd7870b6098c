"""What went wrong, in full, with a button that copies it and one that puts it away."""

import re

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QApplication, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_fetal_iqa import colours
from napari_fetal_iqa.widgets.theme import write_in

_BREAK = "\u200b"  # a place where a line may end, which nobody sees
_LONGEST_RUN = 24


class MessageLabel(QLabel):
    """Plain text that wraps wherever it must: names of files have no spaces.

    ``text`` is what was set, without the places where lines may end.
    """

    def __init__(self) -> None:
        super().__init__()
        self._message = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)

    def setText(self, text: str | None) -> None:
        """Show a message."""
        self._message = text or ""
        super().setText(breakable(self._message))

    def text(self) -> str:
        """Return the message that is shown."""
        return self._message


class ErrorBox(QWidget):
    """Hidden while nothing is wrong; ``dismissed`` tells that somebody has put it away."""

    dismissed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.message = MessageLabel()
        self.message.setAccessibleName("What went wrong")
        write_in(self.message, colours.ERROR)
        self.copy = QPushButton("Copy")
        self.copy.setToolTip("Copy the message")
        self.copy.clicked.connect(self._copy)
        self.dismiss = QPushButton("Dismiss")
        self.dismiss.setToolTip("Hide the message")
        self.dismiss.clicked.connect(self._dismiss)
        row = QHBoxLayout()
        row.addWidget(self.copy)
        row.addWidget(self.dismiss)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.addWidget(self.message)
        self.column.addLayout(row)
        self.hide()

    def show_error(self, message: str, wrong: bool = True) -> None:
        """Show what went wrong, or nothing; or what is not wrong at all, and nobody copies."""
        self.message.setText(message)
        self.message.setAccessibleName("What went wrong" if wrong else "What is to know")
        write_in(self.message, colours.ERROR if wrong else "")
        self.copy.setVisible(wrong)
        self.setVisible(bool(message))

    def text(self) -> str:
        """Return the message that is shown."""
        return self.message.text()

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.message.text())

    def _dismiss(self) -> None:
        self.show_error("")
        self.dismissed.emit()


def breakable(text: str) -> str:
    """Mark where a long word may be broken: behind separators, else after two dozen letters."""
    marked = re.sub(r"([/\\_\-.,:;])(?=\S)", rf"\1{_BREAK}", text)
    return re.sub(rf"([^\s{_BREAK}]{{{_LONGEST_RUN}}})(?=\S)", rf"\1{_BREAK}", marked)
