"""The strip: a row of small pictures with quality and AC; click one to go there."""

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QAbstractListModel, QModelIndex, QObject, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import (
    QAbstractItemView,
    QLabel,
    QListView,
    QStackedWidget,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from napari_fetal_iqa import colours
from napari_fetal_iqa.review.candidate_strip import Candidate, Kind
from napari_fetal_iqa.widgets.candidates.overflow import Overflow
from napari_fetal_iqa.widgets.candidates.thumbnails import HEIGHT, WIDTH, Thumbnails
from napari_fetal_iqa.widgets.focus import with_own_keys
from napari_fetal_iqa.widgets.theme import Palette

_Role = Qt.ItemDataRole
_GAP = 6
_CHOSEN_PX = 4
_MARKS = {Kind.BEST: "★ ", Kind.SWEEP: "", Kind.RUN: "", Kind.DISAGREEMENT: "≠ "}
_FRAMES = {
    Kind.BEST: colours.OPTIMAL,
    Kind.SWEEP: colours.OPTIMAL,
    Kind.RUN: colours.MODEL,
    Kind.DISAGREEMENT: colours.OTHER,
}
_NOWHERE = QModelIndex()


class CandidateStrip(QStackedWidget):
    """Shows candidates; ``frame_chosen`` tells which one the expert wants to see."""

    frame_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.model = _CandidateModel(self)
        self.list = _Row()
        self.list.setModel(self.model)
        self._delegate = _Delegate(self.model, self)
        self.list.setItemDelegate(self._delegate)
        self.list.clicked.connect(self._choose)
        self.list.activated.connect(self._choose)
        self.setMinimumHeight(self._delegate.size(self.list).height() + 10)
        self.setMaximumHeight(self._delegate.size(self.list).height() + 34)
        row = Overflow(self.list, self._delegate.size(self.list).width())
        empty = QWidget()
        column = QVBoxLayout(empty)
        self.why_empty = QLabel()
        self.why_empty.setWordWrap(True)
        column.addWidget(self.why_empty)
        self.addWidget(empty)
        self.addWidget(row)
        self.show_candidates((), None)

    def show_candidates(
        self,
        candidates: Sequence[Candidate],
        thumbnails: Thumbnails | None,
        why_empty: str = "",
    ) -> None:
        """Show other candidates, with their pictures as they come."""
        self.model.show_candidates(candidates, thumbnails)
        self.why_empty.setText(why_empty)
        self.setCurrentIndex(1 if candidates else 0)

    def show_frame(self, frame: int) -> None:
        """Mark the candidate that is on the screen, if it is one."""
        place = self.model.place_of(frame)
        if place is None:
            self.list.setCurrentIndex(_NOWHERE)
        elif self.list.currentIndex().row() != place:
            index = self.model.index(place, 0)
            self.list.setCurrentIndex(index)
            self.list.scrollTo(index)

    def set_palette(self, palette: Palette) -> None:
        """Take the colours of the theme."""
        self._delegate.palette = palette
        QWidget.update(self.list)  # a view's own, in PySide6, is that of one row alone

    def _choose(self, index: QModelIndex) -> None:
        self.frame_chosen.emit(self.model.candidates[index.row()].frame)


class _CandidateModel(QAbstractListModel):
    """The candidates, and their pictures where they are made."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.candidates: Sequence[Candidate] = ()
        self._thumbnails: Thumbnails | None = None

    def show_candidates(
        self, candidates: Sequence[Candidate], thumbnails: Thumbnails | None
    ) -> None:
        """Show other candidates."""
        if thumbnails is not self._thumbnails:
            if self._thumbnails is not None:
                self._thumbnails.made.disconnect(self._made)
            if thumbnails is not None:
                thumbnails.made.connect(self._made)
        elif candidates == self.candidates:
            return
        self.beginResetModel()
        self.candidates, self._thumbnails = candidates, thumbnails
        self.endResetModel()

    def place_of(self, frame: int) -> int | None:
        """Return where a frame stands."""
        return next((n for n, one in enumerate(self.candidates) if one.frame == frame), None)

    def _made(self, frame: int) -> None:
        if (place := self.place_of(frame)) is not None:
            index = self.index(place, 0)
            self.dataChanged.emit(index, index)

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Return how many there are."""
        return 0 if parent.isValid() else len(self.candidates)

    def data(self, index: QModelIndex, role: int = int(_Role.DisplayRole)) -> Any:
        """Return what is shown of one; its picture is made when it is first asked for."""
        if not index.isValid() or index.row() >= len(self.candidates):
            return None
        candidate, thumbnails = self.candidates[index.row()], self._thumbnails
        if role == _Role.DisplayRole:
            mark = _MARKS[candidate.kind]
            return f"{mark}S{candidate.sweep + 1} · {candidate.frame_in_sweep}"
        if role == _Role.DecorationRole and thumbnails is not None:
            return thumbnails.picture(candidate)
        if role == _Role.StatusTipRole:
            return self._figures(candidate)
        if role in (_Role.ToolTipRole, _Role.AccessibleTextRole):
            return (
                f"{candidate.kind}: sweep {candidate.sweep + 1}, frame "
                f"{candidate.frame_in_sweep} ({candidate.frame}); "
                f"{self._figures(candidate) or 'no quality, not measured'}"
            )
        return None

    def _figures(self, candidate: Candidate) -> str:
        quality = "" if candidate.quality is None else f"{candidate.quality:.2f}"
        ac_mm = None
        if self._thumbnails is not None:
            if not self._thumbnails.is_measured(candidate):
                return f"{quality} · …" if quality else "…"
            ac_mm = self._thumbnails.ac_mm(candidate)
        measured = "" if ac_mm is None else f"{ac_mm:.1f} mm"
        return " · ".join(part for part in (quality, measured) if part)


class _Row(QListView):
    """One row from left to right; the wheel goes along it."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Candidate frames")
        self.setToolTip("Click a picture to go to its frame")
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setUniformItemSizes(True)
        self.setSpacing(0)
        self.setStyleSheet("QListView { background: transparent; border: 0 }")
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        with_own_keys(self)

    def keyPressEvent(self, event: Any) -> None:
        """Go along the row by Up and Down, too: Left and Right are the frames'."""
        key = event.key() if event else None
        step = -1 if key == Qt.Key.Key_Up else 1 if key == Qt.Key.Key_Down else 0
        model = self.model()
        if step and model is not None:
            place = max(0, min(self.currentIndex().row() + step, model.rowCount() - 1))
            self.setCurrentIndex(model.index(place, 0))
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: Any) -> None:
        """Turn the wheel to go along the row."""
        bar = self.horizontalScrollBar()
        if bar is not None and event is not None:
            turned = event.angleDelta()
            bar.setValue(bar.value() - (turned.y() or turned.x()))
            event.accept()


class _Delegate(QStyledItemDelegate):
    """Draws a picture and two lines below it."""

    def __init__(self, model: _CandidateModel, parent: QObject) -> None:
        super().__init__(parent)
        self._model = model
        self.palette = Palette()

    def size(self, widget: QWidget) -> QSize:
        """Return the size of each."""
        line = widget.fontMetrics().height()
        return QSize(WIDTH + 2 * _GAP, HEIGHT + 2 * line + 2 * _GAP)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Return the size of each."""
        line = option.fontMetrics.height()
        return QSize(WIDTH + 2 * _GAP, HEIGHT + 2 * line + 2 * _GAP)

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw one candidate."""
        if painter is None:
            return
        candidate = self._model.candidates[index.row()]
        place, around, lines = places(option.rect, option.fontMetrics.height())
        painter.fillRect(place, QColor("black"))
        picture = index.data(_Role.DecorationRole)
        if picture is not None:
            fitted = picture.size().scaled(place.size(), Qt.AspectRatioMode.KeepAspectRatio)
            area = QRect(place.topLeft(), fitted)
            area.moveCenter(place.center())
            painter.drawImage(area, picture)
        chosen = index.row() == self._current_row(option)
        painter.setPen(QPen(QColor(self.palette.mark(_FRAMES[candidate.kind]))))
        painter.drawRect(place)
        if chosen:  # around the picture, which is black at its edge
            pen = QPen(QColor(self.palette.highlight))
            pen.setWidth(_CHOSEN_PX)
            pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
            painter.setPen(pen)
            inset = _CHOSEN_PX // 2  # a pen draws to both sides of its line
            painter.drawRect(around.adjusted(inset, inset, -inset, -inset))
        painter.setPen(QColor(self.palette.text))
        texts = (index.data(), index.data(_Role.StatusTipRole))
        for below, text in zip(lines, texts, strict=True):
            painter.drawText(below, int(Qt.AlignmentFlag.AlignCenter), text or "not measured")

    @staticmethod
    def _current_row(option: QStyleOptionViewItem) -> int:
        view = option.widget
        return view.currentIndex().row() if isinstance(view, QListView) else -1


def places(item: QRect, line: int) -> tuple[QRect, QRect, tuple[QRect, QRect]]:
    """Return where an item has its picture, the frame around a chosen one, and its two lines.

    Parameters
    ----------
    item : QRect
    line : int
        Height of a line of text, in pixels.
    """
    picture = QRect(item.left() + _GAP, item.top() + _GAP, item.width() - 2 * _GAP, HEIGHT)
    around = picture.adjusted(-_CHOSEN_PX, -_CHOSEN_PX, _CHOSEN_PX, _CHOSEN_PX)
    first = QRect(picture.left(), around.bottom() + 2, picture.width(), line)
    return picture, around, (first, first.translated(0, line))
