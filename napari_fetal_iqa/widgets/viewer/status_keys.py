"""Our keys in napari's status bar, for as long as they are ours.

napari writes the help of the active layer there at each change of layer or mode and at each move of
the mouse, and takes it away while it shows the coordinates below the pointer (napari 0.9.2,
``StatusBarWidget.do_layout``). So our keys have a place of their own, which napari writes nothing
into; and of its own help there is left what is true meanwhile.
"""

import re
from collections.abc import Callable

from napari.layers import Layer
from napari.utils.events import Event
from napari.viewer import Viewer
from qtpy.QtCore import QSize, Qt
from superqt import QElidingLabel

from napari_fetal_iqa.widgets.shortcuts import KEYS
from napari_fetal_iqa.widgets.viewer.compat import main_window

_KEY = re.compile(r"<([^>]+)>")
_NAPARIS_NAMES = {"return": "enter"}
_OURS = {sequence.casefold() for key in KEYS for sequence in key.keys} | {"enter"}


class _Keys(QElidingLabel):
    """As wide as its words where there is room."""

    def sizeHint(self) -> QSize:
        width = self.fontMetrics().horizontalAdvance(self.text()) + 16
        return QSize(width, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(60, super().minimumSizeHint().height())


class StatusKeys:
    """Shows the keys of the tool in the hand, until :meth:`remove`.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    is_own : callable
        Whether a layer is one of the review: its own help is of no use then.
    """

    def __init__(self, viewer: Viewer, is_own: Callable[[Layer], bool]) -> None:
        self._viewer = viewer
        self._is_own = is_own
        self._hint, self._ours = "", False
        self._label = _Keys()
        self._label.setAccessibleName("Keys of the review")
        self._label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._label.hide()
        bar = main_window(viewer).statusBar()
        assert bar is not None
        self._bar = bar
        bar.insertPermanentWidget(1, self._label)  # before the button of activities
        # after napari has written it
        viewer.events.help.connect(self._mend, position="last")

    def set_hint(self, hint: str) -> None:
        """Show these keys; none where no review is under way."""
        self._hint = hint
        self._update()

    def set_ours(self, ours: bool) -> None:
        """Show them while the keys are ours; otherwise napari's are."""
        self._ours = ours
        self._update()

    @property
    def shown(self) -> str:
        """The keys that are to be read in the status bar now; empty for none of ours."""
        return "" if self._label.isHidden() else self._label.text()

    def _update(self) -> None:
        active = self._ours and bool(self._hint)
        if active and self._hint != self._label.text():
            self._label.setText(self._hint)
            self._label.setToolTip(self._hint)
            self._label.updateGeometry()
        if active == self._label.isHidden():
            self._label.setVisible(active)
            layer = self._viewer.layers.selection.active
            self._viewer.help = layer.help if layer is not None else ""
            self._mend()

    def _mend(self, event: Event | None = None) -> None:
        """Leave of napari's help of other layers what is true while the keys are ours."""
        if not self._label.isHidden():
            layer = self._viewer.layers.selection.active
            own = layer is None or self._is_own(layer)
            left = "" if own else without_our_keys(self._viewer.help)
            if left != self._viewer.help:
                self._viewer.help = left

    def remove(self) -> None:
        """Give the status bar back to napari."""
        self.set_ours(False)
        self._viewer.events.help.disconnect(self._mend)
        self._bar.removeWidget(self._label)
        self._label.deleteLater()


def without_our_keys(text: str) -> str:
    """Take out of napari's help of a layer what speaks of keys that are ours."""
    return ", ".join(part for part in text.split(", ") if not _speaks_of_ours(part))


def _speaks_of_ours(part: str) -> bool:
    keys = (key.casefold() for key in _KEY.findall(part))
    return any(_NAPARIS_NAMES.get(key, key) in _OURS for key in keys)
