"""What keys and buttons do to the sweep on the desk; nothing where the desk is empty."""

from collections.abc import Callable

import numpy as np

from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.widgets.viewer.navigator import Navigator
from napari_fetal_iqa.widgets.viewer.sweep_view import SweepView


class Actions:
    """One method an action, under the names of the table of keys.

    Parameters
    ----------
    desk : callable
        Gives the desk, or None while no sweep is open.
    said : callable
        Called after each correction with None where it is saved, else with the trouble.
    """

    def __init__(
        self, desk: Callable[[], SweepView | None], said: Callable[[str | None], None]
    ) -> None:
        self._desk = desk
        self._said = said

    # Corrections ---------------------------------------------------------------------------

    def _correct(self, correction: Callable[[ReviewSession, int], object]) -> bool:
        """Let the expert say something of the frame on the screen; return whether it is saved."""
        desk = self._desk()
        if desk is None:
            return False
        if not desk.navigator.on_sweep:
            self._said("No frame of this sweep is on the screen: go to one first")
            return False
        if desk.session.shown != desk.session.reviewer:
            self._said(f"These are the corrections of {desk.session.shown}: show yours to correct")
            desk.paint([desk.navigator.frame])
            return False
        try:
            correction(desk.session, desk.navigator.frame)
        except StoreError as error:
            self._said(str(error))
            return False
        self._said(None)
        return True

    def stroke(self, frame: int, mask: np.ndarray) -> None:
        """Take a stroke on the overlay for the expert's mask of its frame."""
        self._correct(lambda session, _: session.set_mask(frame, mask))

    def take_ellipse(self, ellipse: Ellipse) -> None:
        """Take an ellipse for the expert's mask of the frame."""
        if desk := self._desk():
            mask = desk.mask_of(ellipse)
            self._correct(lambda session, frame: session.set_mask(frame, mask))

    def copy_previous(self) -> None:
        """Take the outline of the frame before."""
        self._correct(lambda session, frame: session.copy_previous(frame))

    def interpolate(self) -> None:
        """Outline the frames between the nearest two that the expert drew."""
        self._correct(lambda session, frame: session.interpolate(frame))

    def label_optimal(self) -> None:
        """Label the frame, or the chosen range, as an optimal plane."""
        self._label(Label.OPTIMAL)

    def label_suboptimal(self) -> None:
        """Label the frame, or the chosen range, as a suboptimal plane."""
        self._label(Label.SUBOPTIMAL)

    def label_none(self) -> None:
        """Label the frame, or the chosen range, as without an abdomen."""
        self._label(Label.NONE)

    def _label(self, label: Label) -> None:
        if desk := self._desk():
            chosen = desk.selection
            if self._correct(lambda session, at: session.set_label(chosen.frames(at), label)):
                chosen.clear()

    def set_thresholds(self, quality: float, area: float) -> None:
        """Count frames as positive from other scores on."""
        if desk := self._desk():
            desk.session.set_thresholds((quality, area))
            self._said(None)

    def reset_thresholds(self) -> None:
        """Count frames as positive by the models' own thresholds again."""
        if desk := self._desk():
            desk.session.set_thresholds(None)
            self._said(None)

    def clear_mask(self) -> None:
        """Say that there is no abdomen to outline."""
        self._correct(
            lambda session, frame: session.set_mask(frame, np.zeros(session.sweep.shape[1:], bool))
        )

    def revert(self) -> None:
        """Go back to the model's label and mask."""
        self._correct(lambda session, frame: session.revert(frame))

    def undo(self) -> None:
        """Take back the last correction and look at where it was."""
        self._correct(lambda session, _: self._look_at(session.undo()))

    def redo(self) -> None:
        """Bring back what was undone and look at it."""
        self._correct(lambda session, _: self._look_at(session.redo()))

    def _look_at(self, frames: tuple[int, ...]) -> None:
        if frames:
            self._navigate(lambda way: None if way.frame in frames else way.go(frames[0]))

    def accept_and_next(self) -> None:
        """Confirm what the model says and go to the next frame to review.

        A polygon that is being drawn is closed instead.
        """
        if (desk := self._desk()) and desk.overlay.close_polygon():
            return
        if self._correct(lambda session, frame: session.accept(frame)):
            self.go_next_to_review()

    # Tools ---------------------------------------------------------------------------------

    def paint(self) -> None:
        """Paint on the outline."""
        self._use_tool("paint")

    def erase(self) -> None:
        """Erase from the outline."""
        self._use_tool("erase")

    def fill(self) -> None:
        """Fill an area, or the outside of it, at a click."""
        self._use_tool("fill")

    def polygon(self) -> None:
        """Draw the outline by its corners; a double click or Enter closes it."""
        self._use_tool("polygon")

    def ellipse(self) -> None:
        """Draw the outline as an ellipse, by two diameters."""
        if desk := self._desk():
            desk.use_ellipse()

    def look(self) -> None:
        """Stop painting; drag moves the picture again. No range any more, either."""
        self._use_tool("pan_zoom")
        if desk := self._desk():
            desk.selection.clear()

    def _use_tool(self, mode: str) -> None:
        if desk := self._desk():
            desk.use_tool(mode)

    def larger_brush(self) -> None:
        """Make the brush larger by a fifth."""
        self._scale_brush(1.2)

    def smaller_brush(self) -> None:
        """Make the brush smaller by a fifth."""
        self._scale_brush(1 / 1.2)

    def _scale_brush(self, factor: float) -> None:
        if desk := self._desk():
            desk.overlay.scale_brush(factor)

    def toggle_overlay(self) -> None:
        """Hide or show the outlines."""
        if desk := self._desk():
            desk.overlay.layer.visible = not desk.overlay.layer.visible

    def toggle_fill(self) -> None:
        """Show the masks filled, or their outlines."""
        if desk := self._desk():
            desk.overlay.toggle_fill()

    # Moving --------------------------------------------------------------------------------

    def _navigate(self, move: Callable[[Navigator], None]) -> None:
        if desk := self._desk():
            move(desk.navigator)

    def go(self, frame: int) -> None:
        """Go to a frame."""
        self._navigate(lambda way: way.go(frame))

    def previous_frame(self) -> None:
        """Go one frame back."""
        self._navigate(lambda way: way.step(-1))

    def next_frame(self) -> None:
        """Go one frame on."""
        self._navigate(lambda way: way.step(1))

    def previous_sweep(self) -> None:
        """Go one sweep back."""
        self._navigate(lambda way: way.step_sweep(-1))

    def extend_back(self) -> None:
        """Take the frame before into the range that a label goes to."""
        self._extend(-1)

    def extend_on(self) -> None:
        """Take the next frame into the range that a label goes to."""
        self._extend(1)

    def _extend(self, step: int) -> None:
        if desk := self._desk():
            here = desk.navigator.frame
            desk.selection.extend(here, desk.navigator.within(here + step))
            desk.navigator.step(step)

    def choose_range(self, first: int, last: int) -> None:
        """Choose the range that a label goes to, and look at its last frame."""
        if desk := self._desk():
            first, last = desk.navigator.within(first), desk.navigator.within(last)
            desk.selection.clear()
            desk.selection.extend(first, last)
            desk.navigator.go(last)

    def next_sweep(self) -> None:
        """Go one sweep on."""
        self._navigate(lambda way: way.step_sweep(1))

    def first_frame(self) -> None:
        """Go to the first frame of the sweep."""
        self._navigate(lambda way: way.go_to_end(last=False))

    def last_frame(self) -> None:
        """Go to the last frame of the sweep."""
        self._navigate(lambda way: way.go_to_end(last=True))

    def go_best(self) -> None:
        """Go to the frame to measure."""
        desk = self._desk()
        if desk is not None and desk.session.best_frame() >= 0:
            desk.navigator.go(desk.session.best_frame())

    def go_next_to_review(self) -> None:
        """Go to the next frame worth a look."""
        self._go_to_review(1)

    def go_previous_to_review(self) -> None:
        """Go to the previous frame worth a look."""
        self._go_to_review(-1)

    def _go_to_review(self, step: int) -> None:
        if desk := self._desk():
            frame = desk.session.next_to_review(desk.navigator.frame, step)
            if frame is not None:
                desk.navigator.go(frame)
