"""What there is to learn from, what shall be learnt and how, and the button that starts it."""

import html
from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fetal_iqa.finetuning.events import SummaryEvent
from napari_fetal_iqa.finetuning.progress import describe, task_name
from napari_fetal_iqa.finetuning.request import FinetuningChoices
from napari_fetal_iqa.widgets.focus import with_own_keys
from napari_fetal_iqa.widgets.forms import ModelForm
from napari_fetal_iqa.widgets.panels.eliding_label import ElidingLabel

_WHAT_COUNTS = (
    "Corrected frames that can be learnt from. Those held out are not: they judge the new model "
    "beside the old one."
)
_WAIT = "What there is to learn from is not known yet"


class FinetuningForm(QWidget):
    """The state before learning; ``refresh_requested`` and ``start_requested`` are its buttons."""

    refresh_requested = Signal()
    start_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._summaries: tuple[SummaryEvent, ...] = ()
        self.summary = ElidingLabel(_WAIT)
        self.summary.setToolTip(_WHAT_COUNTS)
        self.refresh = QPushButton("Refresh")
        self.refresh.setToolTip("Count the corrections again")
        self.refresh.clicked.connect(self.refresh_requested)
        self.choices = ModelForm(FinetuningChoices(), list(FinetuningChoices.model_fields))
        self.choices.changed.connect(lambda _: self._show())
        self.start = QPushButton("Start learning")
        self.start.clicked.connect(self.start_requested)
        with_own_keys(self.refresh, self.start)

        buttons = QHBoxLayout()
        buttons.addWidget(self.start, stretch=1)
        buttons.addWidget(self.refresh)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.summary)
        column.addWidget(self.choices)
        column.addLayout(buttons)
        self.show_looking()

    @property
    def chosen(self) -> FinetuningChoices:
        """What shall be learnt, and how."""
        return self.choices.value

    def show_looking(self) -> None:
        """Show that the corrections are being counted."""
        self._summaries = ()
        self.summary.setText("Counting the corrections…")
        self._allow_start(_WAIT)
        self.refresh.setEnabled(False)

    def show_problem(self, problem: str) -> None:
        """Show why nothing can be learnt."""
        self._summaries = ()
        self.summary.setText(problem)
        self._allow_start(problem)
        self.refresh.setEnabled(True)

    def show_summaries(self, summaries: Sequence[SummaryEvent]) -> None:
        """Show what there is to learn from, for each task."""
        self._summaries = tuple(summaries)
        self.refresh.setEnabled(True)
        self._show()

    def _show(self) -> None:
        if not self._summaries:
            return
        tasks = ("cls", "seg") if self.chosen.task == "both" else (self.chosen.task,)
        shown = [found for found in self._summaries if found.task in tasks]
        lines = [describe(found) for found in shown]
        if missing := [task for task in tasks if task not in [found.task for found in shown]]:
            lines.append(
                f"No {' and no '.join(missing).upper()} model is chosen to go on from; "
                "choose one in Models and reviewer"
            )
        reviewers = sorted({html.escape(name) for found in shown for name in found.reviewers})
        if reviewers:
            lines.append(f"Reviewers: {', '.join(reviewers)}")
        self.summary.setText("<br>".join(lines))
        notes = dict.fromkeys(
            f"{task_name(found.task)}: {found.note}" for found in shown if found.note
        )
        go_on = [f"{task_name(one.task)}: goes on from {one.base}" for one in shown if one.base]
        self.summary.setToolTip("\n".join([_WHAT_COUNTS, *go_on, *notes]))
        problem = next((describe(found) for found in shown if found.problem), None)
        self._allow_start(lines[-1] if missing else problem)

    def _allow_start(self, problem: str | None) -> None:
        self.start.setEnabled(problem is None)
        self.start.setToolTip(
            problem
            or "Learn from the corrections in the background; the model in use stays until you "
            "choose the new one. Goes on while the window is closed."
        )
