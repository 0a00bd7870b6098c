"""How far something is, drawn with the rest of the window."""

from qtpy.QtWidgets import QProgressBar


class ProgressBar(QProgressBar):
    """Qt's own bar, which draws later.

    Qt's draws at once whenever its value is set, and with it the whole window, frame included:
    that holds up the key that comes next.
    """

    def setValue(self, value: int) -> None:
        """Set how far it is; it is seen once the window has time to draw."""
        self.setUpdatesEnabled(False)
        super().setValue(value)
        self.setUpdatesEnabled(True)
