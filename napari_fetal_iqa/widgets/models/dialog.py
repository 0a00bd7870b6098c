"""The dialog of models and weights: what the commands do, for people without a terminal."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QMessageBox,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from fetal_iqa_models.cards import Task
from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.errors import words_in_window
from napari_fetal_iqa.model_library.in_use import TASKS, locate, places_in_use
from napari_fetal_iqa.model_library.library import ModelLibrary
from napari_fetal_iqa.model_library.overview import ModelRow, model_rows
from napari_fetal_iqa.model_library.soundness import check_usable
from napari_fetal_iqa.model_library.weights_overview import WeightsRow, weights_rows
from napari_fetal_iqa.storage.settings import AUTOMATIC, Settings, load_settings
from napari_fetal_iqa.widgets.background.command_runner import CommandRunner
from napari_fetal_iqa.widgets.background.threads import MODELS
from napari_fetal_iqa.widgets.models.job_bar import JobBar
from napari_fetal_iqa.widgets.models.library_tab import LibraryTab
from napari_fetal_iqa.widgets.models.weights_tab import WeightsTab

_PACKED = "Packed models (*.zip);;All files (*)"
_CHECKPOINTS = "Checkpoints (*.pt *.pth *.bin *.ckpt *.safetensors);;All files (*)"


@dataclass(frozen=True)
class _Seen:
    """What lies on this machine: looked for in a thread."""

    models: list[ModelRow]
    weights: list[WeightsRow]
    in_use: dict[Task, str]


class ModelsDialog(QDialog):
    """Models and weights in two tabs; ``chosen`` gives the task and the model to use from now on.

    Everything that changes something is a command in a process of its own, so that it makes the
    same checks as in a terminal; one at a time.

    Parameters
    ----------
    settings : callable
        Gives the settings of the window.
    own : bool
        Whether these are the user's own, which the commands change.
    """

    chosen = Signal(str, str)

    def __init__(
        self, settings: Callable[[], Settings], own: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Models")
        self.setAcceptDrops(True)
        self.resize(940, 600)
        self._settings = settings
        self._own = own
        self._to_add: list[str] = []
        self._adopt = False
        self._doing = ""
        self.seen: _Seen | None = None
        self.library = LibraryTab()
        self.weights = WeightsTab()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.library, "Models")
        self.tabs.addTab(self.weights, "Pretrained weights")
        self.job = JobBar()
        column = QVBoxLayout(self)
        column.addWidget(self.tabs, stretch=1)
        column.addWidget(self.job)
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)  # Enter presses nothing, wherever it was meant for
        self.runner = CommandRunner(self)
        self._connect()

    def _connect(self) -> None:
        runner, library, weights = self.runner, self.library, self.weights
        runner.began.connect(self._began)
        runner.advanced.connect(self.job.advance)
        runner.ended.connect(self._ended)
        self.job.cancel_requested.connect(self._cancel)
        library.use_requested.connect(self.use)
        library.none_requested.connect(self.use_none)
        library.automatic_requested.connect(self.use_automatic)
        library.back_requested.connect(self.go_back)
        library.delete_requested.connect(self._ask_to_delete)
        library.pack_requested.connect(self._ask_where_to_pack)
        library.add_file_requested.connect(self._ask_for_a_file)
        library.add_folder_requested.connect(self._ask_for_a_folder)
        weights.fetch_requested.connect(self.fetch)
        weights.import_requested.connect(self._ask_for_weights)
        weights.verify_requested.connect(
            lambda name: runner.run(f"Checking the weights of {name}…", "weights", "verify", name)
        )

    # What there is -------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent | None) -> None:
        """Look what there is whenever the dialog is shown."""
        super().showEvent(event)
        self.refresh()

    def refresh(self) -> None:
        """Look again what there is, in a thread: models are hashed, and may be large."""
        if self.seen is None:
            self.job.message.setText("Looking which models are on this machine…")
        worker = MODELS.worker(_look)
        worker.returned.connect(self._show)
        worker.errored.connect(lambda error: self.job.end(False, words_in_window(error)))
        MODELS.start(worker)

    def _show(self, seen: _Seen) -> None:
        if self.seen is None and not self.runner.running:
            self.job.message.setText("")
        self.seen = seen
        if self._own and self._adopt:  # what the command that ended has changed
            self._adopt = False
            for task, reference in seen.in_use.items():
                self._choose(task, reference)
        self._show_models()
        self.weights.show_weights(seen.weights)

    def _show_models(self) -> None:
        """Show which are in use in this window, which may have been told other settings."""
        if self.seen is None:
            return
        chosen = {task: self._reference(task) for task in TASKS}
        used = places_in_use(chosen)
        self.library.show_models(
            [
                row.used((place := locate(row.reference)) in used, used.get(place, ""))
                for row in self.seen.models
            ],
            [task for task in TASKS if chosen[task] == AUTOMATIC],
        )

    def _reference(self, task: Task) -> str:
        settings = self._settings()
        return settings.cls_model if task == "cls" else settings.seg_model

    def _choose(self, task: Task, reference: str) -> None:
        if reference != self._reference(task):
            self.chosen.emit(task, reference)
            self._show_models()

    # Models --------------------------------------------------------------------------------------

    def use(self, row: ModelRow) -> None:
        """Take a model into use, once it is found that it can be used."""
        if row.worse and not self._agreed(f"{row.id} is {row.worse}. Use it all the same?"):
            return
        if self._own:
            although = ("--although-worse",) if row.worse else ()
            doing = f"Loading {row.id} once, to see that it can be used…"
            self.runner.run(doing, "models", "use", row.reference, *although)
        elif row.task is not None:
            worker = MODELS.worker(check_usable, row.reference, row.task)
            worker.returned.connect(lambda card: self._choose(card.task, row.reference))
            worker.errored.connect(lambda error: self.job.end(False, words_in_window(error)))
            MODELS.start(worker)

    def use_none(self, task: str) -> None:
        """Use no model for a task."""
        if self._own:
            self.runner.run("Taking the model out of use…", "models", "use-none", task)
        elif task in TASKS:
            self._choose(task, "")

    def use_automatic(self, task: str) -> None:
        """Use for each sweep the built-in model of a task that suits it."""
        if self._own:
            doing = "Choosing the model that suits each sweep…"
            self.runner.run(doing, "models", "use", AUTOMATIC, "--task", task)
        elif task in TASKS:
            self._choose(task, AUTOMATIC)

    def go_back(self, task: str) -> None:
        """Use what was in use for a task before."""
        if self._own:
            self.runner.run("Going back…", "models", "rollback", task)
        else:
            self.job.end(False, "This window was given its models; there is no way back in it")

    def add(self, path: str) -> None:
        """Check and keep a model that lies in a file or a folder; after those that wait."""
        self._to_add.append(path)
        self._add_next()

    def _add_next(self) -> None:
        if self._to_add and not self.runner.running:
            path = self._to_add.pop(0)
            self.tabs.setCurrentWidget(self.library)
            self.runner.run(f"Checking {Path(path).name}…", "models", "add", path)

    def _ask_to_delete(self, row: ModelRow) -> None:
        if self._agreed(f"Delete {row.id} ({row.name}) for good? Its folder is {row.reference}"):
            self.runner.run(f"Deleting {row.id}…", "models", "delete", row.reference, "--yes")

    def _ask_where_to_pack(self, row: ModelRow) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self,
            "Send a model as a file",
            f"{row.id}.zip",
            _PACKED,
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if name:
            self.runner.run(f"Packing {row.id}…", "models", "pack", row.reference, name)

    def _ask_for_a_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Add a model", "", _PACKED)
        if name:
            self.add(name)

    def _ask_for_a_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Add a model folder")
        if name:
            self.add(name)

    def _agreed(self, question: str) -> bool:
        buttons = QMessageBox.StandardButton
        words = f"<p>{html.escape(question)}</p>"  # a name is others' words, and no HTML
        answer = QMessageBox.question(
            self, "Models", words, buttons.Yes | buttons.Cancel, buttons.Cancel
        )
        return answer == buttons.Yes

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Take files and folders."""
        data = event.mimeData() if event is not None else None
        if event is not None and data is not None and data.hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Add what was dropped."""
        data = event.mimeData() if event is not None else None
        for url in data.urls() if data is not None else ():
            if url.isLocalFile():
                self.add(url.toLocalFile())

    # Weights -------------------------------------------------------------------------------------

    def fetch(self, name: str, accepted: bool) -> None:
        """Download the published weights of an encoder."""
        accept = ("--accept-licence",) if accepted else ()
        self.runner.run(
            f"Asking for the weights of {name}…",
            *("weights", "fetch", name, "--json-progress", *accept),
        )

    def _ask_for_weights(self, name: str) -> None:
        file, _ = QFileDialog.getOpenFileName(self, f"Weights of {name}", "", _CHECKPOINTS)
        if file:
            self.runner.run(f"Checking {Path(file).name}…", "weights", "import", name, file)

    # A command on its way ------------------------------------------------------------------------

    def _began(self, doing: str) -> None:
        self._doing = doing
        self.job.begin(doing)
        self._set_working(True)

    def _ended(self, succeeded: bool, said: str) -> None:
        self.job.end(succeeded, said)
        self._set_working(False)
        self._adopt = self._adopt or succeeded
        self.refresh()
        self._add_next()

    def _cancel(self) -> None:
        self._to_add.clear()
        self.runner.cancel()

    def _set_working(self, working: bool) -> None:
        self.library.set_working(working)
        self.weights.set_working(working)

    def when_closed(self) -> str:
        """Say what becomes of a command when the window is closed; empty where none runs."""
        if not self.runner.running:
            return ""
        return (
            f"In Models: {self._doing.rstrip('…')}. Closing ends that; begin it again at the next "
            "start (a download goes on from where it was)."
        )

    def close_for_good(self) -> None:
        """End what is on its way, and the dialog."""
        self._to_add.clear()
        self.runner.close()
        self.close()


def _look() -> _Seen:
    settings = load_settings()
    in_use: dict[Task, str] = {"cls": settings.cls_model, "seg": settings.seg_model}
    try:
        return _Seen(model_rows(ModelLibrary()), weights_rows(), in_use)
    except OSError as error:
        raise ModelError(f"the models cannot be looked at ({error.strerror})") from error
