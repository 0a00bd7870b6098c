"""A button with a narrow one beside it that opens a menu; looks as napari's buttons do."""

from collections.abc import Callable, Iterable

from qtpy.QtGui import QAction
from qtpy.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

_ARROW_PX = 20


def menu_button(text: str, tip: str, name: str) -> tuple[QPushButton, QMenu]:
    """Return a button that opens a menu, and the menu."""
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAccessibleName(name)
    menu = QMenu(button)
    menu.setToolTipsVisible(True)
    button.setMenu(menu)
    return button, menu


def add_choices(
    menu: QMenu, choices: Iterable[tuple[str, str, Callable[[], object]]], checkable: bool = False
) -> list[QAction]:
    """Add lines to a menu: text, tooltip, and what is called."""
    made = []
    for text, tip, chosen in choices:
        action = QAction(text, menu)
        action.setToolTip(tip)
        action.setCheckable(checkable)
        action.triggered.connect(lambda _=False, chosen=chosen: chosen())
        menu.addAction(action)
        made.append(action)
    return made


class SplitButton(QWidget):
    """What is done most often at a click, and the rest in a menu.

    Attributes
    ----------
    main, arrow : QPushButton
    menu : QMenu
    """

    def __init__(self, text: str, tip: str, rest: str) -> None:
        super().__init__()
        self.main = QPushButton(text)
        self.main.setToolTip(tip)
        self.main.setCheckable(True)
        self.arrow, self.menu = menu_button("", rest, rest)
        self.arrow.setFixedWidth(_ARROW_PX)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(1)
        row.addWidget(self.main, stretch=1)
        row.addWidget(self.arrow)
