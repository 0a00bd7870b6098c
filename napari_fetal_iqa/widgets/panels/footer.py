"""The foot of the panel, which never scrolls away: whose corrections are saved, docks and keys."""

import html

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.widgets.panels.eliding_label import ElidingLabel
from napari_fetal_iqa.widgets.shortcuts import Action, key_of, with_key


class Footer(QWidget):
    """A line on what is saved above four buttons; ``action_requested`` tells which.

    ``again_requested`` asks for one more try at once to save what is not saved yet.
    """

    action_requested = Signal(object)  # Action
    again_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.saved = ElidingLabel()
        self.saved.setToolTip("Every correction is on disk before it is shown as saved")
        self.again = QPushButton("Try again")
        self.again.setToolTip("Try now to save what is not saved yet, which is tried by itself too")
        self.again.clicked.connect(self.again_requested)
        self.again.hide()
        state = QHBoxLayout()
        state.addWidget(self.saved, stretch=1)
        state.addWidget(self.again)
        rule = QFrame()
        rule.setFrameShape(QFrame.Shape.HLine)
        self.timeline = self._button(
            "Timeline", Action.TOGGLE_TIMELINE, "Show or hide the timeline below the frames"
        )
        self.worklist = self._button(
            "Worklist",
            Action.TOGGLE_WORKLIST,
            "Show or hide the list of sweeps, left of the frames",
        )
        self.candidates = self._button(
            "Candidates",
            Action.TOGGLE_CANDIDATES,
            "Show or hide small pictures of the best frames, above the timeline",
        )
        docks = (self.timeline, self.candidates, self.worklist)
        for dock in docks:
            dock.setCheckable(True)
        tip = with_key("Show all keys in place of the panel, or the panel again", Action.SHOW_HELP)
        keys = self._button(f"Keys  {key_of(Action.SHOW_HELP)}", Action.SHOW_HELP, tip)
        row = QHBoxLayout()
        row.setSpacing(4)
        for button in (*docks, keys):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(9, 0, 9, 6)
        column.addWidget(rule)
        column.addLayout(state)
        column.addLayout(row)

    def _button(self, text: str, action: Action, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda: self.action_requested.emit(action))
        return button

    def begin(self, reviewer: str) -> None:
        """Say nothing of a sweep that is being read; what is not saved yet is of all sweeps."""
        self.show_saved(reviewer, None, self.again.isHidden())

    def show_saved(self, reviewer: str, corrected: int | None, saved: bool) -> None:
        """Show whether everything is on disk, and how many frames are corrected, once known."""
        state = "saved" if saved else "<b>not saved</b> yet, trying again"
        parts = [] if corrected is None else [f"{counted(corrected, 'frame')} corrected"]
        if parts or not saved:
            parts.append(state)
        name = html.escape(shown(reviewer))
        self.again.setVisible(not saved)
        self.saved.setText(f"Reviewer {name}{': ' if parts else ''}{', '.join(parts)}")
