"""A training on its way: phase in words, bar, curves, Stop and Cancel."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_fetal_iqa.finetuning.progress import FinetuningProgress
from napari_fetal_iqa.widgets.focus import with_own_keys
from napari_fetal_iqa.widgets.panels.progress_bar import ProgressBar
from napari_fetal_iqa.widgets.theme import Palette

if TYPE_CHECKING:
    from napari_fetal_iqa.widgets.finetuning.curves import FinetuningCurves


class FinetuningMonitor(QWidget):
    """The state while it learns; ``stop_requested`` and ``cancel_requested`` are its buttons."""

    stop_requested = Signal()
    cancel_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._palette = Palette()
        self.curves: FinetuningCurves | None = None
        self.phase = QLabel()
        self.phase.setWordWrap(True)
        self.phase.setToolTip("What the training does; it goes on while the window is closed")
        self.bar = ProgressBar()
        self.bar.setToolTip("How far this part of the training is")
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("End early; what was learnt so far is judged and kept")
        self.stop.clicked.connect(self.stop_requested)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("End now and keep nothing of this training")
        self.cancel.clicked.connect(self.cancel_requested)
        with_own_keys(self.stop, self.cancel)
        buttons = QHBoxLayout()
        buttons.addWidget(self.stop)
        buttons.addWidget(self.cancel)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self.phase)
        self._column.addWidget(self.bar)
        self._column.addLayout(buttons)

    def begin(self, stopping: bool) -> None:
        """Show a training of which nothing is known yet."""
        if self.curves is None:
            # here, for the import takes long
            from napari_fetal_iqa.widgets.finetuning.curves import FinetuningCurves

            self.curves = FinetuningCurves()
            self.curves.set_palette(self._palette)
            self._column.insertWidget(2, self.curves)
        self.curves.hide()
        self.show_stopping(stopping)

    def show_stopping(self, stopping: bool) -> None:
        """Show whether an early end was requested."""
        self.stop.setEnabled(not stopping)
        self.stop.setText("Stopping…" if stopping else "Stop")

    def show_progress(self, progress: FinetuningProgress, now: float) -> None:
        """Show how far it is."""
        self.phase.setText(progress.describe(now))
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)
        curves = progress.curves[progress.task]
        if self.curves is not None:
            self.curves.setVisible(bool(curves.steps or curves.metrics))
            self.curves.show_curves(progress.task, curves)

    def set_palette(self, palette: Palette) -> None:
        """Follow the viewer's theme."""
        self._palette = palette
        if self.curves is not None:
            self.curves.set_palette(palette)
