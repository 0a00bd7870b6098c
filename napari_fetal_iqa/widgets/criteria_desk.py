"""The six criteria of one open sweep: its keys and boxes, tied to the review."""

from collections.abc import Callable, Mapping
from functools import partial

from qtpy.QtCore import QObject

from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.widgets.actions import SweepActions
from napari_fetal_iqa.widgets.panels.criteria_panel import ACTIONS, CriteriaPanel
from napari_fetal_iqa.widgets.shortcuts import Action
from napari_fetal_iqa.widgets.viewer.sweep_view import SweepView


class CriteriaDesk(QObject):
    """Shows the criteria of the frame on the screen, until :meth:`close`.

    Parameters
    ----------
    view : SweepView
    actions : SweepActions
        By which a criterion is judged, as a frame is labelled.
    panel : CriteriaPanel
    note : callable
        Shows one line on what is no trouble.
    parent : QObject
    """

    def __init__(
        self,
        view: SweepView,
        actions: SweepActions,
        panel: CriteriaPanel,
        note: Callable[[str], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._view, self._panel, self._actions, self._note = view, panel, actions, note
        self.handlers: Mapping[Action, Callable[[], None]] = {
            action: partial(self._judge, criterion) for criterion, action in ACTIONS.items()
        }
        panel.toggled.connect(self._toggled)

    def _judge(self, criterion: Criterion) -> None:
        if self._actions.judge(criterion):
            plane = self._view.session.criteria.of(self._view.navigator.frame)
            said = {True: "met", False: "not met", None: "not judged"}[plane.said.get(criterion)]
            self._note(f"{criterion.words}: {said}. Plane score {plane.words}")
            self.show()

    def _toggled(self, unfolded: bool) -> None:
        if unfolded:
            self.show()

    def show(self) -> None:
        """Show what is known of the frame's criteria, where the section is open."""
        if self._panel.isExpanded():
            frame = self._view.navigator.frame
            self._panel.show_plane(self._view.session.criteria.of(frame))

    def show_moving(self) -> None:
        """Show nothing of a frame that may go by."""
        if self._panel.isExpanded():
            self._panel.show_plane(None)

    def close(self) -> None:
        """Let go of the panel."""
        self._panel.toggled.disconnect(self._toggled)
        self._panel.show_plane(None)
