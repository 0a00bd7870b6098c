"""How many pictures have no room in a row, at the end where they are; a click shows them."""

from qtpy.QtCore import QTimer
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QListView, QSizePolicy, QToolButton, QWidget

from napari_fetal_iqa.widgets.focus import with_own_keys

_ANY_WIDTH = 16777215  # Qt's QWIDGETSIZE_MAX


class Overflow(QWidget):
    """A row of pictures between two buttons, which are there while not all pictures have room.

    Parameters
    ----------
    row : QListView
        From left to right, without a scroll bar.
    width : int
        Of one picture, in pixels.
    """

    def __init__(self, row: QListView, width: int) -> None:
        super().__init__()
        self._row = row
        self._width = width
        self.before = self._button("before these", -1)
        self.behind = self._button("behind these", 1)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(2)
        line.addWidget(self.before)
        line.addWidget(row, stretch=1)
        line.addWidget(self.behind)
        line.addStretch()
        self._line = line
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._count)
        model, bar = row.model(), row.horizontalScrollBar()
        if model is not None and bar is not None:
            model.modelReset.connect(self._soon.start)
            bar.valueChanged.connect(self._soon.start)
            bar.rangeChanged.connect(self._soon.start)

    def _button(self, where: str, step: int) -> QToolButton:
        button = QToolButton()
        button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        button.setToolTip(f"More candidates {where}: click, or turn the wheel over the pictures")
        button.setAccessibleName(f"More candidates {where}")
        button.clicked.connect(lambda: self._go_on(step))
        button.hide()
        with_own_keys(button)
        return button

    def _go_on(self, step: int) -> None:
        bar, view = self._row.horizontalScrollBar(), self._row.viewport()
        if bar is not None and view is not None:
            pictures = max(1, view.width() // self._width)
            bar.setValue(bar.value() + step * pictures * self._width)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Count anew."""
        super().resizeEvent(event)
        self._soon.start()

    def _count(self) -> None:
        model, bar, view = self._row.model(), self._row.horizontalScrollBar(), self._row.viewport()
        if model is None or bar is None or view is None:
            return
        pictures = model.rowCount()
        too_many = pictures * self._width > self.width()
        button_px = self.fontMetrics().horizontalAdvance("‹ 88") + 8
        frame = self._row.width() - view.width()
        room = self.width() - 2 * (button_px + self._line.spacing()) - frame
        # whole pictures alone: half of a figure might be read as another
        whole = max(1, room // self._width) * self._width
        self._row.setMaximumWidth(whole + frame if too_many else _ANY_WIDTH)
        left = -(-bar.value() // self._width)
        right = pictures - (bar.value() + view.width()) // self._width
        if bar.value() == bar.maximum():
            right = 0
        for button, hidden, text in (
            (self.before, left, f"‹ {left}"),
            (self.behind, right, f"{right} ›"),
        ):
            button.setText(text if hidden > 0 else "")
            button.setEnabled(hidden > 0)
            button.setVisible(too_many)
            button.setFixedWidth(button_px)
