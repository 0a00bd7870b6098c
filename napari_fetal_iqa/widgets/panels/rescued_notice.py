"""Says that corrections of the last session were rescued, and asks what to do with them."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_fetal_iqa.widgets.focus import with_own_keys
from napari_fetal_iqa.widgets.panels.error_box import MessageLabel


class RescuedNotice(QWidget):
    """Hidden while nothing is rescued.

    ``merge_requested`` asks for all of it, ``dismissed`` tells that it is left for later.
    """

    merge_requested = Signal()
    dismissed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.message = MessageLabel()
        self.message.setAccessibleName("Rescued corrections")
        self.places = MessageLabel()
        self.places.setAccessibleName("Where the rescued corrections lie")
        self.places.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.merge = QPushButton("Merge them")
        self.merge.setToolTip("Take all of them over into the corrections store; none is lost")
        self.later = QPushButton("Keep for later")
        self.later.setToolTip("Leave them where they are; the next start asks again")
        self.show_where = QPushButton("Show where")
        self.show_where.setToolTip("Name the files that they lie in")
        self.show_where.setCheckable(True)
        self.merge.clicked.connect(self.merge_requested)
        self.later.clicked.connect(self._dismiss)
        self.show_where.toggled.connect(self._show_places)
        row = QHBoxLayout()
        for button in (self.merge, self.later, self.show_where):
            with_own_keys(button)
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.addWidget(self.message)
        column.addLayout(row)
        column.addWidget(self.places)
        self.places.hide()
        self.hide()

    def ask(self, message: str, places: str, can_merge: bool) -> None:
        """Ask what to do with what was rescued."""
        self.say(message)
        self.places.setText(places)
        self.merge.setVisible(can_merge)
        self.merge.setEnabled(True)
        self.later.setText("Keep for later")
        self.show_where.setVisible(bool(places))

    def begin(self, message: str) -> None:
        """Say that the merging has begun."""
        self.say(message)
        self.merge.setEnabled(False)

    def end(self, message: str) -> None:
        """Say that all is merged; what is left is to read it."""
        self.say(message)
        self.merge.hide()
        self.show_where.setChecked(False)
        self.show_where.hide()
        self.later.setText("Close")
        self.later.setToolTip("Hide this message")

    def say(self, message: str) -> None:
        """Show one line."""
        self.message.setText(message)
        self.show()

    def _show_places(self, shown: bool) -> None:
        self.places.setVisible(shown)

    def _dismiss(self) -> None:
        self.hide()
        self.dismissed.emit()
