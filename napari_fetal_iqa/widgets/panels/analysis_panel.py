"""What the machine is doing: progress, cancel, models and device in use, what went wrong."""

import html
import time

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from fetal_iqa_models.installation import is_whole, only_in_whole
from napari_fetal_iqa import colours
from napari_fetal_iqa.analysis.result import Analysis, AnalysisSetup
from napari_fetal_iqa.finetuning.progress import duration
from napari_fetal_iqa.widgets.panels.eliding_label import ElidingLabel
from napari_fetal_iqa.widgets.panels.error_box import ErrorBox
from napari_fetal_iqa.widgets.panels.progress_bar import ProgressBar
from napari_fetal_iqa.widgets.shortcuts import Action, with_key
from napari_fetal_iqa.widgets.theme import write_in

_BURST_S = 0.5
_TOO = " Not for clinical use."  # said once is enough
_SPEAK = "Models and device of the analysis on the screen"
_CANCELS = "Stop the analysis; what is computed stays"


class AnalysisPanel(QWidget):
    """One line of what is going on, a bar while something is, and one line of what went wrong."""

    analyse_requested = Signal()
    cancel_requested = Signal()
    front_requested = Signal()
    reopen_requested = Signal()
    error_shown = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.doing = ElidingLabel()
        self.bar = ProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setToolTip("Frames done")
        self.bar.hide()
        self.analyse = QPushButton("Analyse")
        self.analyse.setToolTip(with_key("Score and outline every frame", Action.ANALYSE))
        self.analyse.clicked.connect(self.analyse_requested)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip(_CANCELS)
        self.cancel.clicked.connect(self.cancel_requested)
        self.cancel.hide()
        self.models = ElidingLabel()
        self.models.setToolTip(_SPEAK)
        self.notice = ElidingLabel()
        self.notice.hide()
        write_in(self.notice, colours.ERROR, "bold")
        self._build_error_box()

        buttons = QHBoxLayout()
        buttons.addWidget(self.analyse)
        buttons.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.doing)
        column.addWidget(self.bar)
        column.addLayout(buttons)
        column.addWidget(self.models)
        column.addWidget(self.notice)
        column.addWidget(self.error_box)
        self._first: tuple[float, int] | None = None  # when results came first, and how many

    def _build_error_box(self) -> None:
        self.error_box = ErrorBox()
        self.error = self.error_box.message
        self.front = QPushButton("Bring the sweep to the front")
        self.front.setToolTip("Show the sweep above all other layers, frame by frame")
        self.front.clicked.connect(self.front_requested)
        self.error_box.column.insertWidget(1, self.front)
        self.reopen = QPushButton("Open the sweep again")
        self.reopen.setToolTip("Review the sweep as it was read; corrections and place are kept")
        self.reopen.clicked.connect(self.reopen_requested)
        self.error_box.column.insertWidget(2, self.reopen)
        self.front.hide()
        self.reopen.hide()

    def begin(self, doing: str, cancellable: bool = True, cancels: str = _CANCELS) -> None:
        """Show that something runs whose length is not known yet, and what cancelling it means."""
        self.cancel.setToolTip(cancels)
        self._first = None
        self.doing.setText(doing)
        self.doing.setToolTip("")
        self.bar.setRange(0, 0)
        self.bar.show()
        self.analyse.hide()
        self.cancel.setVisible(cancellable)

    def advance_simulation(self, done: int, total: int) -> None:
        """Show how far a phantom is simulated, while its first frames are looked at."""
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.doing.setText(f"Simulating the phantom, {done}/{total} frames")

    def show_done(self, done: int, total: int) -> None:
        """Show how far the analysis is, of which there are no new results yet."""
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.doing.setText(f"Analysing {done}/{total}")

    def advance(self, done: int, total: int) -> None:
        """Show how far the analysis is now that results came, and the time left."""
        self.show_done(done, total)
        now = time.monotonic()
        # from the first results on: the models load before them, and some may have been kept
        if self._first is None or done <= self._first[1]:
            self._first = now, done
            return
        began, already = self._first
        if now - began < _BURST_S:  # what was computed meanwhile comes at once, and is no rate
            self._first = began, done
            return
        left = (now - began) / (done - already) * (total - done)
        self.doing.setText(f"Analysing {done}/{total}, {duration(left)} left")

    def end(self, outcome: str) -> None:
        """Show that nothing runs any more, and what came of it."""
        self.doing.setText(outcome)
        self.doing.setToolTip("")
        self.bar.hide()
        self.analyse.show()
        self.cancel.hide()

    def end_analysis(self, analysis: Analysis | None) -> None:
        """Show how far the analysis came, and what it found."""
        done = int(analysis.computed.sum()) if analysis else 0
        if analysis is None or not done:
            self.end("Not analysed yet")
        elif not analysis.complete:
            self.end(f"Stopped after {done} of {len(analysis.sweep)} frames")
        else:
            positive = int((analysis.labels() == 1).sum())
            self.end(f"Analysed: {positive} of {done} frames show the abdomen")
            if spared := int(analysis.spared.sum()):
                self.doing.setToolTip(
                    f"{spared} of them have a quality that leaves no chance, and were not "
                    "outlined: each is when you open it. Under Models and reviewer you can have "
                    "all of them outlined."
                )

    def show_setup(self, setup: AnalysisSetup) -> None:
        """Name the models and the device; say what they must not be used for while they speak."""
        named = ", ".join(setup.names or [model.id for model in setup.models])
        self.models.setText(f"{named}, {setup.device} by {setup.engine}")
        said_of_card = () if is_whole() else (only_in_whole("A graphics card computes with"),)
        told = (_SPEAK, *setup.about(), *said_of_card)
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in told)
        self.models.setToolTip(lines)
        said = ["Demo models: not for clinical use"] if setup.demo else []
        said += [notice.removesuffix(_TOO if said else "") for notice in setup.notices]
        self.notice.setText("\n".join(said))
        self.notice.setVisible(bool(said))

    def show_no_setup(self) -> None:
        """Name no models: nothing on the screen is theirs."""
        self.models.setText("")
        self.models.setToolTip(_SPEAK)
        self.notice.hide()

    def show_error(self, message: str, unseen: bool = False, stopped: bool = False) -> None:
        """Show one line of what went wrong, or hide it.

        With a way out where the frame is not seen, or where the review has stopped.
        """
        self.front.setVisible(unseen)
        self.reopen.setVisible(stopped)
        self.error_box.show_error(message)
        if message:
            self.error_shown.emit()

    def show_note(self, message: str) -> None:
        """Show one line that is worth knowing, where nothing went wrong."""
        self.show_error(message)
        self.error_box.show_error(message, wrong=False)
