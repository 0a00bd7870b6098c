"""The everyday way to a sweep: a button with what can be opened, and what was opened last."""

import html
from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QPushButton

from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.storage.recent import Recent
from napari_fetal_iqa.widgets.focus import with_own_keys


class OpenButton(QPushButton):
    """A menu: a sweep, a folder of sweeps, the phantom, and recent sweeps."""

    file_requested = Signal()
    folder_requested = Signal()
    phantom_requested = Signal()
    recent_requested = Signal(object)  # Recent

    def __init__(self) -> None:
        super().__init__("Open")
        self.setToolTip("Open another sweep, a folder of sweeps, or what was open before")
        self.setAccessibleName("Open a sweep")
        with_own_keys(self)
        self._choices = QMenu(self)
        self._choices.setToolTipsVisible(True)
        self.setMenu(self._choices)
        self.show_recent(())

    def show_recent(self, recent: Sequence[Recent]) -> None:
        """Offer what was open last."""
        menu = self._choices
        menu.clear()
        for text, signal, tip in (
            ("Open a sweep…", self.file_requested, "Choose a file"),
            ("Open a folder…", self.folder_requested, "Choose an exam, or a folder of exams"),
            ("Open the phantom", self.phantom_requested, "A simulated sweep, no patient's"),
        ):
            action = menu.addAction(text)
            if action is not None:
                action.setToolTip(tip)
                action.triggered.connect(signal)
        if recent:
            menu.addSection("Recent")
        for one in recent:
            action = menu.addAction(plain(one.name))
            if action is not None:
                action.setToolTip(plain_tip(one.path))
                action.triggered.connect(lambda _=False, one=one: self.recent_requested.emit(one))


def plain(name: str) -> str:
    """Return a name as a button or a menu shows it: an ampersand marks no key."""
    return shown(name).replace("&", "&&")


def plain_tip(text: str) -> str:
    """Return a tooltip of a text that others wrote, of several lines, which is no HTML."""
    lines = "<br>".join(html.escape(shown(line)) for line in text.splitlines())
    return f"<p style='white-space: pre'>{lines}</p>"
