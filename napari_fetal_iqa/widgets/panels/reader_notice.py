"""Asks once whether napari shall open sweeps with this plugin without asking each time."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget


class ReaderNotice(QWidget):
    """One question and two answers; ``answered`` gives the answer, and the notice goes."""

    answered = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        question = QLabel(
            "napari asks which reader to use for every sweep. Shall it open MetaImage, NIfTI, "
            "NRRD, DICOM, video and GIF files with Fetal IQA from now on?"
        )
        question.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 8)
        column.addWidget(question)
        row = QHBoxLayout()
        column.addLayout(row)
        self.buttons = {}
        for answer, text, tip in (
            (True, "Yes, always", "Can be changed under Preferences > Plugins, ending by ending"),
            (False, "No, ask me", "napari goes on asking; this question does not come again"),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, answer=answer: self._answer(answer))
            row.addWidget(button)
            self.buttons[answer] = button
        self.hide()

    def _answer(self, answer: bool) -> None:
        self.hide()
        self.answered.emit(answer)
