"""The ellipse, the copied and the interpolated outline: what a person does, and sees."""

import numpy as np
import pytest

from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.review.frame_view import Source

from . import mouse


def drag(widget, begin, end, meanwhile=lambda: None):
    mouse.drag(widget.presenter.view.ellipse, widget, begin, end, meanwhile)


def click(widget, at):
    drag(widget, at, at)


def outline(widget):
    """Centre and semi-axes, in pixels, of the mask that counts on the frame being looked at."""
    view = widget.presenter.session.view(widget.presenter.view.navigator.frame)
    spacing = widget.presenter.session.sweep.spacing_mm[0]
    return view.measurement.center_px, np.divide(view.measurement.semi_axes_mm, spacing)


@pytest.fixture
def drawing(review):
    review.presenter.actions.go(20)
    review.presenter.actions.ellipse()
    return review


def test_two_dragged_diameters_are_an_outline(drawing, store, phantom):
    text = drawing.caption
    assert "diameter" in text.text
    assert not drawing.viewer.scene.camera.mouse_pan
    drag(drawing, (80, 60), (80, 120))
    assert store.corrections(phantom.sweep.identity) == {}
    drag(drawing, (60, 90), (100, 90))
    center, axes = outline(drawing)
    assert center == pytest.approx((80, 90), abs=0.5)
    assert axes == pytest.approx((30, 20), abs=0.7)
    assert drawing.presenter.session.mask_source(20) is Source.EXPERT
    assert text.text.startswith("AC ")


def test_four_clicks_are_an_outline_too(drawing):
    for at in ((80, 60), (80, 120), (60, 90), (100, 90)):
        click(drawing, at)
    assert outline(drawing)[0] == pytest.approx((80, 90), abs=0.5)


def test_a_second_diameter_along_the_first_is_drawn_anew(drawing):
    drag(drawing, (80, 60), (80, 120))
    drag(drawing, (80, 70), (80, 110))
    assert drawing.presenter.session.mask_source(20) is Source.NOBODY
    drag(drawing, (60, 90), (100, 90))
    assert outline(drawing)[1] == pytest.approx((30, 20), abs=0.7)


def test_its_ends_and_its_centre_can_be_dragged(drawing):
    drag(drawing, (80, 60), (80, 120))
    drag(drawing, (60, 90), (100, 90))
    drag(drawing, (80, 120), (80, 130))
    center, axes = outline(drawing)
    assert center == pytest.approx((80, 95), abs=0.5)
    assert axes == pytest.approx((35, 20), abs=0.7)
    drag(drawing, (80, 95), (70, 90))
    assert outline(drawing)[0] == pytest.approx((70, 90), abs=0.5)
    drag(drawing, (5, 5), (30, 30))
    assert outline(drawing)[0] == pytest.approx((70, 90), abs=0.5)
    drawing.presenter.actions.undo()
    assert outline(drawing)[0] == pytest.approx((80, 95), abs=0.5)
    drawing.presenter.actions.undo()
    assert outline(drawing)[0] == pytest.approx((80, 90), abs=0.5)


def test_it_begins_from_the_outline_that_is_there_and_follows_the_frame(review):
    mask = Ellipse((80, 90), (30, 20), 0).mask(review.presenter.session.sweep.shape[1:], (1, 1))
    review.presenter.session.set_mask(20, mask)
    review.presenter.actions.go(20)
    review.presenter.actions.ellipse()
    drag(review, (60, 90), (50, 90))
    assert outline(review)[1] == pytest.approx((30, 25), abs=0.7)
    review.presenter.actions.next_frame()
    assert "diameter" in review.caption.text
    review.presenter.actions.previous_frame()
    assert review.caption.text.startswith("AC ")


def test_another_tool_gives_the_mouse_back(drawing):
    taken = list(drawing.viewer.mouse_drag_callbacks)
    drawing.presenter.actions.look()
    assert drawing.viewer.scene.camera.mouse_pan
    assert len(drawing.viewer.mouse_drag_callbacks) == len(taken) - 1
    drawing.presenter.actions.ellipse()
    drawing.viewer.layers.remove(drawing.layer)
    assert drawing.viewer.scene.camera.mouse_pan


def test_an_outline_is_copied_from_the_frame_before_and_interpolated(review, press):
    from qtpy.QtCore import Qt

    session = review.presenter.session
    shape = session.sweep.shape[1:]
    for frame, row in ((22, 70), (26, 90)):
        session.set_mask(frame, Ellipse((row, 90), (30, 20), 0).mask(shape, (1, 1)))
    review.presenter.actions.go(24)
    press(review, Qt.Key.Key_I)
    assert outline(review)[0] == pytest.approx((80, 90), abs=1)
    assert session.mask_source(23) is session.mask_source(25) is Source.EXPERT
    review.presenter.actions.undo()
    assert session.mask_source(23) is Source.NOBODY
    review.presenter.actions.go(27)
    press(review, Qt.Key.Key_C)
    assert np.array_equal(session.mask(27), session.mask(26))


def test_a_drag_goes_to_no_other_frame(drawing):
    drag(drawing, (80, 60), (80, 120), meanwhile=lambda: drawing.presenter.actions.go(21))
    assert not drawing.presenter.view.ellipse.in_hand
    assert "unfinished ellipse was dropped" in drawing.page.analysis.error.text()
    drag(drawing, (80, 60), (80, 120))
    drag(drawing, (60, 90), (100, 90))
    assert outline(drawing)[0] == pytest.approx((80, 90), abs=0.5)
    drag(drawing, (80, 120), (80, 130), meanwhile=lambda: drawing.presenter.actions.go(22))
    assert drawing.presenter.session.mask_source(22) is Source.NOBODY
    drawing.presenter.actions.go(21)
    assert outline(drawing)[0] == pytest.approx((80, 90), abs=0.5)
