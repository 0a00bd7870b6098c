"""A new model beside the one that it comes from, and what shall become of it."""

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_fetal_iqa import colours
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.finetuning.progress import TASK_WORDS
from napari_fetal_iqa.finetuning.report import ComparisonReport, FrameSet, MetricChange
from napari_fetal_iqa.model_library.comparison import ChangedFrame
from napari_fetal_iqa.widgets.focus import with_own_keys
from napari_fetal_iqa.widgets.theme import show_rich, write_in

_LINES_SHOWN = 6
_FRAME = Qt.ItemDataRole.UserRole


class ComparisonView(QWidget):
    """Verdict, table, frames that changed, and Use, Keep for later, Discard.

    ``use_requested`` tells whether it was chosen although it is worse.

    Parameters
    ----------
    report : ComparisonReport
    name_of : callable
        Gives the name for people of a sweep, by its identity.
    """

    use_requested = Signal(bool)
    keep_requested = Signal()
    discard_requested = Signal()
    frame_requested = Signal(str, int)

    def __init__(self, report: ComparisonReport, name_of: Callable[[str], str]) -> None:
        super().__init__()
        self.report = report
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        title = QLabel(f"<b>{TASK_WORDS.get(report.task, report.task)}</b>")
        title.setToolTip(f"New model: {report.folder.name}")
        column.addWidget(title)
        self.verdict = QLabel(report.verdict)
        self.verdict.setWordWrap(True)
        self.verdict.setToolTip(
            "The hold-out: corrected frames that neither model learnt from. F1 decides for frame "
            "quality, Dice for outlines."
        )
        if report.is_worse:
            write_in(self.verdict, colours.ERROR, "bold")
        column.addWidget(self.verdict)
        self.table = QLabel()
        show_rich(self.table, _table(report.sets))
        self.table.setTextFormat(Qt.TextFormat.RichText)
        self.table.setToolTip(
            "The old model, the new one, and their difference with its 95 % interval; ▲ better "
            "and ▼ worse where that is hardly chance. AC: abdominal circumference."
        )
        self.table.setVisible(bool(report.sets))
        column.addWidget(self.table)
        self.frames = self._frame_list(name_of)
        column.addWidget(self.frames)
        self._add_decision(column)

    def _frame_list(self, name_of: Callable[[str], str]) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setHeaderHidden(True)
        tree.setColumnCount(2)
        tree.setToolTip("Click a frame, or press Enter on it, to look at it")
        for word, changed in (("better", self.report.better), ("worse", self.report.worse)):
            if not changed:
                continue
            frames = "frame" if len(changed) == 1 else "frames"
            group = QTreeWidgetItem([f"{len(changed)} {frames} got {word}"])
            group.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            tree.addTopLevelItem(group)
            group.setFirstColumnSpanned(True)
            group.addChildren([_frame_item(frame, name_of) for frame in changed])
        tree.expandAll()
        header = tree.header()
        if header is not None:
            header.setStretchLastSection(False)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        tree.setIndentation(14)
        tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        groups = (self.report.better, self.report.worse)
        lines = sum(len(group) + 1 for group in groups if group)
        tree.ensurePolished()
        row = max(tree.sizeHintForRow(0), tree.fontMetrics().height())
        tree.setFixedHeight(min(lines, _LINES_SHOWN) * row + 8)
        tree.setVisible(lines > 0)
        tree.itemClicked.connect(lambda item: self._choose(item))
        tree.itemActivated.connect(lambda item: self._choose(item))
        return tree

    def _choose(self, item: QTreeWidgetItem) -> None:
        frame = item.data(0, _FRAME)
        if isinstance(frame, ChangedFrame):
            self.frame_requested.emit(frame.sweep, frame.frame)

    def _add_decision(self, column: QVBoxLayout) -> None:
        self.although_worse = QCheckBox("Use although it is worse")
        self.although_worse.setToolTip(
            "The new model is worse than the old one: see what is said above"
        )
        self.although_worse.setVisible(self.report.is_worse)
        self.although_worse.toggled.connect(lambda _: self._allow_use())
        column.addWidget(self.although_worse)
        self.use = QPushButton("Use")
        self.use.clicked.connect(lambda: self.use_requested.emit(self.although_worse.isChecked()))
        keep = QPushButton("Keep for later")
        keep.setToolTip(
            f"The model in use stays; this one stays in the folder {self.report.folder.name} "
            "and in the list of models, from which it can be used at any time"
        )
        keep.clicked.connect(self.keep_requested)
        discard = QPushButton("Discard")
        discard.setToolTip(
            "Delete the new model's folder. Your corrections stay, so it can be learnt again."
        )
        discard.clicked.connect(self.discard_requested)
        self.keep, self.discard = keep, discard
        row = QHBoxLayout()
        for button in (self.use, keep, discard):
            row.addWidget(button)
        column.addLayout(row)
        self.controls = (self.frames, self.although_worse, self.use, keep, discard)
        with_own_keys(*self.controls)
        self._allow_use()

    def _allow_use(self) -> None:
        allowed = not self.report.is_worse or self.although_worse.isChecked()
        self.use.setEnabled(allowed)
        self.use.setToolTip(
            "Analyse with the new model from now on; the old one is kept"
            if allowed
            else "It is worse on the hold-out: tick “Use although it is worse” to use it anyway"
        )


def _frame_item(frame: ChangedFrame, name_of: Callable[[str], str]) -> QTreeWidgetItem:
    name = name_of(frame.sweep)
    item = QTreeWidgetItem([f"frame {frame.frame}, {name}"])
    item.setText(1, f"{frame.before:.2f} → {frame.after:.2f}")
    item.setData(0, _FRAME, frame)
    tip = f"Frame {frame.frame} of {name}: {frame.before:.2f} before, {frame.after:.2f} after"
    item.setToolTip(0, tip)
    item.setToolTip(1, tip)
    return item


def _table(sets: Sequence[FrameSet]) -> str:
    """Write the metrics so that they fit into the narrowest panel."""
    rows = []
    for judged in sets:
        frames = f", {counted(judged.frames, 'frame')}" if judged.frames else ""
        rows.append(
            f"<tr><td colspan=4 style='padding-top:4px'><b>{judged.name}</b>{frames}</td></tr>"
        )
        rows.append(_cells("", "before", "after", "difference, 95 %"))
        rows += [_row(metric) for metric in judged.metrics]
    return (
        "<table cellspacing=0 cellpadding=1 width='100%' style='font-size:11px'>"
        f"{''.join(rows)}</table>"
    )


def _row(metric: MetricChange) -> str:
    mark = ""
    if metric.sure:
        better = metric.gain > 0
        colour = colours.OPTIMAL if better else colours.ERROR
        mark = f"<span style='color:{colour}'>{'▲' if better else '▼'}</span> "
    difference = mark + metric.shown(metric.after - metric.before, sign=True)
    if metric.interval is not None:
        low, high = (metric.shown(end) for end in metric.interval)
        difference += f" ({low}…{high})"
    return _cells(metric.label, metric.shown(metric.before), metric.shown(metric.after), difference)


def _cells(name: str, *values: str) -> str:
    cells = "".join(
        f"<td align=right style='white-space:nowrap; padding-left:6px'>{value}</td>"
        for value in values
    )
    return f"<tr><td>{name}</td>{cells}</tr>"
