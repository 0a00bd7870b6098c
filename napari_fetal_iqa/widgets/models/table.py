"""A table of a few rows whose columns follow the width of the window."""

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem

_ROW = Qt.ItemDataRole.UserRole


class RowTable(QTreeWidget):
    """Rows of text with what they stand for; keys and clicks choose one.

    Parameters
    ----------
    heads : sequence of str
    stretched : int
        The column that takes what room is left.
    name : str
        For screen readers.
    """

    def __init__(self, heads: Sequence[str], stretched: int, name: str) -> None:
        super().__init__()
        self.setColumnCount(len(heads))
        self.setHeaderLabels(list(heads))
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAlternatingRowColors(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setAccessibleName(name)
        header = self.header()
        if header is not None:
            header.setStretchLastSection(False)
            for column in range(len(heads)):
                mode = QHeaderView.ResizeMode.ResizeToContents
                if column == stretched:
                    mode = QHeaderView.ResizeMode.Stretch
                header.setSectionResizeMode(column, mode)

    def show_rows(self, rows: Sequence[tuple[object, Sequence[str], str]]) -> None:
        """Show rows: what each stands for, its texts and its tooltip; the choice stays."""
        before = self.currentIndex().row()
        self.clear()
        for stands_for, texts, tip in rows:
            item = QTreeWidgetItem(list(texts))
            item.setData(0, _ROW, stands_for)
            for column in range(self.columnCount()):
                item.setToolTip(column, tip)
            self.addTopLevelItem(item)
        if rows:
            self.setCurrentItem(self.topLevelItem(min(max(before, 0), len(rows) - 1)))

    @property
    def chosen(self) -> object:
        """What the chosen row stands for, or None."""
        item = self.currentItem()
        return None if item is None else item.data(0, _ROW)

    def choose(self, place: int) -> None:
        """Choose a row by its place."""
        self.setCurrentItem(self.topLevelItem(place))
