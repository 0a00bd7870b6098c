"""What keys and buttons do to the sweep that is open."""

from collections.abc import Callable, Mapping

import numpy as np

from napari_fetal_iqa.corrections import Label, PlacedCaliper
from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.geometry.caliper import Caliper, CaliperMeasure
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.review.session import ReviewSession, Source
from napari_fetal_iqa.widgets.shortcuts import Action, with_key
from napari_fetal_iqa.widgets.viewer.sweep_view import SweepView

_BRUSH_STEP = 1.2
STORING = frozenset(
    {
        *(Action.LABEL_OPTIMAL, Action.LABEL_SUBOPTIMAL, Action.LABEL_NONE),
        *(Action.ACCEPT_AND_NEXT, Action.COPY_PREVIOUS, Action.INTERPOLATE),
        *(Action.CLEAR_MASK, Action.REVERT, Action.UNDO, Action.REDO),
        *(Action.JUDGE_SYMMETRICAL, Action.JUDGE_STOMACH, Action.JUDGE_PORTAL_SINUS),
        *(Action.JUDGE_NO_KIDNEYS, Action.JUDGE_FILLS_IMAGE, Action.JUDGE_ELLIPSE_PLACED),
    }
)
"""What stores something, or takes it back."""

_NOTHING_TO_ACCEPT = "Nothing to accept on that frame: nobody labelled or outlined it"
_ANALYSE = with_key("analyse the sweep first", Action.ANALYSE)


class SweepActions:
    """One method an action, on one open sweep; ``handlers`` has them by the table of keys.

    Parameters
    ----------
    view : SweepView
    corrected : callable
        Called after each correction with None where it is saved, else with what went wrong.
    say : callable
        Shows one line on what did not happen, and why.
    """

    def __init__(
        self,
        view: SweepView,
        corrected: Callable[[str | None], None],
        say: Callable[[str], None],
    ) -> None:
        self._view = view
        self._say = say
        self._session = view.session
        self._corrected = corrected
        self._hidden_for_good = False
        self.handlers: Mapping[Action, Callable[[], None]] = {
            Action.PREVIOUS_FRAME: self.previous_frame,
            Action.NEXT_FRAME: self.next_frame,
            Action.PREVIOUS_SWEEP: self.previous_sweep,
            Action.NEXT_SWEEP: self.next_sweep,
            Action.FIRST_FRAME: self.first_frame,
            Action.LAST_FRAME: self.last_frame,
            Action.EXTEND_BACK: self.extend_back,
            Action.EXTEND_ON: self.extend_on,
            Action.LABEL_OPTIMAL: self.label_optimal,
            Action.LABEL_SUBOPTIMAL: self.label_suboptimal,
            Action.LABEL_NONE: self.label_none,
            Action.ACCEPT_AND_NEXT: self.accept_and_next,
            Action.GO_NEXT_TO_REVIEW: self.go_next_to_review,
            Action.GO_PREVIOUS_TO_REVIEW: self.go_previous_to_review,
            Action.GO_BEST: self.go_best,
            Action.PAINT: self.paint,
            Action.ERASE: self.erase,
            Action.FILL: self.fill,
            Action.POLYGON: self.polygon,
            Action.CLOSE_POLYGON: self.close_polygon,
            Action.ELLIPSE: self.ellipse,
            Action.COPY_PREVIOUS: self.copy_previous,
            Action.INTERPOLATE: self.interpolate,
            Action.LOOK: self.look,
            Action.CLEAR_MASK: self.clear_mask,
            Action.REVERT: self.revert,
            Action.LARGER_BRUSH: self.larger_brush,
            Action.SMALLER_BRUSH: self.smaller_brush,
            Action.HIDE_WHILE_HELD: self.hide_while_held,
            Action.TOGGLE_OVERLAY: self.toggle_overlay,
            Action.TOGGLE_FILL: self.toggle_fill,
            Action.UNDO: self.undo,
            Action.REDO: self.redo,
        }

    # Corrections ---------------------------------------------------------------------------

    def _correct(
        self,
        correction: Callable[[ReviewSession, int], object],
        if_nothing: str = "",
        missing: str | None = None,
    ) -> bool:
        """Correct the frame on the screen; return whether it is saved.

        Where the correction returns that there was nothing to do, ``if_nothing`` explains it.
        ``missing`` is why the frame was not there when what is done began, where that was earlier.
        """
        frame = self._view.navigator.frame
        if missing is None:
            missing = self._view.first_paint.missing
        if reason := missing or self._view.unseen_because():
            self._corrected(f"Nothing was changed: {reason}")
            self._view.paint([frame])
            return False
        if self._session.shown != self._session.reviewer:
            self._corrected(
                f"These are the corrections of {self._session.shown}: show yours to correct"
            )
            self._view.paint([frame])
            return False
        try:
            done = correction(self._session, frame)
        except StoreError as error:
            self._corrected(error.in_window)
            return False
        nothing = bool(if_nothing) and not done
        self._corrected(if_nothing if nothing else self._session.take_notice() or None)
        return not nothing

    def stroke(self, frame: int, mask: np.ndarray) -> None:
        """Take a stroke on the overlay for the expert's mask of its frame."""
        missing = self._view.missing_at_press  # by then the person saw what is drawn on
        if not self._correct(lambda session, _: session.set_mask(frame, mask), missing=missing):
            self._view.paint([frame])  # which need not be that on the screen

    def take_ellipse(self, ellipse: Ellipse) -> None:
        """Take an ellipse for the expert's mask of the frame."""
        mask = self._view.mask_of(ellipse)
        self._correct(lambda session, frame: session.set_mask(frame, mask))

    def place_caliper(self, caliper: Caliper, mark: str | None) -> None:
        """Put a free caliper on the frame, or move the one that is named."""
        self._correct(lambda session, frame: session.free.place(frame, caliper, mark))

    def remove_caliper(self, placed: PlacedCaliper) -> None:
        """Take a free caliper away, wherever it lies."""
        self._correct(lambda session, _: session.free.remove(placed))

    def name_caliper(self, placed: PlacedCaliper, measure: CaliperMeasure | None) -> None:
        """Say what a free caliper measures, wherever it lies."""
        self._correct(lambda session, _: session.free.name(placed, measure))

    def judge(self, criterion: Criterion) -> bool:
        """Say of the frame that it meets a criterion, or what comes after what was said of it."""

        def next_word(session: ReviewSession, frame: int) -> None:
            word = session.criteria.next_word(frame, criterion)
            session.criteria.judge(frame, criterion, word)

        return self._correct(next_word)

    def copy_previous(self) -> None:
        """Take the outline of the frame before."""
        self._correct(
            lambda session, frame: session.copy_previous(frame),
            if_nothing="Nothing to copy: the frame before has no outline, or is of another sweep",
        )

    def interpolate(self) -> None:
        """Outline the frames between the nearest two that the expert drew."""
        self._correct(
            lambda session, frame: session.interpolate(frame),
            if_nothing="Nothing to interpolate between: draw the outline on a frame before this "
            "one and on one after it, in the same sweep",
        )

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
        chosen = self._view.selection
        if self._correct(lambda session, at: session.set_label(chosen.frames(at), label)):
            chosen.clear()

    def set_thresholds(self, quality: float, area: float) -> None:
        """Count frames as positive from other scores on."""
        self._session.set_thresholds((quality, area))
        self._corrected(None)

    def reset_thresholds(self) -> None:
        """Count frames as positive by the models' own thresholds again."""
        self._session.set_thresholds(None)
        self._corrected(None)

    def clear_mask(self) -> None:
        """Record that there is no abdomen to outline."""
        self._correct(
            lambda session, frame: session.set_mask(frame, np.zeros(session.sweep.shape[1:], bool))
        )

    def revert(self) -> None:
        """Go back to the model's label and mask."""
        self._correct(
            lambda session, frame: session.revert(frame),
            if_nothing="Nothing to take back: this frame is as the models left it",
        )

    def undo(self) -> None:
        """Take back the last correction and look at where it was."""
        self._correct(
            lambda session, _: self._look_at(session.undo()), if_nothing="Nothing to undo"
        )

    def redo(self) -> None:
        """Bring back what was undone and look at it."""
        self._correct(
            lambda session, _: self._look_at(session.redo()), if_nothing="Nothing to redo"
        )

    def _look_at(self, frames: tuple[int, ...]) -> tuple[int, ...]:
        if frames and self._view.navigator.frame not in frames:
            self.go(frames[0])
        return frames

    def accept_and_next(self) -> None:
        """Confirm the model's prediction and go to the next frame to review.

        A polygon that is being drawn is closed instead.
        """
        if not self._view.first_paint.missing and self._view.overlay.close_polygon():
            return
        view = self._session.view(self._view.navigator.frame)
        nothing = (
            _NOTHING_TO_ACCEPT
            if view.label_source is view.mask_source is Source.NOBODY
            else ""  # the model's word is accepted, the expert's own stands
        )
        if self._correct(lambda session, frame: session.accept(frame)):
            self._go_to_review(1, nothing)

    # Tools ---------------------------------------------------------------------------------

    def paint(self) -> None:
        """Paint on the outline."""
        self._view.use_tool("paint")

    def erase(self) -> None:
        """Erase from the outline."""
        self._view.use_tool("erase")

    def fill(self) -> None:
        """Fill an area, or the outside of it, at a click."""
        self._view.use_tool("fill")

    def polygon(self) -> None:
        """Draw the outline by its corners; a double click or Enter closes it."""
        self._view.use_tool("polygon")

    def close_polygon(self) -> None:
        """Close the polygon that is being drawn."""
        if missing := self._view.first_paint.missing:
            self._corrected(f"Nothing was changed: {missing}")
        else:
            self._view.overlay.close_polygon()

    def ellipse(self) -> None:
        """Draw the outline as an ellipse, by two diameters."""
        self._view.use_ellipse()

    def look(self) -> None:
        """Stop painting; drag moves the picture again. No range any more, either."""
        self._view.use_tool("pan_zoom")
        self._view.selection.clear()

    def larger_brush(self) -> None:
        """Make the brush larger by a fifth."""
        self._view.overlay.scale_brush(_BRUSH_STEP)

    def smaller_brush(self) -> None:
        """Make the brush smaller by a fifth."""
        self._view.overlay.scale_brush(1 / _BRUSH_STEP)

    def toggle_overlay(self) -> None:
        """Hide or show all that lies on the frame."""
        self._view.hide_marks(not self._view.marks_hidden)

    def hide_while_held(self) -> None:
        """Hide all that lies on the frame until the key is released."""
        self._hidden_for_good = self._view.marks_hidden
        self._view.hide_marks(True, while_held=True)

    def released(self, action: Action) -> None:
        """Undo what lasts while a key is held."""
        if action is Action.HIDE_WHILE_HELD and self._view.marks_hidden:  # else drawing shows it
            self._view.hide_marks(self._hidden_for_good)

    def toggle_fill(self) -> None:
        """Show the masks filled, or their outlines."""
        self._view.overlay.toggle_fill()

    # Moving --------------------------------------------------------------------------------

    def go(self, frame: int) -> None:
        """Go to a frame."""
        self._view.navigator.go(frame)

    def previous_frame(self) -> None:
        """Go one frame back."""
        self._view.navigator.step(-1)

    def next_frame(self) -> None:
        """Go one frame on."""
        self._view.navigator.step(1)

    def previous_sweep(self) -> None:
        """Go one sweep back."""
        self._view.navigator.step_sweep(-1)

    def next_sweep(self) -> None:
        """Go one sweep on."""
        self._view.navigator.step_sweep(1)

    def first_frame(self) -> None:
        """Go to the first frame of the sweep."""
        self._view.navigator.go_to_end(last=False)

    def last_frame(self) -> None:
        """Go to the last frame of the sweep."""
        self._view.navigator.go_to_end(last=True)

    def extend_back(self) -> None:
        """Take the frame before into the range that a label goes to."""
        self._extend(-1)

    def extend_on(self) -> None:
        """Take the next frame into the range that a label goes to."""
        self._extend(1)

    def _extend(self, step: int) -> None:
        navigator = self._view.navigator
        here = navigator.frame
        self._view.selection.extend(here, navigator.within(here + step))
        navigator.step(step)

    def choose_range(self, first: int, last: int) -> None:
        """Choose the range that a label goes to, and look at its last frame."""
        navigator = self._view.navigator
        first, last = navigator.within(first), navigator.within(last)
        self._view.selection.clear()
        self._view.selection.extend(first, last)
        navigator.go(last)

    def go_best(self) -> None:
        """Go to the frame to measure."""
        best = self._session.best_frame()
        if best >= 0:
            self.go(best)
        elif self._session.analysis is None:
            self._say(f"No best frame yet: {_ANALYSE}")
        else:
            self._say("No best frame: none that is outlined is an optimal plane")

    def go_next_to_review(self) -> None:
        """Go to the next frame worth a look."""
        self._go_to_review(1)

    def go_previous_to_review(self) -> None:
        """Go to the previous frame worth a look."""
        self._go_to_review(-1)

    def _go_to_review(self, step: int, first: str = "") -> None:
        """Go to the next frame to review, or the one before; say why there is none.

        ``first`` is what is to be said in any case.
        """
        frame = self._session.next_to_review(self._view.navigator.frame, step)
        if frame is not None and frame != self._view.navigator.frame:
            self._view.first_paint.expect()  # nobody knows which it is: no second Enter for it
            self.go(frame)
            if first:
                self._say(first)
            return
        self._say(". ".join(filter(None, (first, self._why_none_to_review(step)))))

    def _why_none_to_review(self, step: int) -> str:
        if step < 0:
            return "No frame to review was looked at before this one"
        if self._session.comparison is not None:
            return "There is no other frame on which the two reviewers disagree"
        if self._session.analysis is None:
            return f"Nothing to review yet: {_ANALYSE}"
        return "No other frame is left to review"
