"""Folded away: which models are in use, when to analyse, and who reviews."""

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.cards import Task
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.model_library.automatic import automatic_words
from napari_fetal_iqa.storage.settings import AUTOMATIC, Settings, suggested_reviewer
from napari_fetal_iqa.widgets.forms import ModelForm
from napari_fetal_iqa.widgets.panels.error_box import MessageLabel

_MODELS = {"cls_model": "Quality", "seg_model": "Outline"}
_TASKS: dict[str, Task] = {"cls_model": "cls", "seg_model": "seg"}
_DOES = {
    "cls_model": "The model that scores the quality of frames (CLS)",
    "seg_model": "The model that outlines the abdomen (SEG)",
}


class SettingsPanel(QWidget):
    """Shows the settings; ``changed`` gives the new ones whenever one was changed.

    Models are chosen in a dialog, which ``models_requested`` asks for.
    """

    changed = Signal(object)
    models_requested = Signal()

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.models = {name: MessageLabel() for name in _MODELS}
        rows = QFormLayout()
        for name, label in self.models.items():
            title = QLabel(_MODELS[name])
            title.setToolTip(_DOES[name])
            rows.addRow(title, label)
        self.choose = QPushButton("Models…")
        self.choose.setToolTip(
            "See, use, add, send and delete models, and fetch the weights that they are built on"
        )
        self.choose.clicked.connect(self.models_requested)
        self.form = ModelForm(
            settings, [name for name in Settings.model_fields if name not in _MODELS]
        )
        self.form.changed.connect(self._take)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(rows)
        column.addWidget(self.choose)
        column.addWidget(self.form)
        self._show_models(settings)

    def choose_model(self, task: str, model: str) -> None:
        """Choose the model of a task; empty for none."""
        self.form.set_field(f"{task}_model", model)

    def _take(self, settings: Settings) -> None:
        if settings.reviewer:
            self._show_models(settings)
            self.changed.emit(settings)
        else:  # nobody corrects without a name
            self.form.set_field("reviewer", suggested_reviewer())

    def _show_models(self, settings: Settings) -> None:
        for name, label in self.models.items():
            reference = getattr(settings, name)
            whole = automatic_words(_TASKS[name]) if reference == AUTOMATIC else shown(reference)
            folder = reference if reference in BUILT_IN else Path(reference).name
            label.setText(shown(folder) if reference else "none")
            label.setToolTip(f"{_DOES[name]}: {whole if reference else 'none'}")
