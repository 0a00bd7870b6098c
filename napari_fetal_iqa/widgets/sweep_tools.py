"""What does not correct: free calipers, film, gain, zoom, before and after; of one open sweep."""

from collections.abc import Callable, Mapping

from napari.layers import Image
from qtpy.QtCore import QObject

from napari_fetal_iqa.corrections import PlacedCaliper
from napari_fetal_iqa.geometry.caliper import Caliper, CaliperKind, CaliperMeasure
from napari_fetal_iqa.review.cine import CineMode
from napari_fetal_iqa.review.frame_view import Source
from napari_fetal_iqa.widgets.actions import SweepActions
from napari_fetal_iqa.widgets.cine import Cine
from napari_fetal_iqa.widgets.panels.caliper_list import ListedCaliper
from napari_fetal_iqa.widgets.panels.view_tools import ViewTools
from napari_fetal_iqa.widgets.shortcuts import Action
from napari_fetal_iqa.widgets.viewer import gain
from napari_fetal_iqa.widgets.viewer.sweep_view import NO_TOOL, SweepView
from napari_fetal_iqa.widgets.viewer.zoom import Zoom, zoom_to

_NOT_CHANGED = "Nothing to swap: you did not change the outline of this frame"
_NO_MODEL = "Nothing to swap: no model has looked at this frame yet"
_EMPTY_BEFORE = "Before your correction: the model drew no outline on this frame"
_NO_SPACING = "The sweep has no spacing: measured in pixels, there are no millimetres"


class SweepTools(QObject):
    """Ties the row of tools and the list of calipers to one open sweep, until :meth:`close`.

    Parameters
    ----------
    view : SweepView
    layer : Image
        Of the sweep.
    actions : SweepActions
        By which calipers are placed, as corrections are.
    panel : ViewTools
    say : callable
        Shows one line; an empty one takes it away.
    note : callable
        Shows one line on what is no trouble.
    parent : QObject
    """

    def __init__(
        self,
        view: SweepView,
        layer: Image,
        actions: SweepActions,
        panel: ViewTools,
        say: Callable[[str], None],
        note: Callable[[str], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._view, self._layer, self._actions, self._panel = view, layer, actions, panel
        self._session = view.session
        self._say, self._note = say, note
        self.cine = Cine(view.viewer, view.navigator, self._session.sweep, self)
        self._zoom = Zoom.FIT
        self.handlers: Mapping[Action, Callable[[], None]] = {
            Action.MEASURE_DISTANCE: lambda: self.measure(CaliperKind.DISTANCE),
            Action.MEASURE_ELLIPSE: lambda: self.measure(CaliperKind.ELLIPSE),
            Action.BEFORE_AND_AFTER: self.swap,
            Action.CINE_FORWARD: self.forward,
            Action.CINE_BACKWARD: lambda: self.play(CineMode.BACKWARD),
            Action.CINE_TO_AND_FRO: lambda: self.play(CineMode.TO_AND_FRO),
            Action.CINE_STOP: self.cine.stop,
            Action.LOOK: self.look,
            Action.NEXT_GAIN: panel.next_gain,
            Action.NEXT_ZOOM: self.next_zoom,
        }
        self._connections = (
            (self.cine.changed, panel.show_cine),
            (view.tool_changed, self._tool_changed),
            (view.beside.caliper_tool.placed, self._place),
            (panel.whole_chosen, self.cine.set_whole),
            (panel.gain_chosen, self._show_gain),
            (panel.zoom_chosen, self.zoom),
            (panel.calipers.remove_requested, self._remove),
            (panel.calipers.go_requested, actions.go),
            (panel.calipers.named, self._name),
        )
        for emitter, slot in self._connections:
            emitter.connect(slot)
        self.cine.set_whole(panel.whole)
        panel.show_rate(self.cine.rate_in_words)
        self._show_gain(panel.gain)

    # Calipers ------------------------------------------------------------------------------

    def measure(self, kind: CaliperKind) -> None:
        """Take the tool for a distance, or an ellipse, that belongs to no label."""
        self._view.use_caliper(kind)
        if self._session.sweep.spacing_mm is None:
            self._say(_NO_SPACING)

    def _place(self, caliper: Caliper, mark: str) -> None:
        self._actions.place_caliper(caliper, mark or None)
        self.show_calipers()
        if self._session.sweep.spacing_mm is None:
            self._say(_NO_SPACING)

    def _remove(self, placed: PlacedCaliper) -> None:
        self._actions.remove_caliper(placed)
        self.show_calipers()

    def _name(self, placed: PlacedCaliper, measure: CaliperMeasure | None) -> None:
        self._actions.name_caliper(placed, measure)
        self.show_calipers()

    def show_calipers(self) -> None:
        """List the calipers of the sweep, numbered frame by frame as they are drawn."""
        numbers: dict[int, int] = {}
        listed = []
        for one in self._session.free.everywhere():
            numbers[one.frame] = number = numbers.get(one.frame, 0) + 1
            size = self._session.free.size(one.caliper)
            where = f"Frame {one.frame}"
            listed.append(ListedCaliper(one, number, where, size.short, str(size)))
        self._panel.calipers.show_calipers(listed, self._view.navigator.frame)

    # The film ------------------------------------------------------------------------------

    def play(self, mode: CineMode) -> None:
        """Play or stop; tools are put down, so that no frame goes by under the brush."""
        if self.cine.mode is not mode:
            self._view.use_tool(NO_TOOL)
        self.cine.toggle(mode)

    def forward(self) -> None:
        """Play forward, or stop, also where the film goes to and fro."""
        if self.cine.mode is CineMode.TO_AND_FRO:
            self.cine.stop()
        else:
            self.play(CineMode.FORWARD)

    def _tool_changed(self, tool: str) -> None:
        if tool != NO_TOOL:
            self.cine.stop()

    def look(self) -> None:
        """Put the tool down and stop the film; drag moves the picture again."""
        self.cine.stop()
        self._actions.look()

    # The picture ---------------------------------------------------------------------------

    def swap(self) -> None:
        """Show the frame as it was before the correction, or as it is after it."""
        beside, frame = self._view.beside, self._view.navigator.frame
        if beside.before:
            beside.before = False
            self._say("")
            return
        models = self._session.models_mask(frame)
        if self._session.mask_source(frame) is not Source.EXPERT:
            self._say(_NOT_CHANGED)
        elif models is None:
            self._say(_NO_MODEL)
        else:
            beside.before = True
            self._note("" if models.any() else _EMPTY_BEFORE)

    def _show_gain(self, chosen: gain.Gain) -> None:
        gain.apply(chosen, self._layer)

    def zoom(self, zoom: Zoom) -> None:
        """Zoom to the frame, to the fan, or to one pixel of the screen a pixel."""
        self._zoom = zoom
        scale = self._panel.devicePixelRatioF()
        zoom_to(zoom, self._view.viewer, self._layer, self._session.sweep, scale)

    def next_zoom(self) -> None:
        """Zoom to what comes after what was zoomed to last."""
        order = list(Zoom)
        self.zoom(order[(order.index(self._zoom) + 1) % len(order)])

    def close(self) -> None:
        """Let go of panel and viewer."""
        self.cine.close()
        for emitter, slot in self._connections:
            emitter.disconnect(slot)
        self._panel.calipers.show_calipers((), -1)
        self._panel.show_cine(None)
