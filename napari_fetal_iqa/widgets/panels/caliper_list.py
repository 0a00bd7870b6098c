"""The free calipers of a sweep, with their values: a click goes to the frame."""

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_fetal_iqa.corrections import PlacedCaliper
from napari_fetal_iqa.geometry.caliper import CaliperMeasure
from napari_fetal_iqa.widgets.focus import with_own_keys

_ROWS = 4
"""As many are seen at once; more are scrolled to."""
_DELETE_PX = 20
_NAME_PX = 52
_AROUND_TEXT_PX = 4
_FRAME_PX = 4


@dataclass(frozen=True)
class ListedCaliper:
    """One line of the list.

    Parameters
    ----------
    placed : PlacedCaliper
    number : int
        As it is drawn on its frame.
    where, size, in_full : str
        For people; the size in few words, and in all.
    """

    placed: PlacedCaliper
    number: int
    where: str
    size: str
    in_full: str


class CaliperList(QWidget):
    """Lists calipers, a line each with a button that deletes it; hidden while there is none.

    ``go_requested`` gives the frame of the one that was clicked; ``left`` tells that the last
    one is gone whose button had the focus. Lines are kept and filled anew, so that the focus
    stays where it is.
    """

    go_requested = Signal(int)
    named = Signal(object, object)  # PlacedCaliper, CaliperMeasure or None
    remove_requested = Signal(object)  # PlacedCaliper
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[CaliperLine] = []
        self._height = self.fontMetrics().height() + _AROUND_TEXT_PX
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addStretch()
        self._area = QScrollArea()
        self._area.setWidget(inside)
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._area)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._shown: tuple[ListedCaliper, ...] = ()
        self.hide()

    def show_calipers(self, calipers: Sequence[ListedCaliper], frame: int) -> None:
        """List these; the last one on the frame being looked at is lit."""
        if tuple(calipers) != self._shown:
            self._shown = tuple(calipers)
            self._fill()
        here = [place for place, one in enumerate(self._shown) if one.placed.frame == frame]
        for place, line in enumerate(self.lines[: len(self._shown)]):
            line.go.setChecked(place in here[-1:])

    def _fill(self) -> None:
        count = len(self._shown)
        while len(self.lines) < count:
            line = CaliperLine(self._height)
            place = len(self.lines)
            line.go.clicked.connect(lambda _=False, place=place: self._go(place))
            line.delete.clicked.connect(lambda _=False, place=place: self._remove(place))
            line.named.connect(lambda measure, place=place: self._name(place, measure))
            self.lines.append(line)
            self._column.insertWidget(place, line)
        window = self.window()
        focused = window.focusWidget() if window is not None else None
        if any(focused in (line.go, line.delete) for line in self.lines[count:]):  # not yet hidden
            if count:
                self.lines[count - 1].delete.setFocus()
            else:
                self.left.emit()
        for place, line in enumerate(self.lines):
            line.setVisible(place < count)
            if place < count:
                line.show_caliper(self._shown[place])
        self._area.setFixedHeight(min(_ROWS, count) * self._height + _FRAME_PX)
        self.setVisible(bool(count))

    def _go(self, place: int) -> None:
        self.go_requested.emit(self._shown[place].placed.frame)
        for other, line in enumerate(self.lines):
            line.go.setChecked(other == place)

    def _name(self, place: int, measure: CaliperMeasure | None) -> None:
        self.named.emit(self._shown[place].placed, measure)

    def _remove(self, place: int) -> None:
        self.remove_requested.emit(self._shown[place].placed)


class CaliperLine(QWidget):
    """One caliper: a click on its words goes to its frame, one on its end deletes it.

    ``named`` gives what it measures, by the menu between the two; None for nothing.
    """

    named = Signal(object)

    def __init__(self, height: int) -> None:
        super().__init__()
        self.name = QPushButton()
        self.name.setStyleSheet("padding: 0px; margin: 0px;")
        self.name.setFixedSize(_NAME_PX, height)
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self.name.setMenu(self._menu)
        self._menu.triggered.connect(self._choose)
        self.go, self.delete = QPushButton(), QPushButton("×")
        self.go.setCheckable(True)
        self.go.setFlat(True)
        self.go.setStyleSheet("text-align: left; padding: 0px 4px; margin: 0px;")
        self.go.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.go.setFixedHeight(height)
        self.delete.setStyleSheet("padding: 0px; margin: 0px;")
        self.delete.setFixedSize(_DELETE_PX, height)
        self.delete.setToolTip("Delete this caliper; undo brings it back")
        with_own_keys(self.go, self.name, self.delete)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(1)
        row.addWidget(self.go, stretch=1)
        row.addWidget(self.name)
        row.addWidget(self.delete)

    def _choose(self, action: QAction) -> None:
        chosen = action.data()  # PySide6 gives back its value alone
        self.named.emit(CaliperMeasure(chosen) if chosen else None)

    def show_caliper(self, one: ListedCaliper) -> None:
        """Show a caliper in place of another."""
        self.go.setText(f"{one.where}, {one.number}: {one.size}")
        in_full = f"{one.where}, {one.number}: {one.in_full}"
        self.go.setToolTip(f"Go to this caliper. {in_full}")
        self.go.setAccessibleName(f"Free caliper, {in_full}")
        self.delete.setAccessibleName(f"Delete the free caliper {one.number} of {one.where}")
        measure, kind = one.placed.measure, one.placed.caliper.kind
        self.name.setText(measure.value if measure else "–")
        named = measure.words if measure else "not named"
        self.name.setAccessibleName(f"What it measures: {named}")
        self.name.setToolTip(
            f"What this caliper measures: {named}. Named ones get into the report and the weight"
        )
        self._menu.clear()
        for choice in (None, *(each for each in CaliperMeasure if each.kind is kind)):
            words = f"{choice.value}, {choice.words}" if choice else "Not named"
            action = self._menu.addAction(words)
            assert action is not None  # Qt always makes one
            action.setData(choice)
            action.setToolTip("Name this caliper so" if choice else "Take its name away")
