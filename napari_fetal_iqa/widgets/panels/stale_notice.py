"""A thin notice where the predictions on the screen are of other models than those chosen."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget
from superqt.utils import create_worker

from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa import colours
from napari_fetal_iqa.analysis.models import choose_models
from napari_fetal_iqa.analysis.result import AnalysisSetup
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.widgets.focus import with_own_keys
from napari_fetal_iqa.widgets.panels.eliding_label import ElidingLabel
from napari_fetal_iqa.widgets.shortcuts import Action, with_key
from napari_fetal_iqa.widgets.theme import write_in

Models = tuple[str, str]
Checked = tuple[AnalysisSetup, Models]


class StaleNotice(QWidget):
    """Hidden while the models of the analysis are those chosen for the sweep, by their hashes.

    ``shown`` tells whenever it comes or goes.
    """

    analyse_requested = Signal()
    shown = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._checking: Checked | None = None
        self.message = ElidingLabel()
        write_in(self.message, colours.ERROR)
        self.message.setToolTip(
            "The scores and outlines on the screen are of other models than those that are chosen"
        )
        self.analyse = QPushButton("Analyse again")
        self.analyse.setToolTip(with_key("Score and outline every frame anew", Action.ANALYSE))
        self.analyse.clicked.connect(self.analyse_requested)
        with_own_keys(self.analyse)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.message, stretch=1)
        row.addWidget(self.analyse)
        self.hide()

    def check(self, setup: AnalysisSetup | None, models: Models = ("", "")) -> None:
        """Compare, off the GUI thread, with the CLS and the SEG model; show or hide the notice."""
        if setup is None or not setup.models:
            self._checking = None
            self._show("")
            return
        if self._checking != (setup, models):
            self._checking = (setup, models)
            worker = create_worker(_compare, setup, models, _ignore_errors=True)
            worker.returned.connect(self._take)
            worker.start()

    def _take(self, compared: tuple[Checked, str]) -> None:
        checked, stale = compared
        if checked == self._checking:
            self._show(stale)

    def _show(self, stale: str) -> None:
        self.message.setText(f"Made with {stale}; other models are chosen now")
        if self.isHidden() == bool(stale):
            self.setVisible(bool(stale))
            self.shown.emit(bool(stale))


def _compare(setup: AnalysisSetup, models: Models) -> tuple[Checked, str]:
    return (setup, models), stale_models(setup, models)


def stale_models(setup: AnalysisSetup, models: Models) -> str:
    """Name the models of an analysis that are not those chosen; empty where they are.

    What is wrong with a chosen model is shown when it is to analyse.
    """
    try:
        chosen = choose_models(*models).setup()
    except (ModelError, AnalysisError):
        return ""
    stale = []
    for task, used, wanted in (
        ("CLS", setup.cls_model, chosen.cls_model),
        ("SEG", setup.seg_model, chosen.seg_model),
    ):
        if (used.hash if used else None) != (wanted.hash if wanted else None):
            stale.append(used.id if used else f"no {task} model")
    return " and ".join(stale)
