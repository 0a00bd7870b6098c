"""One row of tools that correct nothing: free calipers, film, gain, zoom."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction, QActionGroup
from qtpy.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_fetal_iqa.review.cine import CineMode
from napari_fetal_iqa.widgets.panels.caliper_list import CaliperList
from napari_fetal_iqa.widgets.shortcuts import Action, key_of, with_key
from napari_fetal_iqa.widgets.viewer.gain import AS_STORED, PRESETS, Gain
from napari_fetal_iqa.widgets.viewer.zoom import Zoom

_Choice = TypeVar("_Choice")
_CINE = (
    (CineMode.FORWARD, "Forward", Action.CINE_FORWARD),
    (CineMode.BACKWARD, "Backward", Action.CINE_BACKWARD),
    (CineMode.TO_AND_FRO, "To and fro", Action.CINE_TO_AND_FRO),
)
_ZOOM = (
    (Zoom.FIT, "Whole frame", "Fit the frame into the canvas"),
    (Zoom.FAN, "Fan", "Fit what the probe saw into the canvas, without the black around it"),
    (Zoom.ONE_TO_ONE, "1:1", "One pixel of the frame is one pixel of the screen"),
)


class ViewTools(QWidget):
    """The row and the list of free calipers; ``action_requested`` tells which was pressed.

    Attributes
    ----------
    gain : Gain
        As chosen last; the next sweep is shown so, too.
    whole : bool
        Whether the film runs through all sweeps of a volume.
    """

    action_requested = Signal(object)  # Action
    gain_chosen = Signal(object)  # Gain
    zoom_chosen = Signal(object)  # Zoom
    whole_chosen = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.whole = AS_STORED, False
        self.calipers = CaliperList()
        self.distance = self._tool(
            "Distance", Action.MEASURE_DISTANCE, "Measure a distance that belongs to no label"
        )
        self.ellipse = self._tool(
            "Ellipse", Action.MEASURE_ELLIPSE, "Measure an ellipse that belongs to no label"
        )
        self.tool_buttons = {
            Action.MEASURE_DISTANCE: self.distance,
            Action.MEASURE_ELLIPSE: self.ellipse,
        }
        self.cine = self._cine_button()
        self.gain_button = self._menu_button(
            "Gain",
            with_key(
                "How bright frames are shown; the models see them as stored", Action.NEXT_GAIN
            ),
        )
        self._gains = self._choices(
            self.gain_button,
            ((gain, gain.name, gain.tip) for gain in (*PRESETS, AS_STORED)),
            self.choose_gain,
        )
        self._gains[AS_STORED].setChecked(True)
        self.zoom_button = self._menu_button(
            "Zoom", with_key("Whole frame, fan, or 1:1", Action.NEXT_ZOOM)
        )
        self._choices(self.zoom_button, _ZOOM, self.zoom_chosen.emit, checkable=False)
        row = QHBoxLayout()
        row.setSpacing(3)
        for button in (
            *(self.distance, self.ellipse, self.cine, self.gain_button, self.zoom_button),
        ):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(row)
        column.addWidget(self.calipers)

    def _button(self, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip.partition(" [")[0])
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return button

    def _tool(self, text: str, action: Action, tip: str) -> QToolButton:
        button = self._button(f"{text} {key_of(action)}", with_key(tip, action))
        button.setCheckable(True)
        # a tool is not put down by taking it again: its button stays lit
        button.clicked.connect(lambda: button.setChecked(True))
        button.clicked.connect(lambda: self.action_requested.emit(action))
        return button

    def _menu_button(self, text: str, tip: str) -> QToolButton:
        button = self._button(text, tip)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.setToolTipsVisible(True)
        button.setMenu(menu)
        return button

    def _choices(
        self,
        button: QToolButton,
        choices: Iterable[tuple[_Choice, str, str]],
        chosen: Callable[[_Choice], object],
        checkable: bool = True,
    ) -> dict[_Choice, QAction]:
        group, made = QActionGroup(button), {}
        menu = button.menu()
        assert menu is not None
        for choice, text, tip in choices:
            action = QAction(text, menu)
            action.setToolTip(tip)
            action.setCheckable(checkable)
            action.triggered.connect(lambda _=False, choice=choice: chosen(choice))
            group.addAction(action)
            menu.addAction(action)
            made[choice] = action
        return made

    def _cine_button(self) -> QToolButton:
        button = self._menu_button("Cine", "")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        button.setCheckable(True)
        button.clicked.connect(self._cine_pressed)
        self._modes = self._choices(
            button,
            ((mode, f"{text}\t{_key(action)}", text) for mode, text, action in _CINE),
            lambda mode: self.action_requested.emit(_action(mode)),
        )
        menu = button.menu()
        assert menu is not None
        menu.addSeparator()
        self.whole_action = QAction("Through all sweeps", menu)
        self.whole_action.setToolTip("Play the whole volume instead of this sweep")
        self.whole_action.setCheckable(True)
        self.whole_action.toggled.connect(self._choose_whole)
        menu.addAction(self.whole_action)
        return button

    def _cine_pressed(self) -> None:
        # lit by show_cine alone, once it plays
        playing = not self.cine.isChecked()
        self.cine.setChecked(playing)
        self.action_requested.emit(Action.CINE_STOP if playing else Action.CINE_FORWARD)

    def _choose_whole(self, whole: bool) -> None:
        self.whole = whole
        self.whole_chosen.emit(whole)

    def show_rate(self, words: str) -> None:
        """Show at which rate the film runs, and who says so."""
        tip = f"Play the sweep at {words}; the arrow has backward, to and fro, and all sweeps"
        self.cine.setToolTip(with_key(tip, Action.CINE_FORWARD))
        self.cine.setAccessibleName("Play the sweep")

    def show_cine(self, mode: CineMode | None) -> None:
        """Light the button while the film runs."""
        self.cine.setChecked(mode is not None)
        self.cine.setText("Cine" if mode is None else "Stop")
        for one, action in self._modes.items():
            action.setChecked(one is mode)

    def show_tool(self, tool: str) -> None:
        """Light the tool that the mouse has; none for one that has no button here."""
        for action, button in self.tool_buttons.items():
            button.setChecked(action == tool)

    def choose_gain(self, gain: Gain) -> None:
        """Show this sweep and the next ones with a gain."""
        self.gain = gain
        self._gains[gain].setChecked(True)
        self.gain_button.setText("Gain" if gain == AS_STORED else "Gain ●")
        self.gain_chosen.emit(gain)

    def next_gain(self) -> None:
        """Choose the gain after the one that is chosen; after the last, as stored."""
        order = (AS_STORED, *PRESETS)
        self.choose_gain(order[(order.index(self.gain) + 1) % len(order)])


def _action(mode: CineMode) -> Action:
    return next(action for one, _, action in _CINE if one is mode)


def _key(action: Action) -> str:
    return "" if action is Action.CINE_TO_AND_FRO else key_of(action)
