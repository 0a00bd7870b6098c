"""One row of tools that correct nothing: free calipers, film, gain, zoom."""

from functools import partial

from qtpy.QtCore import Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_fetal_iqa.review.cine import CineMode
from napari_fetal_iqa.widgets.panels.caliper_list import CaliperList
from napari_fetal_iqa.widgets.panels.split_button import SplitButton, add_choices, menu_button
from napari_fetal_iqa.widgets.shortcuts import Action, key_of, with_key
from napari_fetal_iqa.widgets.viewer.gain import AS_STORED, PRESETS, Gain
from napari_fetal_iqa.widgets.viewer.zoom import Zoom

_MEASURE = (
    (Action.MEASURE_DISTANCE, "Distance", "A distance that belongs to no label"),
    (Action.MEASURE_ELLIPSE, "Ellipse", "An ellipse that belongs to no label"),
)
_CINE = (
    (CineMode.FORWARD, Action.CINE_FORWARD, "Forward", "→"),
    (CineMode.BACKWARD, Action.CINE_BACKWARD, "Backward", "←"),
    (CineMode.TO_AND_FRO, Action.CINE_TO_AND_FRO, "To and fro", "↔"),
)
_ZOOM = (
    (Zoom.FIT, "Whole frame", "Fit the frame into the canvas"),
    (Zoom.FAN, "Fan", "Fit what the probe saw into the canvas, without the black around it"),
    (Zoom.ONE_TO_ONE, "1:1", "One pixel of the frame is one pixel of the screen"),
)
_GAINS = (AS_STORED, *PRESETS)


class ViewTools(QWidget):
    """The row and the list of free calipers; ``action_requested`` tells which was pressed.

    Attributes
    ----------
    gain : Gain
        As chosen last; the next sweep is shown so, too.
    way : CineMode
        How the film ran last: so the button plays it.
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
        self.way, self._rate = CineMode.FORWARD, ""
        self.calipers = CaliperList()
        self.measure = self._measure_button()
        self.calipers.left.connect(self.measure.main.setFocus)
        self.cine = self._cine_button()
        gain, gain_menu = menu_button(
            "Gain",
            with_key(
                "How bright frames are shown; the models see them as stored", Action.NEXT_GAIN
            ),
            "Gain",
        )
        zoom, zoom_menu = menu_button(
            "Zoom",
            with_key("Zoom to the whole frame, to the fan, or 1:1", Action.NEXT_ZOOM),
            "Zoom",
        )
        self._gain_actions = add_choices(
            gain_menu,
            [(one.name, one.tip, partial(self.choose_gain, one)) for one in _GAINS],
            checkable=True,
        )
        self._gain_actions[0].setChecked(True)
        add_choices(
            zoom_menu,
            [(text, tip, partial(self.zoom_chosen.emit, to)) for to, text, tip in _ZOOM],
        )
        row = QHBoxLayout()
        row.setSpacing(4)
        for button, stretch in ((self.measure, 3), (self.cine, 2), (gain, 1), (zoom, 1)):
            row.addWidget(button, stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(row)
        column.addWidget(self.calipers)

    def _measure_button(self) -> SplitButton:
        key = key_of(Action.MEASURE_DISTANCE)
        button = SplitButton(
            f"Measure  {key}",
            f"A distance that belongs to no label, kept with the review [{key}]; its ends can be "
            "dragged",
            "Measure a distance or an ellipse",
        )
        button.main.setAccessibleName("Measure")
        # lit while the mouse has one of its tools, which is not put down by taking it again
        button.main.clicked.connect(lambda: button.main.setChecked(True))
        button.main.clicked.connect(lambda: self.action_requested.emit(Action.MEASURE_DISTANCE))
        self.measure_actions = add_choices(
            button.menu,
            [
                (
                    f"{text}\t{key_of(action)}",
                    tip,
                    partial(self.action_requested.emit, action),
                )
                for action, text, tip in _MEASURE
            ],
            checkable=True,
        )
        return button

    def _cine_button(self) -> SplitButton:
        button = SplitButton("Cine →", "", "More ways to play")
        button.main.setAccessibleName("Play the sweep")
        button.main.clicked.connect(self._cine_pressed)
        self._cine_actions = add_choices(
            button.menu,
            [
                (
                    f"{text}\t{key_of(action)}",
                    with_key(f"Play the sweep {text.lower()}", action),
                    partial(self.action_requested.emit, action),
                )
                for _, action, text, _ in _CINE
            ],
            checkable=True,
        )
        button.menu.addSeparator()
        self.whole_action = QAction("Through all sweeps", button.menu)
        self.whole_action.setToolTip("Play the whole volume instead of this sweep")
        self.whole_action.setCheckable(True)
        self.whole_action.toggled.connect(self._choose_whole)
        button.menu.addAction(self.whole_action)
        return button

    def _cine_pressed(self) -> None:
        # lit by show_cine alone, once it plays
        playing = not self.cine.main.isChecked()
        self.cine.main.setChecked(playing)
        chosen = next(action for mode, action, *_ in _CINE if mode is self.way)
        self.action_requested.emit(Action.CINE_STOP if playing else chosen)

    def _choose_whole(self, whole: bool) -> None:
        self.whole = whole
        self.whole_chosen.emit(whole)

    def show_rate(self, words: str) -> None:
        """Show at which rate the film runs, and who says so."""
        self._rate = words
        self._show_way()

    def show_cine(self, mode: CineMode | None) -> None:
        """Light the button while the film runs; it keeps the way in which it ran last."""
        self.cine.main.setChecked(mode is not None)
        self.way = mode or self.way
        self._show_way()

    def _show_way(self) -> None:
        for (mode, action, text, arrow), line in zip(_CINE, self._cine_actions, strict=True):
            line.setChecked(mode is self.way)
            if mode is self.way:
                self.cine.main.setText(f"Cine {arrow}")
                tip = f"Play the sweep {text.lower()}, and stop: {self._rate}"
                self.cine.main.setToolTip(with_key(tip, action))

    def show_tool(self, tool: str) -> None:
        """Light the tool that the mouse has; none for one that has no button here."""
        for (one, _, _), action in zip(_MEASURE, self.measure_actions, strict=True):
            action.setChecked(one == tool)
        name = next((text for one, text, _ in _MEASURE if one == tool), "Measure")
        self.measure.main.setChecked(name != "Measure")
        action = Action.MEASURE_ELLIPSE if name == "Ellipse" else Action.MEASURE_DISTANCE
        self.measure.main.setText(f"{name}  {key_of(action).replace('Shift+', '⇧')}")

    def choose_gain(self, gain: Gain) -> None:
        """Show this sweep and the next ones with a gain."""
        self.gain = gain
        for one, action in zip(_GAINS, self._gain_actions, strict=True):
            action.setChecked(one == gain)
        self.gain_chosen.emit(gain)

    def next_gain(self) -> None:
        """Choose the gain after the one that is chosen; after the last, as stored."""
        self.choose_gain(_GAINS[(_GAINS.index(self.gain) + 1) % len(_GAINS)])
