"""What is being done to a model or to weights: progress, cancel, and what came of it."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_fetal_iqa.widgets.panels.error_box import ErrorBox, MessageLabel
from napari_fetal_iqa.widgets.panels.progress_bar import ProgressBar

_PROGRESS_STEPS = 1000
_LINES = 4
"""As many are seen at once; more are scrolled to."""


class JobBar(QWidget):
    """One line and a bar while something is done; afterwards what came of it.

    It is as high with a message as without, so that nothing moves when one comes or goes.
    """

    cancel_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.message = MessageLabel()
        self.message.setAccessibleName("What is being done")
        self.bar = ProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setToolTip("How far it is")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop; what a download has brought is kept and continued later")
        self.cancel.clicked.connect(self.cancel_requested)
        self.error = ErrorBox()
        said = QWidget()
        lines = QVBoxLayout(said)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.addWidget(self.message)
        lines.addWidget(self.error)
        lines.addStretch()
        self.seen = QScrollArea()
        self.seen.setWidget(said)
        self.seen.setWidgetResizable(True)
        self.seen.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.seen.setFrameShape(QFrame.Shape.NoFrame)
        self.seen.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.seen.setFixedHeight(_LINES * self.fontMetrics().lineSpacing() + 4)
        self.error.dismissed.connect(lambda: self._show_error(""))
        for part in (self.bar, self.cancel, self.error.copy, self.error.dismiss):
            keep = part.sizePolicy()
            keep.setRetainSizeWhenHidden(True)
            part.setSizePolicy(keep)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(0, 1)
        grid.addWidget(self.seen, 0, 0)
        grid.addWidget(self.error.copy, 0, 1, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.error.dismiss, 0, 2, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.bar, 1, 0)
        grid.addWidget(self.cancel, 1, 1, 1, 2)
        self._show_error("")
        self._show_running(False)

    def begin(self, doing: str) -> None:
        """Show that something is done whose length is not known yet."""
        self.message.setText(doing)
        self._show_error("")
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
        self._show_error("" if succeeded else said)

    def _show_error(self, message: str) -> None:
        self.message.setVisible(not message)
        self.error.show_error(message)
        for button in (self.error.copy, self.error.dismiss):
            button.setVisible(bool(message))

    def _show_running(self, running: bool) -> None:
        self.bar.setVisible(running)
        self.cancel.setVisible(running)
