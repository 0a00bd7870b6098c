"""The folded section Learn: before, while and after a model learns from the corrections."""

from collections.abc import Callable, Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_fetal_iqa import colours
from napari_fetal_iqa.finetuning.report import ComparisonReport
from napari_fetal_iqa.widgets.finetuning.form import FinetuningForm
from napari_fetal_iqa.widgets.finetuning.monitor import FinetuningMonitor
from napari_fetal_iqa.widgets.finetuning.result import ComparisonView
from napari_fetal_iqa.widgets.panels.eliding_label import ElidingLabel
from napari_fetal_iqa.widgets.panels.folded_section import FoldedSection
from napari_fetal_iqa.widgets.theme import Palette, dye_anew, write_in


class FinetuningPanel(FoldedSection):
    """Shows one of three states: the form, a training on its way, or what came of it.

    ``use_requested`` gives task and whether it was chosen although worse, ``keep_requested`` and
    ``discard_requested`` the task, ``frame_requested`` a sweep's identity and a frame.
    """

    unfolded = Signal()
    use_requested = Signal(str, bool)
    keep_requested = Signal(str)
    discard_requested = Signal(str)
    frame_requested = Signal(str, int)

    def __init__(self) -> None:
        super().__init__("Learn", "Let the models learn from the corrections")
        self.toggled.connect(lambda unfolded: unfolded and self.unfolded.emit())
        self.message = ElidingLabel()
        self.message.hide()
        self.form = FinetuningForm()
        self.monitor = FinetuningMonitor()
        self.monitor.hide()
        self.results: dict[str, ComparisonView] = {}
        self._results = QVBoxLayout()
        self._results.setSpacing(12)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.message)
        column.addWidget(self.monitor)
        column.addLayout(self._results)
        column.addWidget(self.form)
        self.addWidget(body)

    def show_message(self, message: str, is_error: bool = False) -> None:
        """Show one line at the top; nothing hides it."""
        self.message.setText(message)
        write_in(self.message, colours.ERROR if is_error else "")
        self.message.setVisible(bool(message))

    def show_form(self) -> None:
        """Show what can be learnt."""
        self._show(self.form)

    def show_monitor(self, stopping: bool) -> None:
        """Show a training on its way."""
        self.monitor.begin(stopping)
        self._show(self.monitor)

    def show_results(
        self, reports: Sequence[ComparisonReport], name_of: Callable[[str], str]
    ) -> None:
        """Show what came of a training, for each task."""
        self._show(None)
        for report in reports:
            result = ComparisonView(report, name_of)
            task = report.task
            result.use_requested.connect(
                lambda although, task=task: self.use_requested.emit(task, although)
            )
            result.keep_requested.connect(lambda task=task: self.keep_requested.emit(task))
            result.discard_requested.connect(lambda task=task: self.discard_requested.emit(task))
            result.frame_requested.connect(self.frame_requested)
            self.results[task] = result
            self._results.addWidget(result)
            dye_anew(result)
            result.show()
        before: QWidget = self.toggleButton()
        for control in (part for result in self.results.values() for part in result.controls):
            self.setTabOrder(before, control)
            before = control

    def take_away(self, task: str) -> None:
        """Show the outcome of a task no longer."""
        result = self.results.pop(task, None)
        if result is not None:
            self._results.removeWidget(result)
            result.hide()
            result.deleteLater()

    def _show(self, part: QWidget | None) -> None:
        for task in list(self.results):
            self.take_away(task)
        for one in (self.form, self.monitor):
            one.setVisible(one is part)

    def set_palette(self, palette: Palette) -> None:
        """Follow the viewer's theme."""
        self.monitor.set_palette(palette)
