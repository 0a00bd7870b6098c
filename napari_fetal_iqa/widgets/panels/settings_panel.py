"""Folded away: which models to use, when to analyse, and who reviews."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_fetal_iqa.storage.settings import Settings, suggested_reviewer
from napari_fetal_iqa.widgets.forms import ModelForm


class SettingsPanel(QWidget):
    """Shows the settings; ``changed`` gives the new ones whenever one was changed."""

    changed = Signal(object)

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.form = ModelForm(settings, list(Settings.model_fields))
        self.form.changed.connect(self._take)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.form)

    def choose_model(self, task: str, model: str) -> None:
        """Choose the model of a task, as if it had been typed."""
        self.form.set_field(f"{task}_model", model)

    def _take(self, settings: Settings) -> None:
        if settings.reviewer:
            self.changed.emit(settings)
        else:  # nobody corrects without a name
            self.form.set_field("reviewer", suggested_reviewer())
