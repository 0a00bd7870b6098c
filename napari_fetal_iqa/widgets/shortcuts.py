"""One table of keys, which makes the bindings, the help and the docs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from qtpy.QtCore import QObject, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QShortcut,
    QTextEdit,
    QWidget,
)

from napari_fetal_iqa.widgets import focus


@dataclass(frozen=True)
class Key:
    """One thing that keys do; ``action`` is the name of a method of the review widget."""

    action: str
    keys: tuple[str, ...]
    does: str
    instead_of: str = ""  # what napari does with the key while the review widget is closed


KEYS = (
    Key("previous_frame", ("Left",), "Frame back"),
    Key("next_frame", ("Right",), "Frame on"),
    Key("previous_sweep", ("PgUp",), "Sweep back"),
    Key("next_sweep", ("PgDown",), "Sweep on"),
    Key("first_frame", ("Home",), "First frame of the sweep"),
    Key("last_frame", ("End",), "Last frame of the sweep"),
    Key("extend_back", ("Shift+Left",), "Extend the range to label back"),
    Key("extend_on", ("Shift+Right",), "Extend the range to label on"),
    Key("label_optimal", ("1",), "Label: optimal plane", "layer mode"),
    Key("label_suboptimal", ("2",), "Label: suboptimal plane", "layer mode"),
    Key("label_none", ("0",), "Label: no abdomen"),
    Key("accept_and_next", ("Return", "Enter"), "Accept, go to the next to review", "end polygon"),
    Key("go_next_to_review", ("N",), "Next to review"),
    Key("go_previous_to_review", ("Shift+N",), "Previous to review"),
    Key("go_best", ("B",), "Best frame", "preserve labels"),
    Key("paint", ("P",), "Paint the outline"),
    Key("erase", ("R", "E"), "Erase"),
    Key("fill", ("F",), "Fill an area"),
    Key("polygon", ("G",), "Polygon: click its corners, Enter closes it"),
    Key("ellipse", ("L",), "Ellipse: draw two diameters, drag their ends", "pick mode"),
    Key("copy_previous", ("C",), "Copy the outline of the frame before"),
    Key("interpolate", ("I",), "Interpolate between the outlines drawn before and after"),
    Key("look", ("Escape",), "Stop painting, no range", "reset polygon"),
    Key("clear_mask", ("X",), "Clear the mask: no abdomen here", "swap labels"),
    Key("revert", ("V",), "Back to the model's label and mask", "layer visibility"),
    Key("larger_brush", ("+", "="), "Larger brush", "next label"),
    Key("smaller_brush", ("-",), "Smaller brush", "previous label"),
    Key("toggle_overlay", ("Space",), "Hide or show the outlines", "hold to move the picture"),
    Key("toggle_fill", ("O",), "Outlines, or see-through masks"),
    Key("undo", ("Ctrl+Z",), "Undo"),
    Key("redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "Redo", "2D and 3D (Ctrl+Y)"),
    Key("analyse", ("A",), "Analyse the sweep"),
    Key("show_help", ("?",), "These keys"),
)

_REPEATING = ("_frame", "_brush", "_sweep", "do", "_back", "_on")
"""Ends of the actions that go on while their key is held."""


def key_of(action: str) -> str:
    """Return the first key of an action, as shown on buttons and in tooltips."""
    return next(key.keys[0] for key in KEYS if key.action == action).replace("Return", "Enter")


def with_key(text: str, action: str) -> str:
    """Add the key of an action to a tooltip."""
    return f"{text} [{key_of(action)}]"


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
        "While the review widget is open and nobody types into a field. The last column says what",
        "napari does with the key otherwise.",
        "",
        "| key | does | in napari |",
        "|---|---|---|",
        *(f"| {' or '.join(key.keys)} | {key.does} | {key.instead_of} |" for key in KEYS),
    ]
    return "\n".join(lines) + "\n"


class KeyBindings(QObject):
    """Every key of the table bound to its action, anywhere in a window.

    While the bindings are active they go before napari's own keys; while somebody types into
    a field they are not. A control reached by Tab keeps Space and Enter, where it says so.
    """

    def __init__(self, window: QWidget, actions: Mapping[str, Callable[[], None]]) -> None:
        super().__init__(window)
        self._active = False
        self._shortcuts = []
        for key in KEYS:
            for sequence in key.keys:
                shortcut = QShortcut(QKeySequence(sequence), window)
                shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
                shortcut.setAutoRepeat(key.action.endswith(_REPEATING))
                shortcut.activated.connect(actions[key.action])
                self._shortcuts.append(shortcut)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._focus_changed)
        self.set_active(False)

    @property
    def active(self) -> bool:
        """Whether the keys are ours."""
        return self._active

    def set_active(self, active: bool) -> None:
        """Take the keys, or give them back to napari."""
        self._active = active
        self._focus_changed(None, QApplication.focusWidget())

    def _focus_changed(self, _: QWidget | None, focused: QWidget | None) -> None:
        typing = isinstance(focused, QLineEdit | QAbstractSpinBox | QTextEdit | QPlainTextEdit)
        pressing = focus.takes_keys(focused)
        for shortcut in self._shortcuts:
            needed = pressing and shortcut.key().toString() in focus.KEYS
            shortcut.setEnabled(self._active and not typing and not needed)

    def remove(self) -> None:
        """Unbind for good."""
        self.set_active(False)
        for shortcut in self._shortcuts:
            shortcut.deleteLater()
        self._shortcuts = []
        self.deleteLater()


def show_help(parent: QWidget) -> None:
    """Show the table of keys in a window that leaves the review usable."""
    box = QMessageBox(parent)
    box.setWindowTitle("Keys")
    box.setText(help_html())
    box.setModal(False)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.show()
