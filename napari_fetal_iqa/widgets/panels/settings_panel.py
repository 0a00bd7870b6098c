"""Folded away: which models to use, when to analyse, and who reviews."""

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_fetal_iqa.storage.settings import Settings, suggested_reviewer


class SettingsPanel(QWidget):
    """Shows the settings; ``changed`` gives the new ones whenever one was changed."""

    changed = Signal(object)

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self.reviewer = QLineEdit(settings.reviewer)
        self.reviewer.setToolTip("Name under which your corrections are stored")
        self.reviewer.editingFinished.connect(self._read)
        self.cls_model, cls_row = self._model_row(settings.cls_model, "CLS", "quality")
        self.seg_model, seg_row = self._model_row(settings.seg_model, "SEG", "outline")
        self.analyse_on_open = QCheckBox("Analyse when a sweep is opened")
        self.analyse_on_open.setToolTip("Start by itself, without pressing Analyse")
        self.analyse_on_open.setChecked(settings.analyse_on_open)
        self.analyse_on_open.toggled.connect(self._read)

        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Reviewer", self.reviewer)
        form.addRow("CLS model", cls_row)
        form.addRow("SEG model", seg_row)
        form.addRow(self.analyse_on_open)

    def _model_row(self, value: str, task: str, gives: str) -> tuple[QLineEdit, QWidget]:
        line = QLineEdit(value)
        line.setToolTip(
            f"{task} model, for the {gives}: a model folder, or demo-{task.lower()}; empty for none"
        )
        line.editingFinished.connect(self._read)
        choose = QPushButton("…")
        choose.setToolTip(f"Choose the folder of a {task} model")
        choose.setMaximumWidth(32)
        choose.clicked.connect(lambda: self._choose_folder(line))
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(line)
        layout.addWidget(choose)
        return line, row

    def choose_model(self, task: str, model: str) -> None:
        """Choose the model of a task, as if it had been typed."""
        line = self.cls_model if task == "cls" else self.seg_model
        line.setText(model)
        self._read()

    def _choose_folder(self, line: QLineEdit) -> None:
        start = line.text() if Path(line.text()).is_dir() else ""
        folder = QFileDialog.getExistingDirectory(self, "Choose a model folder", start)
        if folder:
            line.setText(folder)
            self._read()

    def _read(self) -> None:
        settings = self._settings.model_copy(
            update={
                "reviewer": self.reviewer.text().strip() or suggested_reviewer(),
                "cls_model": self.cls_model.text().strip(),
                "seg_model": self.seg_model.text().strip(),
                "analyse_on_open": self.analyse_on_open.isChecked(),
            }
        )
        if settings != self._settings:
            self._settings = settings
            self.changed.emit(settings)
