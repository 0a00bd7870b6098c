"""A section of the panel that folds away, and is found again as it was left."""

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QSizePolicy
from superqt import QCollapsible

from napari_fetal_iqa.storage import window_state
from napari_fetal_iqa.widgets.focus import with_own_keys

_ANY_HEIGHT = 16777215  # Qt's QWIDGETSIZE_MAX
_FOLDED, _UNFOLDED = "▸", "▾"


class _NoIcon(QIcon):
    """Nothing to draw, which superqt takes for an icon: PySide6's empty one is false."""

    def __bool__(self) -> bool:
        return True


class FoldedSection(QCollapsible):
    """Its arrow points right while it is folded, and down while it is not.

    What is folded is hidden, so that Tab does not go there. Whether the section was open is kept
    for the next window.

    Parameters
    ----------
    title : str
    tip : str
    """

    def __init__(self, title: str, tip: str) -> None:
        super().__init__(title, expandedIcon=_NoIcon(), collapsedIcon=_NoIcon())
        self._title = title
        button = self.toggleButton()
        button.setToolTip(tip)
        button.setAccessibleName(title)
        with_own_keys(button)
        # The height of the content changes with its state; superqt fixes it when it unfolds.
        self.setDuration(0)
        # Words that wrap are as high as they are at their width. superqt's policy, Maximum, and the
        # alignment of its layout allow no more than at a width of Qt's own choice.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        whole = self.layout()
        if whole is not None:
            whole.setAlignment(Qt.AlignmentFlag(0))
        for part in (self, self.content()):  # as wide as what is not folded
            layout = part.layout()
            if layout is not None:
                layout.setContentsMargins(0, 0, 0, 0)
        self.toggled.connect(self._fold)
        self._fold(False)

    def eventFilter(self, a0: QObject | None, a1: QEvent | None) -> bool:
        """Leave the height to the layout; superqt fixes it, too low for words that wrap."""
        return False

    def open_as_it_was(self) -> None:
        """Unfold where the last window had it open; from then on keep how it is left."""
        if self._title in window_state.load().open_sections:
            self.expand(animate=False)
        self.toggled.connect(lambda unfolded: window_state.keep_section(self._title, unfolded))

    def _fold(self, unfolded: bool) -> None:
        self.toggleButton().setText(f"{_UNFOLDED if unfolded else _FOLDED}  {self._title}")
        self.content().setVisible(unfolded)
        if unfolded:
            self.content().setMaximumHeight(_ANY_HEIGHT)
