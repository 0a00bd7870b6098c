"""Asks whose sweeps these are: a name or a number, of which a salted hash is kept."""

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QVBoxLayout, QWidget

_NAMED = 3
_LONGEST = 200
_WIDTH = 380


class SubjectDialog(QDialog):
    """Asks for the subject of some sweeps, beside the window's other work.

    ``answered`` gives the name; nothing where it is not known any more.

    Parameters
    ----------
    sweeps : sequence of str
        What the sweeps are called.
    known : bool
        Whether the subject of any is known, which can be forgotten.
    parent : QWidget, optional
    """

    answered = Signal(str)

    def __init__(self, sweeps: Sequence[str], known: bool, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._known = known
        self.setWindowTitle("Subject")
        self.setMinimumWidth(_WIDTH)
        more = f" and {len(sweeps) - _NAMED} more" if len(sweeps) > _NAMED else ""
        asked = (
            "Whose sweep is this" if len(sweeps) == 1 else f"Whose are these {len(sweeps)} sweeps"
        )
        sweep_names = QLabel(f"{asked}: {', '.join(sweeps[:_NAMED])}{more}")
        sweep_names.setTextFormat(Qt.TextFormat.PlainText)
        self.name = QLineEdit()
        self.name.setMaxLength(_LONGEST)
        self.name.setPlaceholderText("Name or number")
        self.name.setAccessibleName("Name or number of the subject")
        self.name.setToolTip("The same for all sweeps of one subject; capitals do not matter")
        explained = QLabel(
            "Kept as a salted hash, never by name, so that all sweeps of one subject stay on one "
            "side of the hold-out. Empty: not known any more."
        )
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.keep = buttons.addButton("Forget", QDialogButtonBox.ButtonRole.AcceptRole)
        if (cancel := buttons.button(QDialogButtonBox.StandardButton.Cancel)) is not None:
            cancel.setToolTip("Leave it as it is")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.accepted.connect(lambda: self.answered.emit(self.name.text().strip()))
        self.name.textChanged.connect(self._name_button)
        self._name_button()
        column = QVBoxLayout(self)
        for words in (sweep_names, explained):
            words.setWordWrap(True)
        for widget in (sweep_names, self.name, explained, buttons):
            column.addWidget(widget)
        self.name.setFocus()

    def _name_button(self) -> None:
        """Say on the button what it does."""
        if self.keep is None:
            return
        named = bool(self.name.text().strip())
        self.keep.setEnabled(named or self._known)
        if named or not self._known:
            self.keep.setText("Keep")
            self.keep.setToolTip("Note that these sweeps are of this subject")
        else:
            self.keep.setText("Forget")
            self.keep.setToolTip("Note that it is not known any more whose they are")
