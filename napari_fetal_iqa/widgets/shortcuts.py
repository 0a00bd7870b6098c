"""One table of keys, which makes the bindings, the help and the docs."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QLineEdit,
    QPlainTextEdit,
    QShortcut,
    QTextEdit,
    QWidget,
)

from napari_fetal_iqa.widgets import focus


class Action(StrEnum):
    """What a key or a button can do."""

    PREVIOUS_FRAME = "previous_frame"
    NEXT_FRAME = "next_frame"
    PREVIOUS_SWEEP = "previous_sweep"
    NEXT_SWEEP = "next_sweep"
    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"
    EXTEND_BACK = "extend_back"
    EXTEND_ON = "extend_on"
    LABEL_OPTIMAL = "label_optimal"
    LABEL_SUBOPTIMAL = "label_suboptimal"
    LABEL_NONE = "label_none"
    JUDGE_SYMMETRICAL = "judge_symmetrical"
    JUDGE_STOMACH = "judge_stomach"
    JUDGE_PORTAL_SINUS = "judge_portal_sinus"
    JUDGE_NO_KIDNEYS = "judge_no_kidneys"
    JUDGE_FILLS_IMAGE = "judge_fills_image"
    JUDGE_ELLIPSE_PLACED = "judge_ellipse_placed"
    ACCEPT_AND_NEXT = "accept_and_next"
    GO_NEXT_TO_REVIEW = "go_next_to_review"
    GO_PREVIOUS_TO_REVIEW = "go_previous_to_review"
    GO_BEST = "go_best"
    PAINT = "paint"
    ERASE = "erase"
    FILL = "fill"
    POLYGON = "polygon"
    CLOSE_POLYGON = "close_polygon"
    ELLIPSE = "ellipse"
    COPY_PREVIOUS = "copy_previous"
    INTERPOLATE = "interpolate"
    LOOK = "look"
    CLEAR_MASK = "clear_mask"
    REVERT = "revert"
    LARGER_BRUSH = "larger_brush"
    SMALLER_BRUSH = "smaller_brush"
    HIDE_WHILE_HELD = "hide_while_held"
    TOGGLE_OVERLAY = "toggle_overlay"
    TOGGLE_FILL = "toggle_fill"
    MEASURE_DISTANCE = "measure_distance"
    MEASURE_ELLIPSE = "measure_ellipse"
    BEFORE_AND_AFTER = "before_and_after"
    CINE_FORWARD = "cine_forward"
    CINE_BACKWARD = "cine_backward"
    CINE_TO_AND_FRO = "cine_to_and_fro"
    CINE_STOP = "cine_stop"  # a button alone
    NEXT_GAIN = "next_gain"
    NEXT_ZOOM = "next_zoom"
    UNDO = "undo"
    REDO = "redo"
    MAKE_REPORT = "make_report"
    EXPORT_DICOM = "export_dicom"
    ANALYSE = "analyse"
    SHOW_HELP = "show_help"
    CANCEL_ANALYSIS = "cancel_analysis"  # a button alone, as the next
    TOGGLE_TIMELINE = "toggle_timeline"
    TOGGLE_WORKLIST = "toggle_worklist"
    TOGGLE_CANDIDATES = "toggle_candidates"
    NEXT_CANDIDATE = "next_candidate"
    PREVIOUS_CANDIDATE = "previous_candidate"
    NEXT_IN_WORKLIST = "next_in_worklist"
    PREVIOUS_IN_WORKLIST = "previous_in_worklist"
    SET_SUBJECT = "set_subject"


@dataclass(frozen=True)
class Key:
    """One thing that keys do."""

    action: Action
    keys: tuple[str, ...]
    does: str
    instead_of: str = ""  # what napari does with the key while the review widget is closed
    repeats: bool = False  # goes on while the key is held
    held: bool = False  # lasts while the key is held, and is undone by its release
    in_fields: bool = False  # also while somebody types: no field knows the key


KEYS = (
    Key(Action.PREVIOUS_FRAME, ("Left",), "Frame back", repeats=True),
    Key(Action.NEXT_FRAME, ("Right",), "Frame on", repeats=True),
    Key(Action.PREVIOUS_SWEEP, ("PgUp",), "Sweep back", repeats=True),
    Key(Action.NEXT_SWEEP, ("PgDown",), "Sweep on", repeats=True),
    Key(
        Action.PREVIOUS_IN_WORKLIST,
        ("Ctrl+PgUp",),
        "Open the previous sweep of the worklist",
        in_fields=True,
    ),
    Key(
        Action.NEXT_IN_WORKLIST,
        ("Ctrl+PgDown",),
        "Open the next sweep of the worklist",
        in_fields=True,
    ),
    Key(Action.SET_SUBJECT, ("Ctrl+I",), "Whose the selected sweeps of the worklist are: subject"),
    Key(Action.FIRST_FRAME, ("Home",), "First frame of the sweep"),
    Key(Action.LAST_FRAME, ("End",), "Last frame of the sweep"),
    Key(Action.EXTEND_BACK, ("Shift+Left",), "Extend the range to label back", repeats=True),
    Key(Action.EXTEND_ON, ("Shift+Right",), "Extend the range to label on", repeats=True),
    Key(Action.LABEL_OPTIMAL, ("1",), "Label: optimal plane", "layer mode"),
    Key(Action.LABEL_SUBOPTIMAL, ("2",), "Label: suboptimal plane", "layer mode"),
    Key(Action.LABEL_NONE, ("0",), "Label: no abdomen"),
    Key(Action.JUDGE_SYMMETRICAL, ("Ctrl+1",), "Plane: symmetrical, or not, or not judged"),
    Key(Action.JUDGE_STOMACH, ("Ctrl+2",), "Plane: stomach bubble visible"),
    Key(Action.JUDGE_PORTAL_SINUS, ("Ctrl+3",), "Plane: portal sinus visible"),
    Key(Action.JUDGE_NO_KIDNEYS, ("Ctrl+4",), "Plane: kidneys not visible"),
    Key(Action.JUDGE_FILLS_IMAGE, ("Ctrl+5",), "Plane: abdomen fills 30 % of the image"),
    Key(Action.JUDGE_ELLIPSE_PLACED, ("Ctrl+6",), "Plane: ellipse placed right"),
    Key(
        Action.ACCEPT_AND_NEXT,
        ("Return", "Enter"),
        "Accept, go to the next to review",
        "end polygon",
    ),
    Key(Action.GO_NEXT_TO_REVIEW, ("N",), "Next to review"),
    Key(Action.GO_PREVIOUS_TO_REVIEW, ("Shift+N",), "Previous to review"),
    Key(Action.PREVIOUS_CANDIDATE, ("Ctrl+Left",), "Previous candidate: best of a sweep or run"),
    Key(Action.NEXT_CANDIDATE, ("Ctrl+Right",), "Next candidate: best of a sweep or run"),
    Key(Action.GO_BEST, ("B",), "Best frame", "preserve labels"),
    Key(Action.PAINT, ("P",), "Paint the outline"),
    Key(Action.ERASE, ("R", "E"), "Erase"),
    Key(Action.FILL, ("F",), "Fill an area"),
    Key(Action.POLYGON, ("G",), "Polygon: click its corners, Enter closes it"),
    Key(
        Action.CLOSE_POLYGON,
        ("Shift+Return", "Alt+Return"),
        "Close the polygon: add it to the outline, or take it away",
    ),
    Key(Action.ELLIPSE, ("L",), "Ellipse: draw two diameters, drag their ends", "pick mode"),
    Key(Action.COPY_PREVIOUS, ("C",), "Copy the outline of the frame before"),
    Key(Action.INTERPOLATE, ("I",), "Interpolate between the outlines drawn before and after"),
    Key(Action.LOOK, ("Escape",), "Stop painting, no range", "reset polygon"),
    Key(Action.CLEAR_MASK, ("X",), "Clear the mask: no abdomen here", "swap labels"),
    Key(Action.REVERT, ("V",), "Back to the model's label and mask", "layer visibility"),
    Key(Action.LARGER_BRUSH, ("+", "="), "Larger brush", "next label", repeats=True),
    Key(Action.SMALLER_BRUSH, ("-",), "Smaller brush", "previous label", repeats=True),
    Key(
        Action.HIDE_WHILE_HELD,
        ("Space",),
        "Hide all that lies on the frame, while held",
        "hold to move the picture",
        held=True,
    ),
    Key(Action.TOGGLE_OVERLAY, ("H",), "Hide or show all that lies on the frame"),
    Key(Action.TOGGLE_FILL, ("O",), "Outlines, or see-through masks"),
    Key(Action.BEFORE_AND_AFTER, ("S",), "Before and after: the model's outline, and yours"),
    Key(Action.MEASURE_DISTANCE, ("M",), "Measure a distance", "new label"),
    Key(Action.MEASURE_ELLIPSE, ("Shift+M",), "Measure an ellipse"),
    Key(Action.CINE_FORWARD, ("J",), "Cine forward, and stop"),
    Key(Action.CINE_BACKWARD, ("Shift+J",), "Cine backward, and stop"),
    Key(Action.CINE_TO_AND_FRO, ("Ctrl+J",), "Cine to and fro, and stop (J stops it, too)"),
    Key(Action.NEXT_GAIN, ("W",), "Next gain"),
    Key(Action.NEXT_ZOOM, ("Z",), "Zoom: the fan, 1:1, the whole frame", "move the picture"),
    Key(Action.UNDO, ("Ctrl+Z",), "Undo", repeats=True),
    Key(Action.REDO, ("Ctrl+Shift+Z", "Ctrl+Y"), "Redo", "2D and 3D (Ctrl+Y)", repeats=True),
    Key(Action.ANALYSE, ("A",), "Analyse the sweep"),
    Key(Action.MAKE_REPORT, ("Ctrl+P",), "Report of the case: the page to sign"),
    Key(Action.EXPORT_DICOM, ("Ctrl+D",), "Export the case as DICOM"),
    Key(Action.SHOW_HELP, ("?",), "These keys"),
)


def key_of(action: Action) -> str:
    """Return the first key of an action, as shown on buttons and in tooltips."""
    return _shown(_keys_of(action)[0])


def _keys_of(action: Action) -> tuple[str, ...]:
    return next(key.keys for key in KEYS if key.action == action)


def _shown(key: str) -> str:
    return key.replace("Return", "Enter")


def with_key(text: str, action: Action) -> str:
    """Add the key of an action to a tooltip."""
    return f"{text} [{key_of(action)}]"


_HINTS = {
    "paint": (Action.ERASE, Action.LARGER_BRUSH, Action.SMALLER_BRUSH, Action.LOOK),
    "erase": (Action.PAINT, Action.LARGER_BRUSH, Action.SMALLER_BRUSH, Action.LOOK),
    "fill": (Action.PAINT, Action.ERASE, Action.LOOK),
    "polygon": (Action.ELLIPSE, Action.LOOK),
    "ellipse": (Action.ACCEPT_AND_NEXT, Action.LOOK),
    "measure_distance": (Action.MEASURE_ELLIPSE, Action.LOOK),
    "measure_ellipse": (Action.MEASURE_DISTANCE, Action.LOOK),
}
_LOOKING = (Action.ACCEPT_AND_NEXT, Action.GO_NEXT_TO_REVIEW, Action.GO_BEST, Action.ELLIPSE)
_ALWAYS = (Action.LABEL_OPTIMAL, Action.LABEL_SUBOPTIMAL, Action.LABEL_NONE)
_SHORT = {
    Action.LABEL_OPTIMAL: "optimal",
    Action.LABEL_SUBOPTIMAL: "suboptimal",
    Action.LABEL_NONE: "no abdomen",
    Action.ACCEPT_AND_NEXT: "accept",
    Action.GO_NEXT_TO_REVIEW: "next to review",
    Action.GO_BEST: "best frame",
    Action.ELLIPSE: "ellipse",
    Action.PAINT: "paint",
    Action.ERASE: "erase",
    Action.LARGER_BRUSH: "larger",
    Action.SMALLER_BRUSH: "smaller",
    Action.LOOK: "stop",
    Action.MEASURE_DISTANCE: "distance",
    Action.MEASURE_ELLIPSE: "ellipse",
    Action.SHOW_HELP: "all keys",
}


def _polygon_hint() -> str:
    """Return what ends a polygon that is begun: Enter accepts nothing then."""
    add, take_away = (_shown(key) for key in _keys_of(Action.CLOSE_POLYGON))
    return (
        f"{key_of(Action.ACCEPT_AND_NEXT)} close the polygon, {add} add it, {take_away} take it "
        f"away, {key_of(Action.LOOK)} {_SHORT[Action.LOOK]}, {key_of(Action.SHOW_HELP)} "
        f"{_SHORT[Action.SHOW_HELP]}"
    )


def status_hint(tool: str, *, drawing: bool = False, playing: bool = False) -> str:
    """Return the keys that are worth knowing now, in one line.

    Parameters
    ----------
    tool : str
        In the hand, see :attr:`~napari_fetal_iqa.widgets.viewer.sweep_view.SweepView.tool`.
    drawing : bool
        Whether a polygon is begun.
    playing : bool
        Whether the film plays.
    """
    if drawing:
        return _polygon_hint()
    first = (f"{key_of(Action.CINE_FORWARD)} stop",) if playing else ()
    actions = (*_ALWAYS, *_HINTS.get(tool, _LOOKING), Action.SHOW_HELP)
    return ", ".join((*first, *(f"{key_of(action)} {_SHORT[action]}" for action in actions)))


def help_html() -> str:
    """Return the table of keys as HTML."""
    rows = "".join(
        f"<tr><td><b>{' or '.join(key.keys)}</b>&nbsp;&nbsp;</td><td>{key.does}</td></tr>"
        for key in KEYS
    )
    return f"<table cellspacing='4'>{rows}</table>"


def help_markdown() -> str:
    """Return the table of keys as ``docs/keys.md`` has it."""
    lines = [
        "# Keys",
        "",
        "While the review widget is open and nobody types into a field (the worklist's next and",
        "previous also then). The last column says what napari does with the key otherwise.",
        "",
        "| key | does | in napari |",
        "|---|---|---|",
        *(f"| {' or '.join(key.keys)} | {key.does} | {key.instead_of} |" for key in KEYS),
    ]
    return "\n".join(lines) + "\n"


_SURE_MS = 50
"""After a release: X tells of a key that repeats as released and pressed again, and Qt takes that
for one repeat only where it has read both (Qt 6.9, xcb)."""


class KeyBindings(QObject):
    """Every key of the table bound to its action, anywhere in a window.

    While the bindings are active they go before napari's own keys; while somebody types into
    a field they are not, but for those that no field knows. A control reached by Tab keeps Space
    and Enter, where it says so.
    """

    def __init__(
        self,
        window: QWidget,
        do: Callable[[Action], None],
        released: Callable[[Action], None] = lambda action: None,
    ) -> None:
        super().__init__(window)
        self._active = False
        self._released = released
        self._held: dict[int, Action] = {}
        self._let_go: set[int] = set()
        self._sure = QTimer(self)
        self._sure.setSingleShot(True)
        self._sure.setInterval(_SURE_MS)
        self._sure.timeout.connect(lambda: self._release(*self._let_go))
        self._shortcuts: list[QShortcut] = []
        self._in_fields: set[QShortcut] = set()
        for key in KEYS:
            for sequence in key.keys:
                shortcut = QShortcut(QKeySequence(sequence), window)
                shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
                shortcut.setAutoRepeat(key.repeats)
                if key.held:
                    code = QKeySequence(sequence)[0].key()
                    shortcut.activated.connect(partial(self._hold, code, key.action, do))
                else:
                    shortcut.activated.connect(partial(do, key.action))
                self._shortcuts.append(shortcut)
                if key.in_fields:
                    self._in_fields.add(shortcut)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._focus_changed)
        self._application = application
        self.set_active(False)

    @property
    def active(self) -> bool:
        """Whether the keys are ours."""
        return self._active

    def set_active(self, active: bool) -> None:
        """Take the keys, or return them to napari."""
        self._active = active
        self._focus_changed(None, QApplication.focusWidget())

    def _hold(self, code: int, action: Action, do: Callable[[Action], None]) -> None:
        if code in self._held:  # it repeats
            self._let_go.discard(code)
            return
        do(action)
        if not self._held:
            # only now: a filter sees every event of the program, and each takes time
            self._application.installEventFilter(self)
        self._held[code] = action

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice that a held key is released, or that the window is left with it."""
        if event is not None:
            kind = event.type()
            if kind == QEvent.Type.WindowDeactivate:
                self._release(*self._held)
            elif kind == QEvent.Type.KeyRelease:
                assert isinstance(event, QKeyEvent)
                if not event.isAutoRepeat() and event.key() in self._held:
                    self._let_go.add(event.key())
                    self._sure.start()
        return super().eventFilter(watched, event)

    def _release(self, *codes: int) -> None:
        for code in codes:
            self._let_go.discard(code)
            if (action := self._held.pop(code, None)) is not None:
                self._released(action)
        if not self._held:
            self._application.removeEventFilter(self)

    def _focus_changed(self, _: QWidget | None, focused: QWidget | None) -> None:
        typing = isinstance(focused, QLineEdit | QAbstractSpinBox | QTextEdit | QPlainTextEdit)
        pressing = focus.takes_keys(focused)
        for shortcut in self._shortcuts:
            needed = pressing and shortcut.key().toString() in focus.KEYS
            ours = not typing or shortcut in self._in_fields
            shortcut.setEnabled(self._active and ours and not needed)

    def remove(self) -> None:
        """Unbind for good."""
        self.set_active(False)
        self._sure.stop()
        for shortcut in self._shortcuts:
            shortcut.deleteLater()
        self._shortcuts = []
        self._in_fields = set()
        self.deleteLater()
