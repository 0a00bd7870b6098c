"""Ties the section Learn to the training that runs, or ran, in a process of its own."""

import time
from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer, Signal

from fetal_iqa_models.cards import model_id
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.installation import is_whole, only_in_whole
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.errors import words_in_window
from napari_fetal_iqa.finetuning.job import (
    FinetuningError,
    FinetuningJob,
    FinetuningRequest,
    Outcome,
)
from napari_fetal_iqa.finetuning.progress import TASK_WORDS, FinetuningProgress
from napari_fetal_iqa.finetuning.report import ComparisonReport, comparison_report
from napari_fetal_iqa.finetuning.request import Choice
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import Settings
from napari_fetal_iqa.widgets.finetuning.dry_run import DryRun
from napari_fetal_iqa.widgets.finetuning.panel import FinetuningPanel

_LOOK_MS = 300


class FinetuningController(QObject):
    """Starts a training, follows it, and does with the new models what the expert decides.

    ``about_to_start`` tells to free the graphics memory.

    Parameters
    ----------
    panel : FinetuningPanel
    store : callable
        Gives the corrections store.
    settings : callable
        Gives the settings, whose models are the ones to go on from.
    take_into_use : callable
        Told the new model of a task, and whether it was chosen although it is worse; raises
        :class:`~fetal_iqa_models.ModelError` where it cannot be used.
    """

    about_to_start = Signal()

    def __init__(
        self,
        panel: FinetuningPanel,
        store: Callable[[], CorrectionStore],
        settings: Callable[[], Settings],
        take_into_use: Callable[[ComparisonReport, bool], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.panel = panel
        self.job: FinetuningJob | None = None
        self._store = store
        self._settings = settings
        self._take_into_use = take_into_use
        self._progress: FinetuningProgress | None = None
        self._reports: dict[str, ComparisonReport] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._dry_run = DryRun(self)
        self._dry_run.answered.connect(panel.form.show_summaries)
        self._dry_run.failed.connect(panel.form.show_problem)
        panel.unfolded.connect(self.count)
        panel.form.refresh_requested.connect(self.count)
        panel.form.start_requested.connect(self.start)
        panel.monitor.stop_requested.connect(self.stop)
        panel.monitor.cancel_requested.connect(self.cancel)
        panel.use_requested.connect(self.use)
        panel.keep_requested.connect(self.keep)
        panel.discard_requested.connect(self.discard)

    # Before ------------------------------------------------------------------------------------

    def count(self) -> None:
        """Ask what there is to learn from, unless a training is shown."""
        if self.job is not None:
            return
        if problem := self._not_ready():
            self.panel.form.show_problem(problem)
            return
        self.panel.form.show_looking()
        self._dry_run.ask(self._request(self._possible()).dry_run())

    def _not_ready(self) -> str | None:
        if not is_whole():
            return only_in_whole("Learning takes")
        store = self._store()
        if not store.on_disk or store.waiting:
            return "The corrections are not saved yet; once they are, press Refresh"
        settings = self._settings()
        if not settings.cls_model and not settings.seg_model:
            return "No model is chosen to go on from; choose one in Models and reviewer"
        return None

    def _possible(self) -> Choice:
        settings = self._settings()
        if settings.cls_model and settings.seg_model:
            return "both"
        return "cls" if settings.cls_model else "seg"

    def _request(self, task: Choice) -> FinetuningRequest:
        settings = self._settings()
        bases = {"cls": settings.cls_model, "seg": settings.seg_model}
        chosen = tuple(base for name, base in bases.items() if task in ("both", name))
        return FinetuningRequest(self._store().path, task, chosen, self.panel.form.chosen.preset)

    def start(self) -> None:
        """Start what the form says."""
        if problem := self._not_ready():
            self.panel.form.show_problem(problem)
            return
        self._dry_run.close()
        self.about_to_start.emit()
        try:
            job = FinetuningJob.start(self._request(self.panel.form.chosen.task))
        except FinetuningError as error:
            self.panel.show_message(words_in_window(error), is_error=True)
            return
        self.panel.show_message("")
        self._follow(job)

    def find(self) -> None:
        """Go on with the training that an earlier window started, if there is one."""
        job = FinetuningJob.unfinished_or_unread()
        if job is not None:
            self._follow(job)
            self.panel.expand(animate=False)

    # While it learns ---------------------------------------------------------------------------

    def _follow(self, job: FinetuningJob) -> None:
        self.job = job
        self._progress = FinetuningProgress(job.record.tasks)
        self.panel.show_monitor(job.stopping)
        self._timer.start()
        self._look()

    def _look(self) -> None:
        """Read what is new; once it has ended, show what came of it."""
        job, progress = self.job, self._progress
        if job is None or progress is None:
            return
        outcome = job.outcome()
        now = time.monotonic()
        for event in job.events():
            progress.take(event, now)
        if outcome is None:
            self.panel.monitor.show_progress(progress, now)
        else:
            self._timer.stop()
            self._show_outcome(job, outcome)

    def stop(self) -> None:
        """End early and keep what was learnt."""
        self._do(lambda job: job.stop())
        self.panel.monitor.show_stopping(True)

    def cancel(self) -> None:
        """End now and keep nothing."""
        if self._do(lambda job: job.cancel()):
            self._finish("Cancelled: nothing of the training is kept")

    def _do(self, act: Callable[[FinetuningJob], None]) -> bool:
        if self.job is None:
            return False
        try:
            act(self.job)
        except FinetuningError as error:
            self.panel.show_message(words_in_window(error), is_error=True)
            return False
        return True

    # Afterwards --------------------------------------------------------------------------------

    def _show_outcome(self, job: FinetuningJob, outcome: Outcome) -> None:
        if outcome.cancelled:  # by another window
            self._finish("Cancelled: nothing of the training is kept")
            return
        open_tasks = job.undecided
        found = [comparison_report(event) for event in outcome.done]
        self._reports = {
            one.task: one for one in found if one.task in open_tasks and one.folder.is_dir()
        }
        if gone := [task for task in open_tasks if task not in self._reports]:
            job.put_away(*gone)
        if not self._reports:
            self._finish(outcome.error or "The model that was learnt is not there any more", True)
            return
        self.panel.show_message(outcome.error or "", is_error=True)
        self.panel.show_results(list(self._reports.values()), _name_of)

    def use(self, task: str, although_worse: bool = False) -> None:
        """Analyse with the new model of a task from now on."""
        report = self._reports.get(task)
        if report is None or (report.is_worse and not although_worse):
            return
        try:
            self._take_into_use(report, although_worse)
        except ModelError as error:
            self.panel.show_message(words_in_window(error), is_error=True)
            return
        name = model_id(task, report.hash)
        self._decided(task, f"In use from now on: {name} ({report.folder.name})")

    def keep(self, task: str) -> None:
        """Leave the new model of a task where it is."""
        report = self._reports.get(task)
        if report is not None:
            self._decided(
                task,
                f"Kept for later: {model_id(task, report.hash)} ({report.folder.name}) is in the "
                "list of models; to use it, press Models… in Models and reviewer",
            )

    def discard(self, task: str) -> None:
        """Delete the new model of a task."""
        if task in self._reports and self._do(
            lambda job: job.discard("cls" if task == "cls" else "seg")
        ):
            self._decided(task, f"{TASK_WORDS[task]}: the new model is deleted")

    def _decided(self, task: str, message: str) -> None:
        del self._reports[task]
        if self.job is not None:
            self.job.put_away(task)
        if self._reports:
            self.panel.take_away(task)
            self.panel.show_message(message)
        else:
            self._finish(message)

    def _finish(self, message: str, is_error: bool = False) -> None:
        """Put the training away and show the form again."""
        self._timer.stop()
        self.job = self._progress = None
        self._reports = {}
        self.panel.show_form()
        self.panel.show_message(message, is_error)
        if self.panel.isExpanded():
            self.count()

    def when_closed(self) -> str:
        """Say what becomes of a training when the window is closed; empty where none runs."""
        job = self.job
        if job is None or not job.running or job.cancelled:
            return ""
        how = "It ends early, as you asked," if job.stopping else "It goes on"
        return (
            f"A model is learning. {how} without the window, and what it learnt is kept: the next "
            "start of the window shows it, in Learn. To end it and keep nothing, stay and press "
            "Cancel there."
        )

    def close(self) -> None:
        """Look no longer; a training goes on."""
        self._timer.stop()
        self._dry_run.close()


def _name_of(sweep: str) -> str:
    path = paths.known_location(sweep)
    return path.name if path is not None else f"sweep {sweep[:8]}"
