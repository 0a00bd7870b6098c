"""The keys, in place of the panel: neither the frame nor the timeline is covered."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from napari_fetal_iqa.widgets.focus import with_own_keys
from napari_fetal_iqa.widgets.shortcuts import Action, help_html, key_of


class KeysPage(QWidget):
    """The table of keys above a button; ``closed`` tells that it is no longer wanted."""

    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        table = QLabel(help_html())
        table.setWordWrap(True)
        table.setAlignment(Qt.AlignmentFlag.AlignTop)
        table.setAccessibleName("Keys")
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidget(table)
        self.back = QPushButton(f"Back  {key_of(Action.SHOW_HELP)}")
        self.back.setToolTip("Show the panel again; the keys work meanwhile, too")
        self.back.clicked.connect(self.closed)
        with_own_keys(self.back)
        column = QVBoxLayout(self)
        column.addWidget(QLabel("<b>Keys</b>"))
        column.addWidget(scroll, stretch=1)
        column.addWidget(self.back)
