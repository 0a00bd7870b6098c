"""The frame being looked at: what is known of it, and the buttons that correct it."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fetal_iqa import colours
from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.geometry.biometry import format_gestational_age, gestational_age_weeks
from napari_fetal_iqa.review.session import FrameView, Source
from napari_fetal_iqa.widgets.panels.eliding_label import ElidingLabel
from napari_fetal_iqa.widgets.panels.score_bar import ScoreBar
from napari_fetal_iqa.widgets.shortcuts import Action, key_of, with_key
from napari_fetal_iqa.widgets.theme import show_rich

_LABELS = (
    (Label.OPTIMAL, "Optimal", Action.LABEL_OPTIMAL, "The plane to measure in"),
    (
        Label.SUBOPTIMAL,
        "Suboptimal",
        Action.LABEL_SUBOPTIMAL,
        "Abdomen, but not the plane to measure",
    ),
    (Label.NONE, "None", Action.LABEL_NONE, "No abdomen to measure in this frame"),
)
_TOOLS = (
    ("Paint", Action.PAINT, "Paint on the outline"),
    ("Erase", Action.ERASE, "Erase from the outline"),
    ("Fill", Action.FILL, "Fill an area of the outline at a click"),
    (
        "Polygon",
        Action.POLYGON,
        "Click the corners of the outline, then press Enter; with Shift it is added, with Alt "
        "taken away",
    ),
    ("Ellipse", Action.ELLIPSE, "Draw two diameters, then drag their ends"),
    ("Copy", Action.COPY_PREVIOUS, "Take the outline of the frame before"),
    (
        "Interpolate",
        Action.INTERPOLATE,
        "Outline the frames between the nearest two that you drew, before and after this one",
    ),
    ("Clear", Action.CLEAR_MASK, "No abdomen here: clear the mask"),
    ("Revert", Action.REVERT, "Back to the model's label and mask"),
)
_MOUSE_TOOLS = (Action.PAINT, Action.ERASE, Action.FILL, Action.POLYGON, Action.ELLIPSE)
"""Those that the mouse keeps until it takes another; their buttons are lit meanwhile."""
_MODEL = f"<span style='color:{colours.MODEL}'>●</span> model"
_EXPERT = f"<span style='color:{colours.EXPERT}'>◆</span> expert"
_WHOSE = {Source.MODEL: f"{_MODEL}'s outline", Source.EXPERT: f"{_EXPERT}'s outline"}
_LARGE = "<span style='font-size:15pt'>{}</span>"
_NO_AC = f"<span style='color:{colours.NONE}'>AC –</span>"
_MOVING = "…"
_TIGHT = 2
_AC_TIP = "Abdominal circumference of the outline, and the gestational age by Hadlock 1984"


class FramePanel(QWidget):
    """Facts of one frame above the buttons that correct it; ``action_requested`` tells which."""

    action_requested = Signal(object)  # Action

    def __init__(self) -> None:
        super().__init__()
        self.place = QLabel()
        self.place.setToolTip("Sweep and frame in it; in brackets the frame of the whole volume")
        self.quality = ScoreBar()
        self.quality.setToolTip("CLS score: how surely the frame shows the abdomen, 0 to 1")
        self.plane = ElidingLabel()
        self.plane.setTextFormat(Qt.TextFormat.PlainText)
        self.plane.setToolTip(
            "What the CLS model takes this frame for; the quality is how sure it is of the abdomen"
        )
        self.plane.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.plane.hide()
        self.marks_hidden = ElidingLabel(f"Marks hidden  {key_of(Action.TOGGLE_OVERLAY)}")
        self.marks_hidden.setToolTip(
            with_key("All that lies on the frame is hidden: show it again", Action.TOGGLE_OVERLAY)
        )
        self.marks_hidden.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.marks_hidden.hide()
        self.circumference = QLabel()
        # as high as the large figures, so that nothing below it moves while frames go by
        self.circumference.setText(_LARGE.format("AC"))
        self.circumference.setMinimumHeight(self.circumference.sizeHint().height())
        self.circumference.setToolTip(_AC_TIP)
        self.diameters = ElidingLabel()
        self.diameters.setToolTip(
            "The two diameters of the fitted ellipse, and whose outline it is"
        )
        self.diameters.setTextFormat(Qt.TextFormat.RichText)

        beside = QHBoxLayout()  # no row of its own: a low window has none to spare
        beside.addWidget(self.place)
        beside.addWidget(self.plane, stretch=1)
        beside.addWidget(self.marks_hidden, stretch=1)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(beside)
        column.addWidget(self.quality)
        column.addWidget(self.circumference)
        column.addWidget(self.diameters)
        column.addLayout(self._label_row())
        column.addLayout(self._tool_grid())
        accept = QPushButton(f"Accept and next   {key_of(Action.ACCEPT_AND_NEXT)}")
        accept.setToolTip("Confirm label and outline, go on to the next frame to review")
        accept.clicked.connect(lambda: self.action_requested.emit(Action.ACCEPT_AND_NEXT))
        row = QHBoxLayout()
        row.addWidget(accept, stretch=1)
        for text, action, tip in (
            ("Undo", Action.UNDO, "Take back the last correction"),
            ("Redo", Action.REDO, "Bring back what was undone"),
        ):
            button = QPushButton(text)
            button.setToolTip(with_key(tip, action))
            button.clicked.connect(
                lambda _=False, action=action: self.action_requested.emit(action)
            )
            row.addWidget(button)
        column.addLayout(row)

    def _label_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.label_buttons: dict[Label, QPushButton] = {}
        group = QButtonGroup(self)
        for label, text, action, tip in _LABELS:
            button = QPushButton(f"{key_of(action)} {text}")
            button.setCheckable(True)
            button.setToolTip(with_key(tip, action))
            button.clicked.connect(
                lambda _=False, action=action: self.action_requested.emit(action)
            )
            group.addButton(button)
            self.label_buttons[label] = button
            row.addWidget(button)
        self._label_group = group
        return row

    def _tool_grid(self) -> QGridLayout:
        self._grid = grid = QGridLayout()
        self.tool_buttons: dict[Action, QPushButton] = {}
        for place, (text, action, tip) in enumerate(_TOOLS):
            button = QPushButton(f"{text}  {key_of(action)}")
            button.setToolTip(with_key(tip, action))
            button.clicked.connect(
                lambda _=False, action=action: self.action_requested.emit(action)
            )
            if action in _MOUSE_TOOLS:
                button.setCheckable(True)
                # a tool is not put down by taking it again: its button stays lit
                button.clicked.connect(lambda _=False, button=button: button.setChecked(True))
                self.tool_buttons[action] = button
            grid.addWidget(button, *divmod(place, 3))
        return grid

    def set_compact(self, compact: bool) -> None:
        """Leave less room from row to row."""
        between = _TIGHT if compact else -1  # as the style has it
        self._column.setSpacing(between)
        self._grid.setVerticalSpacing(between)

    def show_marks_hidden(self, hidden: bool) -> None:
        """Say whether all that lies on the frame is hidden until somebody shows it again."""
        self.marks_hidden.setVisible(hidden)

    def show_tool(self, tool: str) -> None:
        """Light the tool that the mouse has; none for one that has no button."""
        for action, button in self.tool_buttons.items():
            button.setChecked(action == tool)

    def show_frame(self, view: FrameView, looking: bool = False) -> None:
        """Show what is known of a frame; while it is ``looking`` for an analysis, no more."""
        self.place.setText(
            f"<b>Sweep {view.sweep + 1}, frame {view.frame_in_sweep}</b> ({view.frame})"
        )
        known = view.quality is not None
        unknown = f"Quality {_MOVING}" if looking else "Quality: not computed"
        self.quality.show_score(view.quality, f"Quality {view.quality:.2f}" if known else unknown)
        self._show_plane(view.plane)
        self._check(view.label)

    def _show_plane(self, plane: str | None) -> None:
        """Say which plane it is; the words are there for as long as the model names planes."""
        self.plane.setText(f"Plane: {plane or '–'}")
        self.plane.setVisible(plane is not None)

    def show_nothing(self) -> None:
        """Show nothing of the frame before, which was of another sweep."""
        self.place.setText(_MOVING)
        self.quality.show_score(None, f"Quality {_MOVING}")
        self._show_plane(None)
        self._check(None)
        self.show_moving()

    def _check(self, label: Label | None) -> None:
        self._label_group.setExclusive(False)
        for one, button in self.label_buttons.items():
            button.setChecked(one is label)
        self._label_group.setExclusive(True)

    def show_moving(self) -> None:
        """Show no measurement while frames go by."""
        if self.diameters.text() != _MOVING:
            show_rich(self.circumference, _NO_AC)
            show_rich(self.diameters, _MOVING)

    def show_measurement(self, view: FrameView, growth: str = "") -> None:
        """Show what the outline of a frame measures, and whose it is.

        ``growth`` is where it lies on a chart by the age by dates; without it stands the age that
        the circumference has on average.
        """
        measured = view.measurement
        if measured is None:
            show_rich(self.circumference, _NO_AC)
            show_rich(self.diameters, f"not measured: {view.not_measured}")
            return
        weeks = gestational_age_weeks(measured.circumference_mm)
        age = format_gestational_age(weeks) if weeks is not None else "age out of range"
        large = _LARGE.format(f"AC {measured.circumference_mm:.1f} mm")
        show_rich(self.circumference, f"{large}&nbsp;&nbsp;&nbsp;{growth or age}")
        by_hadlock = f"{_AC_TIP}: {age}"
        ranked = "Its centile is by the age by dates; see Result of the case" if growth else ""
        self.circumference.setToolTip("\n".join(filter(None, (by_hadlock, ranked))))
        longer, shorter = measured.diameters_mm
        cut = ", cut by the edge" if measured.truncated else ""
        whose = _WHOSE[view.mask_source]
        show_rich(self.diameters, f"{longer:.1f} × {shorter:.1f} mm{cut}, {whose}")
