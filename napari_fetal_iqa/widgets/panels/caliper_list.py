"""The free calipers of a sweep, with their values: a click goes to the frame."""

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QWidget

from napari_fetal_iqa.corrections import PlacedCaliper

_ROWS = 4
"""As many are seen at once; more are scrolled to."""


@dataclass(frozen=True)
class ListedCaliper:
    """One line of the list.

    Parameters
    ----------
    placed : PlacedCaliper
    number : int
        As it is drawn on its frame.
    where, size : str
        For people.
    """

    placed: PlacedCaliper
    number: int
    where: str
    size: str


class CaliperList(QWidget):
    """Lists calipers, and a button that deletes the chosen one; hidden while there is none.

    ``go_requested`` gives the frame of the one that was clicked.
    """

    go_requested = Signal(int)
    remove_requested = Signal(object)  # PlacedCaliper

    def __init__(self) -> None:
        super().__init__()
        self.list = QListWidget()
        self.list.setAccessibleName("Free calipers")
        self.list.setToolTip("Free calipers of this sweep: a click goes to the frame")
        self.list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.itemClicked.connect(self._go)
        self.delete = QPushButton("×")
        self.delete.setFixedWidth(28)
        self.delete.setToolTip("Delete the chosen caliper; undo brings it back")
        self.delete.setAccessibleName("Delete the chosen free caliper")
        self.delete.clicked.connect(self._remove)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.list, stretch=1)
        row.addWidget(self.delete, alignment=Qt.AlignmentFlag.AlignTop)
        self._shown: tuple[ListedCaliper, ...] = ()
        self.hide()

    def show_calipers(self, calipers: Sequence[ListedCaliper], frame: int) -> None:
        """List these; the last one on the frame being looked at is chosen."""
        if tuple(calipers) != self._shown:
            self._shown = tuple(calipers)
            self.list.clear()
            for one in calipers:
                text = f"{one.where}, {one.number}: {one.size}"
                item = QListWidgetItem(text)
                item.setToolTip(text)
                self.list.addItem(item)
            height = self.list.sizeHintForRow(0) if calipers else 0
            self.list.setFixedHeight(min(_ROWS, len(calipers)) * height + 4)
            self.setVisible(bool(calipers))
        here = [place for place, one in enumerate(self._shown) if one.placed.frame == frame]
        self.list.setCurrentRow(here[-1] if here else -1)
        self.delete.setEnabled(bool(here))

    def _go(self, item: QListWidgetItem) -> None:
        self.delete.setEnabled(True)
        self.go_requested.emit(self._shown[self.list.row(item)].placed.frame)
        self.list.setCurrentItem(item)

    def _remove(self) -> None:
        if 0 <= self.list.currentRow() < len(self._shown):
            self.remove_requested.emit(self._shown[self.list.currentRow()].placed)
