"""What the panel shows while no sweep is open."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget


class WelcomePage(QWidget):
    """One sentence and three buttons: open a file or a folder, try the phantom."""

    open_requested = Signal()
    folder_requested = Signal()
    phantom_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        welcome = QLabel(
            "<h3>Fetal IQA review</h3>"
            "<p>Open an ultrasound sweep, or drop its file on this window. "
            "Every frame is scored, and the abdomen is outlined and measured.</p>"
        )
        welcome.setWordWrap(True)
        opening = QPushButton("Open a sweep…")
        opening.setToolTip(
            "Choose a sweep file: MetaImage, NIfTI, NRRD, DICOM, video or animated GIF"
        )
        opening.clicked.connect(self.open_requested)
        folder = QPushButton("Open a folder…")
        folder.setToolTip("Choose a folder of DICOM files or of PNG or JPEG frames")
        folder.clicked.connect(self.folder_requested)
        self.phantom = phantom = QPushButton("Try the phantom")
        phantom.setToolTip("Open a simulated sweep, no patient's")
        phantom.clicked.connect(self.phantom_requested)
        self.message = QLabel()
        self.message.setWordWrap(True)

        column = QVBoxLayout(self)
        for part in (welcome, opening, folder, phantom, self.message):
            column.addWidget(part)
        column.addStretch()
