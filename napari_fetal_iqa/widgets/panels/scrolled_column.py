"""A column that scrolls up and down and is never narrower than what is in it."""

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QWidget


class ScrolledColumn(QScrollArea):
    """A widget with a scroll bar at its right, and none below.

    How wide the least is depends on the fonts of the machine and on what is shown.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)

    def minimumSizeHint(self) -> QSize:
        """Return the least size: as wide as the content and the scroll bar."""
        least, content, bar = super().minimumSizeHint(), self.widget(), self.verticalScrollBar()
        if content is None or bar is None:
            return least
        width = content.minimumSizeHint().width() + bar.sizeHint().width()
        return QSize(max(least.width(), width), least.height())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Tell those around when what is in it was laid out anew."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)
