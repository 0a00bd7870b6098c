"""The panel while a sweep is open, in reading order: what, how good, what to do, what next."""

import html
from collections.abc import Callable
from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fetal_iqa.analysis.certainty import Certainty
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.storage.settings import Settings
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets.finetuning.panel import FinetuningPanel
from napari_fetal_iqa.widgets.panels.analysis_panel import AnalysisPanel
from napari_fetal_iqa.widgets.panels.criteria_panel import CriteriaPanel
from napari_fetal_iqa.widgets.panels.eliding_label import ElidingLabel
from napari_fetal_iqa.widgets.panels.export_panel import ExportPanel
from napari_fetal_iqa.widgets.panels.folded_section import FoldedSection
from napari_fetal_iqa.widgets.panels.footer import Footer
from napari_fetal_iqa.widgets.panels.frame_panel import FramePanel
from napari_fetal_iqa.widgets.panels.open_button import OpenButton
from napari_fetal_iqa.widgets.panels.reviewers_panel import ReviewersPanel
from napari_fetal_iqa.widgets.panels.scrolled_column import ScrolledColumn
from napari_fetal_iqa.widgets.panels.settings_panel import SettingsPanel
from napari_fetal_iqa.widgets.panels.stale_notice import StaleNotice
from napari_fetal_iqa.widgets.panels.unfolded_in_view import UnfoldedInView
from napari_fetal_iqa.widgets.panels.view_tools import ViewTools
from napari_fetal_iqa.widgets.result.panel import ResultPanel
from napari_fetal_iqa.widgets.shortcuts import Action, key_of, with_key

_LAID_OUT_MS = 50
_SPACING, _TIGHT = 4, 1


class ReviewPage(QWidget):
    """Lays out the parts; ``action_requested`` tells which action a button stands for."""

    action_requested = Signal(object)  # Action
    fully_reviewed = Signal(bool)

    def __init__(self, settings: Settings, store: Callable[[], Path]) -> None:
        super().__init__()
        self.about = ElidingLabel()
        self.opening = ElidingLabel()
        self.opening.setTextFormat(Qt.TextFormat.PlainText)
        self.opening.hide()
        self.open = OpenButton()
        self.frame = FramePanel()
        self.frame.action_requested.connect(self.action_requested)
        self.tools = ViewTools()
        self.tools.action_requested.connect(self.action_requested)
        self.best = QLabel()
        self.waiting = QLabel()
        self.reviewed = QCheckBox("Sweep fully reviewed")
        self.reviewed.setToolTip(
            "You looked at every frame: those that you did not correct show no abdomen.\n"
            "Under Learn, some of them then teach the models what is no abdomen."
        )
        self.reviewed.clicked.connect(self.fully_reviewed)
        self.analysis = AnalysisPanel()
        self.analysis.analyse_requested.connect(lambda: self.action_requested.emit(Action.ANALYSE))
        self.analysis.cancel_requested.connect(
            lambda: self.action_requested.emit(Action.CANCEL_ANALYSIS)
        )
        self.stale = StaleNotice()
        self.stale.analyse_requested.connect(lambda: self.action_requested.emit(Action.ANALYSE))
        self.stale.shown.connect(self._offer_once)
        self.reviewers = ReviewersPanel()
        self.footer = Footer()
        self.footer.action_requested.connect(self.action_requested)
        self.saved, self.timeline = self.footer.saved, self.footer.timeline
        self.candidates, self.worklist = self.footer.candidates, self.footer.worklist
        self.criteria = CriteriaPanel()
        self.criteria.action_requested.connect(self.action_requested)
        self.settings = SettingsPanel(settings)
        choices = FoldedSection("Models and reviewer", "Which models to use, and who reviews")
        choices.addWidget(self.settings)
        self.finetuning = FinetuningPanel()
        self.export = ExportPanel(store)
        exporting = FoldedSection("Export", "Write all corrections as a data set")
        exporting.addWidget(self.export)
        self.result = ResultPanel()
        self.result.action_requested.connect(self.action_requested)
        self.sections = (self.criteria, self.result, choices, self.finetuning, exporting)

        content = QWidget()
        self._column = column = QVBoxLayout(content)
        column.addLayout(self._top_row())
        column.addWidget(self.opening)
        column.addWidget(_rule())
        column.addWidget(self.frame)
        column.addWidget(self.tools)
        column.addWidget(_rule())
        column.addLayout(self._row(self.best, "Go", Action.GO_BEST, "Go to the frame to measure"))
        column.addLayout(
            self._row(
                self.waiting, "Next", Action.GO_NEXT_TO_REVIEW, "Go to the next frame worth a look"
            )
        )
        column.addWidget(_rule())
        column.addWidget(self.stale)
        column.addWidget(self.analysis)
        column.addWidget(self.reviewed)
        column.addWidget(self.reviewers)
        for section in self.sections:
            column.addWidget(section)
        column.addStretch()
        self.set_compact(False)
        self.scroll_area = ScrolledColumn(content)
        self._laid_out = QTimer(self)  # by then the message has its height
        self._laid_out.setSingleShot(True)
        self._laid_out.setInterval(_LAID_OUT_MS)
        self._laid_out.timeout.connect(self._scroll_to_error)
        self.analysis.error_shown.connect(self._laid_out.start)
        self._told = QTimer(self)
        self._told.setSingleShot(True)
        self._told.setInterval(_LAID_OUT_MS)
        self._told.timeout.connect(self._scroll_to_result)
        self.result.said.connect(self._told.start)
        self._unfolded = UnfoldedInView(self.scroll_area, self)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.scroll_area, stretch=1)
        whole.addWidget(self.footer)

    def _scroll_to_error(self) -> None:
        """Let nobody miss what went wrong, and the way out, below the fold."""
        self.scroll_area.ensureWidgetVisible(self.analysis.error_box.dismiss)  # its lowest part

    def _scroll_to_result(self) -> None:
        """Let nobody miss what became of the report, below the fold."""
        lowest = self.result.open if self.result.open.isVisible() else self.result.doing
        if lowest.isVisible():
            self.scroll_area.ensureWidgetVisible(lowest)

    def open_sections(self) -> None:
        """Unfold the sections that were open when the last window was left."""
        for section in self.sections:
            section.open_as_it_was()
            section.toggled.connect(partial(self._unfolded.toggled, section))

    def _row(self, label: QLabel, text: str, action: Action, tip: str) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(label, stretch=1)
        row.addWidget(self._button(f"{text}  {key_of(action)}", action, tip))
        return row

    def _offer_once(self, stale: bool) -> None:
        """Leave the analysis to the notice's own button while there is one."""
        self.analysis.analyse.setVisible(not stale and self.analysis.bar.isHidden())

    def _top_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(self.about, stretch=1)
        row.addWidget(self.open, alignment=Qt.AlignmentFlag.AlignTop)
        return row

    def _button(self, text: str, action: Action, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(with_key(tip, action))
        button.clicked.connect(lambda: self.action_requested.emit(action))
        return button

    def set_compact(self, compact: bool) -> None:
        """Leave less room between the parts, so that a low window shows what is done daily."""
        self._column.setSpacing(_TIGHT if compact else _SPACING)
        self.frame.set_compact(compact)

    def set_reviewed(self, reviewed: bool) -> None:
        """Let the parts be used that correct and analyse the sweep, while a review goes on."""
        for part in (self.frame, self.tools, self.reviewed, self.reviewers, self.analysis.analyse):
            part.setEnabled(reviewed)
        self.criteria.content().setEnabled(reviewed)

    def show_sweep(self, sweep: SweepVolume) -> None:
        """Show which sweep this is, and nothing of the one before."""
        self.frame.show_nothing()
        self.show_nothing_next()
        self.analysis.show_no_setup()
        self.reviewed.setChecked(False)
        self.reviewers.offer("", ())
        if (bar := self.scroll_area.verticalScrollBar()) is not None:
            bar.setValue(0)  # one begins to read at the top
        frames, _, _ = sweep.shape
        sweeps = len(sweep.bounds)
        spacing = "no spacing: nothing can be measured"
        if sweep.spacing_mm is not None:
            row_mm, column_mm = sweep.spacing_mm
            same = abs(row_mm - column_mm) < 1e-6 * row_mm
            spacing = f"{row_mm:.3g} mm" if same else f"{row_mm:.3g} × {column_mm:.3g} mm"
        self.about.setText(
            f"<b>{html.escape(shown(sweep.name))}</b><br>"
            f"{counted(frames, 'frame')}, {counted(sweeps, 'sweep')}, {spacing}"
            + (f"<br>{sweep.spacing_note}" if sweep.spacing_note else "")
        )

    def show_saved(self, reviewer: str, corrected: int, saved: bool) -> None:
        """Show whether everything is on disk."""
        self.footer.show_saved(reviewer, corrected, saved)

    def show_opening(self, name: str) -> None:
        """Say which sweep will come while this one is still shown; empty for none."""
        self.opening.setText(f"Opening {shown(name)}…")
        self.opening.setVisible(bool(name))

    def show_nothing_next(self) -> None:
        """Say nothing of where to go next while it is not known."""
        self.best.setText("Best frame …")
        self.waiting.setText("… to review")

    def show_next(
        self, best: int, waiting: int, complete: bool = False, sure: Certainty | None = None
    ) -> None:
        """Show where to go next; where all frames are analysed, also that none is the best.

        While an analysis goes on, ``sure`` says how sure the best frame so far is.
        """
        none = "No frame to measure" if complete else "No best frame yet"
        found = "Best frame" if sure is None else "Best so far"
        chance = "" if sure is None else f" ({sure.in_ten} stay)"
        self.best.setText(f"{found} <b>{best}</b>{chance}" if best >= 0 else none)
        self.best.setToolTip("" if sure is None else sure.explained)
        self.waiting.setText(f"<b>{waiting}</b> to review")


def _rule() -> QFrame:
    rule = QFrame()
    rule.setFrameShape(QFrame.Shape.HLine)
    return rule
