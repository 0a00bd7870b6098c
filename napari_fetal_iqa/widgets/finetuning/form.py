"""What there is to learn from, what shall be learnt and how, and the button that starts it."""

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_fetal_iqa.finetuning.progress import Summary
from napari_fetal_iqa.finetuning.request import Choice as TaskChoice
from napari_fetal_iqa.widgets.focus import Choice, with_own_keys

_TASKS: tuple[tuple[str, TaskChoice, str], ...] = (
    ("Frame quality and outlines", "both", "Both models, one after the other"),
    ("Frame quality", "cls", "The CLS model, from the labels that you gave"),
    ("Outlines", "seg", "The SEG model, from the outlines that you drew or accepted"),
)
_PRESETS = (
    ("Quick", "quick", "Minutes at the desk, for some tens of corrected frames"),
    (
        "Careful",
        "careful",
        "Slower steps, an early end, and earlier data beside the new, so that it forgets less",
    ),
    ("Paper", "paper", "The recipe of arXiv 2507.22802, for hundreds of frames; wants a GPU"),
)
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
        self._summaries: tuple[Summary, ...] = ()
        self.summary = QLabel(_WAIT)
        self.summary.setWordWrap(True)
        self.summary.setToolTip(_WHAT_COUNTS)
        self.refresh = QPushButton("Refresh")
        self.refresh.setToolTip("Count the corrections again")
        self.refresh.clicked.connect(self.refresh_requested)
        self.task = Choice()
        self.task.setToolTip("Which model learns")
        _fill(self.task, _TASKS)
        self.task.currentIndexChanged.connect(lambda _: self._show())
        self.preset = Choice()
        _fill(self.preset, _PRESETS)
        self.preset.setToolTip(
            "How it learns\n" + "\n".join(f"{name}: {tip}" for name, _, tip in _PRESETS)
        )
        self.start = QPushButton("Start learning")
        self.start.clicked.connect(self.start_requested)
        with_own_keys(self.refresh, self.task, self.preset, self.start)

        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("What", self.task)
        form.addRow("How", self.preset)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start, stretch=1)
        buttons.addWidget(self.refresh)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.summary)
        column.addLayout(form)
        column.addLayout(buttons)
        self.show_looking()

    @property
    def chosen_task(self) -> TaskChoice:
        """What shall be learnt."""
        choice: TaskChoice = self.task.currentData()
        return choice

    @property
    def chosen_preset(self) -> str:
        """How it shall be learnt."""
        return str(self.preset.currentData())

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

    def show_summaries(self, summaries: Sequence[Summary]) -> None:
        """Show what there is to learn from, for each task."""
        self._summaries = tuple(summaries)
        self.refresh.setEnabled(True)
        self._show()

    def _show(self) -> None:
        if not self._summaries:
            return
        tasks = ("cls", "seg") if self.chosen_task == "both" else (self.chosen_task,)
        shown = [found for found in self._summaries if found.task in tasks]
        lines = [found.said() for found in shown]
        if missing := [task for task in tasks if task not in [found.task for found in shown]]:
            lines.append(
                f"No {' and no '.join(missing).upper()} model is chosen to go on from; "
                "choose one in Models and reviewer"
            )
        reviewers = sorted({name for found in shown for name in found.reviewers})
        if reviewers:
            lines.append(f"Reviewers: {', '.join(reviewers)}")
        self.summary.setText("<br>".join(lines))
        notes = dict.fromkeys(f"{found.name}: {found.note}" for found in shown if found.note)
        self.summary.setToolTip("\n".join([_WHAT_COUNTS, *notes]))
        problem = next((found.said() for found in shown if found.problem), None)
        self._allow_start(lines[-1] if missing else problem)

    def _allow_start(self, problem: str | None) -> None:
        self.start.setEnabled(problem is None)
        self.start.setToolTip(
            problem
            or "Learn from the corrections in the background; the model in use stays until you "
            "choose the new one. Goes on while the window is closed."
        )


def _fill(choice: Choice, entries: Sequence[tuple[str, str, str]]) -> None:
    for place, (name, data, tip) in enumerate(entries):
        choice.addItem(name, data)
        choice.setItemData(place, tip, Qt.ItemDataRole.ToolTipRole)
    choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
