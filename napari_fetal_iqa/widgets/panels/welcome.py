"""What the panel shows while no sweep is open."""

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.storage.recent import Recent
from napari_fetal_iqa.widgets.panels.eliding_label import ElidingLabel
from napari_fetal_iqa.widgets.panels.error_box import ErrorBox
from napari_fetal_iqa.widgets.panels.open_button import plain, plain_tip
from napari_fetal_iqa.widgets.panels.reader_notice import ReaderNotice

_RECENT = 5
"""As many of what was open last are shown here; the Open button has more."""


class WelcomePage(QWidget):
    """One sentence, three buttons, and what was open last."""

    open_requested = Signal()
    folder_requested = Signal()
    phantom_requested = Signal()
    recent_requested = Signal(object)  # Recent
    again_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        welcome = QLabel(
            "<h3>Fetal IQA review</h3>"
            "<p>Open an ultrasound sweep, or drop its file on this window. "
            "Every frame is scored, and the abdomen is outlined and measured.</p>"
        )
        welcome.setWordWrap(True)
        self._last: Recent | None = None
        self.go_on = QPushButton("Go on")
        self.go_on.setToolTip("Open again what was open last")
        self.go_on.clicked.connect(lambda: self.recent_requested.emit(self._last))
        self.go_on.hide()
        opening = QPushButton("Open a sweep…")
        opening.setToolTip(
            "Choose a sweep file: MetaImage, NIfTI, NRRD, DICOM, video or animated GIF"
        )
        opening.clicked.connect(self.open_requested)
        folder = QPushButton("Open a folder…")
        folder.setToolTip(
            "Choose an exam or a folder of exams, whose sweeps are listed; "
            "or a folder of DICOM files, or of PNG or JPEG frames"
        )
        folder.clicked.connect(self.folder_requested)
        self.phantom = phantom = QPushButton("Try the phantom")
        phantom.setToolTip("Open a simulated sweep, no patient's")
        phantom.clicked.connect(self.phantom_requested)
        self.again = QPushButton("Open again")
        self.again.setToolTip("Open the sweep that was taken off the viewer; its place is kept")
        self.again.clicked.connect(self.again_requested)
        self.again.hide()
        self.message = ElidingLabel()
        self.error = ErrorBox()
        self.readers = ReaderNotice()
        self._recent = QVBoxLayout()
        self._recent.setSpacing(2)

        column = QVBoxLayout(self)
        for part in (
            *(welcome, self.go_on, self.again, opening, folder, phantom),
            *(self.message, self.error, self.readers),
        ):
            column.addWidget(part)
        column.addLayout(self._recent)
        column.addStretch()

    def show_recent(self, recent: Sequence[Recent]) -> None:
        """Offer to go on with what was open last, and what was before."""
        while (item := self._recent.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        self.go_on.setVisible(bool(recent))
        if not recent:
            return
        last, *others = recent[:_RECENT]
        self._last = last
        self._offer(self.go_on, last, f"Go on with {plain(last.name)}")
        if others:
            self._recent.addWidget(QLabel("Open before"))
        for one in others:
            button = QPushButton()
            button.setFlat(True)
            self._offer(button, one, plain(one.name))
            self._recent.addWidget(button)

    def _offer(self, button: QPushButton, recent: Recent, text: str) -> None:
        listed = f"\nin the worklist of {recent.folder}" if recent.folder else ""
        button.setToolTip(plain_tip(f"{recent.path}{listed}"))
        # a long name is cut, and never makes the panel wider
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        button.setText(button.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, 270))
        button.setAccessibleName(text)
        if button is not self.go_on:
            button.clicked.connect(lambda: self.recent_requested.emit(recent))

    def offer_again(self, name: str) -> None:
        """Offer to open a sweep again; none where the name is empty."""
        self.again.setText(f"Open {shown(name)[:40]} again".replace("&", "&&"))
        self.again.setVisible(bool(name))
