"""The rows of the worklist for Qt: thousands of them, of which only those in view are drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QSortFilterProxyModel, Qt
from qtpy.QtGui import QBrush, QColor, QFont

from napari_fetal_iqa.review.worklist.columns import COLUMNS, Row, State, matches, tooltip
from napari_fetal_iqa.review.worklist.facts import SweepFacts
from napari_fetal_iqa.review.worklist.subjects import SubjectLabels
from napari_fetal_iqa.widgets.panels.open_button import plain_tip

_Role = Qt.ItemDataRole
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_NOWHERE = QModelIndex()


class WorklistModel(QAbstractTableModel):
    """Sweeps and what is known of each, in the order of their folder.

    Parameters
    ----------
    parent : QObject, optional
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: Sequence[Row] = ()
        self._in_front: int | None = None
        self._left_out: tuple[str, ...] = ()
        self._subjects = SubjectLabels()
        self._bold = QFont()
        self._bold.setBold(True)
        self._trouble = QBrush()
        self._show: dict[int, Any] = {
            int(_Role.ToolTipRole): lambda row, column: plain_tip(tooltip(row)),
            int(_Role.AccessibleTextRole): lambda row, column: (
                f"{column.title}: {column.text(row) or 'not known'}"
            ),
            int(_Role.TextAlignmentRole): lambda row, column: _RIGHT if column.number else _LEFT,
        }

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show other sweeps."""
        self.beginResetModel()
        self.rows, self._in_front = rows, None
        self._subjects = SubjectLabels()
        self.endResetModel()

    def tell_left_out(self, titles: tuple[str, ...]) -> None:
        """Say of these columns, where titles are explained, that there is no room for them."""
        self._left_out = titles

    def set_trouble_colour(self, colour: str) -> None:
        """Write what failed in this colour, which is legible on the background of the theme."""
        self._trouble = QBrush(QColor(colour))

    def take(self, facts: Mapping[int, SweepFacts]) -> None:
        """Take in what was found out of some rows."""
        for number, found in facts.items():
            self.rows[number].facts = found
            self.rows[number].subject = self._subjects.of(found.subject)
        for first, last in _runs(sorted(facts)):
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(COLUMNS) - 1))

    @property
    def in_front(self) -> int | None:
        """The row of the sweep on the screen."""
        return self._in_front

    @in_front.setter
    def in_front(self, number: int | None) -> None:
        before, self._in_front = self._in_front, number
        for row in (before, number):
            if row is None:
                continue
            self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))

    # What Qt asks --------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Return how many sweeps there are."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Return how many facts there are of a sweep."""
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex, role: int = int(_Role.DisplayRole)) -> Any:
        """Return what is shown of one fact of one sweep."""
        number = index.row()
        if not index.isValid() or number >= len(self.rows):
            return None
        row, column = self.rows[number], COLUMNS[index.column()]
        if role == _Role.DisplayRole:
            text = column.text(row)
            return f"▸ {text}" if number == self._in_front and not index.column() else text
        if show := self._show.get(int(role)):
            return show(row, column)
        if role == _Role.FontRole and number == self._in_front:
            return self._bold
        if role == _Role.ForegroundRole and row.facts is not None and row.facts.failed:
            return self._trouble
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = int(_Role.DisplayRole)
    ) -> Any:
        """Return the title of a fact, and what it means."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        column = COLUMNS[section]
        if role == _Role.ToolTipRole:
            more = f"\nIn a wider list also: {', '.join(self._left_out)}" if self._left_out else ""
            return f"{column.help}; click to sort by it{more}"
        return column.title if role == _Role.DisplayRole else None


class WorklistFilter(QSortFilterProxyModel):
    """The rows that are shown, in the order in which they are."""

    def __init__(self, model: WorklistModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._text, self._state = "", State.ALL
        self._ranks: list[int] | None = None
        for changed in (model.dataChanged, model.modelReset):  # before Qt itself sorts
            changed.connect(self._forget)
        self.setSourceModel(model)

    def choose(self, text: str, state: State) -> None:
        """Show rows that hold the words of a text and are in a state."""
        if (text, state) != (self._text, self._state):
            self._text, self._state = text, state
            self.invalidateFilter()

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex) -> bool:
        """Return whether a row is shown; the sweep in front always is, but by its name."""
        row = self._model.rows[source_row]
        state = State.ALL if source_row == self._model.in_front else self._state
        return matches(row, self._text, state)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a fact; what is not known comes last, either way."""
        self._ranks = None
        super().sort(column, order)

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        """Return which of two rows comes first."""
        # Qt asks some sixty thousand times for five thousand rows: what takes long is done once
        if self._ranks is None:
            self._ranks = self._rank()
        return self._ranks[left.row()] < self._ranks[right.row()]

    def _rank(self) -> list[int]:
        rows, key_of = self._model.rows, COLUMNS[self.sortColumn()].key_of
        keys = [key_of(row) for row in rows]
        known = [number for number, key in enumerate(keys) if key is not None]
        known.sort(key=lambda number: keys[number])  # type: ignore[arg-type, return-value]
        unknown = [number for number, key in enumerate(keys) if key is None]
        ascending = self.sortOrder() is Qt.SortOrder.AscendingOrder
        ranks = [0] * len(rows)
        for rank, number in enumerate(known + unknown if ascending else unknown + known):
            ranks[number] = rank
        return ranks

    def _forget(self) -> None:
        self._ranks = None


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and the last of each run of numbers that follow each other."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
