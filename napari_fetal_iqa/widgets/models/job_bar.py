"""What is being done to a model or to weights: progress, cancel, and what came of it."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_fetal_iqa.widgets.panels.error_box import ErrorBox, MessageLabel

_PROGRESS_STEPS = 1000


class JobBar(QWidget):
    """One line and a bar while something is done; afterwards what came of it."""

    cancel_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.message = MessageLabel()
        self.message.setAccessibleName("What is being done")
        self.bar = QProgressBar()
        self.bar.setToolTip("How far it is")
        self.bar.setTextVisible(False)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop; what a download has brought is kept and continued later")
        self.cancel.clicked.connect(self.cancel_requested)
        self.error = ErrorBox()
        row = QHBoxLayout()
        row.addWidget(self.bar, stretch=1)
        row.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.message)
        column.addLayout(row)
        column.addWidget(self.error)
        self._show_running(False)

    def begin(self, doing: str) -> None:
        """Show that something is done whose length is not known yet."""
        self.message.setText(doing)
        self.error.show_error("")
        self.bar.setRange(0, 0)
        self._show_running(True)

    def advance(self, done: int, total: int) -> None:
        """Show how far a download is; once all is here it is checked, for a while."""
        if total <= 0 or done >= total:
            self.message.setText("All of it is here; it is being checked and kept")
            self.bar.setRange(0, 0)
            return
        self.bar.setRange(0, _PROGRESS_STEPS)
        self.bar.setValue(int(done / total * _PROGRESS_STEPS))  # Qt counts to two billion only
        self.message.setText(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB")

    def end(self, succeeded: bool, said: str) -> None:
        """Show what came of it; nothing said without success is a cancel."""
        self._show_running(False)
        self.message.setText(said if succeeded else "" if said else "Cancelled")
        self.error.show_error("" if succeeded else said)

    def _show_running(self, running: bool) -> None:
        self.bar.setVisible(running)
        self.cancel.setVisible(running)
