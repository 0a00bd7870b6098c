"""Film, gain, zoom, before and after: what changes the picture and no pixel."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, FrameResults, ModelRef
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.review.cine import USUAL_RATE, CineMode
from napari_fetal_iqa.widgets.viewer.gain import AS_STORED, PRESETS
from napari_fetal_iqa.widgets.viewer.zoom import Zoom

SECONDS = 1000
SHIFT = Qt.KeyboardModifier.ShiftModifier


def frame(widget):
    return widget.presenter.view.navigator.frame


@pytest.fixture
def film(review):
    """The review's film, whose clock the test sets; its own timer stands still."""
    cine = review.presenter.tools.cine

    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

        def show(self, seconds):
            self.now = 100.0 + seconds
            cine._timer.stop()
            cine._go_on()
            cine._timer.stop()

    cine.clock = Clock()
    return cine


def test_the_film_goes_by_the_clock_and_stops_at_an_edit(review, film, press, store):
    widget, button = review, review.page.tools.cine.main
    sweep = widget.presenter.session.sweep
    start, stop = sweep.bounds[1]
    widget.presenter.actions.go(start + 2)
    press(widget, Qt.Key.Key_J)
    film._timer.stop()
    assert button.isChecked()
    film.clock.show(3.01 / USUAL_RATE)
    assert frame(widget) == start + 5
    film.clock.show((stop - start + 0.01) / USUAL_RATE)  # late: frames were dropped, not time
    assert frame(widget) == start + 2
    film.clock.now = 100.0  # it begins anew
    press(widget, Qt.Key.Key_J, SHIFT)
    film.clock.show(3.01 / USUAL_RATE)
    assert frame(widget) == stop - 1
    assert film.mode is CineMode.BACKWARD

    widget.presenter.actions.label_optimal()
    assert film.mode is None
    assert not button.isChecked()
    assert list(store.corrections(sweep.identity)) == [stop - 1]


def test_the_film_stops_for_who_moves_or_takes_a_tool_and_plays_all_if_asked(review, film, press):
    widget, tools = review, review.page.tools
    actions, bounds = widget.presenter.actions, widget.presenter.session.sweep.bounds
    actions.paint()
    tools.cine.main.click()
    assert film.mode is CineMode.FORWARD
    assert widget.presenter.view.tool == "pan_zoom"  # no frame goes by under the brush
    actions.next_frame()
    assert film.mode is None
    tools.cine.main.click()
    tools.cine.main.click()
    assert film.mode is None
    for take in (actions.paint, actions.ellipse, widget.presenter.tools.look):
        tools.cine.main.click()
        assert film.mode is not None
        take()
        assert film.mode is None

    tools.whole_action.setChecked(True)
    actions.go(bounds[0][1] - 1)
    film.clock.now = 100.0
    tools._cine_actions[2].trigger()
    assert film.mode is CineMode.TO_AND_FRO
    film.clock.show(1.01 / USUAL_RATE)
    assert frame(widget) == bounds[1][0]
    assert f"{USUAL_RATE:.3g} frames a second" in tools.cine.main.toolTip()
    assert "file says none" in tools.cine.main.toolTip()


def test_to_and_fro_has_a_key_and_stays_on_the_button(review, film, press):
    widget, tools = review, review.page.tools
    press(widget, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert film.mode is CineMode.TO_AND_FRO
    press(widget, Qt.Key.Key_J)
    assert film.mode is None  # it stops, and does not play forward
    for action, mode in zip(tools._cine_actions, CineMode, strict=True):
        action.trigger()
        tools.cine.main.click()
        assert film.mode is None
        assert [one.isChecked() for one in tools._cine_actions] == [one is mode for one in CineMode]
        tools.cine.main.click()
        assert film.mode is mode
        tools.cine.main.click()
    assert tools.cine.main.text().endswith("↔")
    assert "[Ctrl+J]" in tools.cine.main.toolTip()


def test_the_film_plays_by_itself(review, qtbot):
    widget = review
    begin = frame(widget)
    widget.presenter.tools.play(CineMode.FORWARD)
    qtbot.waitUntil(lambda: frame(widget) != begin, timeout=20 * SECONDS)
    widget.presenter.tools.cine.stop()


def test_gain_changes_the_picture_alone_and_is_kept_for_the_next_sweep(
    review, show, press, phantom
):
    widget = review
    before = np.array(widget.layer.data[20])
    assert tuple(widget.layer.contrast_limits) == AS_STORED.limits
    press(widget, Qt.Key.Key_W)
    assert tuple(widget.layer.contrast_limits) == PRESETS[0].limits
    widget.page.tools._gain_actions[2].trigger()
    assert widget.layer.gamma == PRESETS[1].gamma
    assert np.array_equal(widget.layer.data[20], before)
    assert widget.presenter.session.sweep.frames is widget.layer.data

    widget.viewer.layers.remove(widget.layer)
    layer = show(widget, phantom.sweep.with_bounds(30))
    assert layer.gamma == PRESETS[1].gamma
    widget.page.tools._gain_actions[0].trigger()
    assert (layer.gamma, tuple(layer.contrast_limits)) == (1.0, AS_STORED.limits)


def on_canvas(widget, row, column):
    """Where a pixel of the frame lies on the canvas, in Qt's pixels from its middle."""
    camera, layer = widget.viewer.scene.camera, widget.layer
    world = np.array([row, column]) * layer.scale[1:] + layer.translate[1:]
    return (world - np.array(camera.center[-2:])) * camera.zoom


def test_zoom_to_the_frame_the_fan_and_one_to_one(review, press):
    widget, sweep = review, review.presenter.session.sweep
    rows, columns = sweep.shape[1:]
    top, bottom, left, right = sweep.fan_box
    seen = np.asarray(sweep.frames).max(0)
    assert not seen[:top].any()
    assert not seen[:, :left].any()
    assert seen[top].any()
    assert seen[:, right - 1].any()
    high, wide = widget.viewer.canvas.size

    def fits(box):
        first, last = on_canvas(widget, box[0], box[2]), on_canvas(widget, box[1] - 1, box[3] - 1)
        size = last - first
        assert np.allclose(first, -last, atol=1)  # in the middle
        assert (size < (high, wide)).all()
        assert (size / (high, wide)).max() > 0.9

    press(widget, Qt.Key.Key_Z)
    fits((top, bottom, left, right))
    press(widget, Qt.Key.Key_Z)
    step = on_canvas(widget, 1, 1) - on_canvas(widget, 0, 0)
    assert np.allclose(step * widget.devicePixelRatioF(), 1)
    edge = (on_canvas(widget, -0.5, -0.5) + np.divide((high, wide), 2)) * widget.devicePixelRatioF()
    assert np.allclose(edge, np.round(edge), atol=1e-6)  # each pixel is one, and not parts of two
    press(widget, Qt.Key.Key_Z)
    fits((0, rows, 0, columns))
    widget.page.tools.zoom_chosen.emit(Zoom.FAN)
    fits((top, bottom, left, right))


@pytest.fixture
def analysed(review):
    """The review with a model's outline on frame 20, which is on the screen; and the outline."""
    session = review.presenter.session
    mask = Ellipse((80, 90), (30, 20), 0).mask(session.sweep.shape[1:], (1, 1))
    models = (ModelRef(id=f"{task}-0", hash="0" * 64, name=task) for task in ("cls", "seg"))
    session.begin_analysis(Analysis(session.sweep, AnalysisSetup(*models)))
    session.add_results(
        FrameResults(
            frames=np.array([20]),
            quality=np.array([0.9], np.float32),
            area_fraction=np.array([0.1], np.float32),
            masks=(encode_mask(mask),),
            ac_mm=np.array([100.0]),
            non_black=np.ones(1, bool),
            seconds={},
        )
    )
    review.presenter.actions.go(20)
    review.presenter._show_still()
    return review, mask


def test_the_models_outline_stays_below_the_experts_and_a_key_swaps_the_two(analysed, press, qtbot):
    widget, mask = analysed
    view, session = widget.presenter.view, widget.presenter.session
    below = view.beside.outline.layer
    models_ac = session.view(20).measurement.circumference_mm
    assert not below.visible  # the model's own outline is on the frame
    press(widget, Qt.Key.Key_S)
    assert "Nothing to swap: you did not change" in widget.page.analysis.error.text()

    session.set_mask(20, Ellipse((80, 90), (35, 28), 0).mask(mask.shape, (1, 1)))
    qtbot.waitUntil(lambda: below.visible, timeout=20 * SECONDS)
    assert np.array_equal(below.data, mask)
    faint = below.opacity
    assert faint < view.overlay.layer.opacity / 2
    order = list(widget.viewer.layers)
    assert order.index(widget.layer) < order.index(below) < order.index(view.overlay.layer)
    experts = widget.page.frame.circumference.text()

    press(widget, Qt.Key.Key_S)
    assert not view.overlay.layer.visible
    assert below.visible
    assert below.opacity > faint
    assert f"AC {models_ac:.1f} mm" in widget.page.frame.circumference.text()
    assert f"AC {models_ac:.1f} mm" in widget.caption.text
    assert "model" in widget.page.frame.diameters.text()
    press(widget, Qt.Key.Key_S)
    assert view.overlay.layer.visible
    assert widget.page.frame.circumference.text() == experts
    assert below.opacity == faint


def test_a_frame_on_which_the_model_drew_nothing_says_so_before_and_after(analysed, press):
    widget, mask = analysed
    session, error = widget.presenter.session, widget.page.analysis.error
    session.set_mask(21, mask)
    widget.presenter.actions.go(21)
    press(widget, Qt.Key.Key_S)
    assert error.text() == "Nothing to swap: no model has looked at this frame yet"
    assert error.styleSheet()
    session.add_results(
        FrameResults(
            frames=np.array([21]),
            quality=np.array([0.1], np.float32),
            area_fraction=np.array([0.0], np.float32),
            masks=(encode_mask(np.zeros_like(mask)),),
            ac_mm=np.array([np.nan]),
            non_black=np.ones(1, bool),
            seconds={},
        )
    )
    press(widget, Qt.Key.Key_S)
    assert error.text() == "Before your correction: the model drew no outline on this frame"
    assert widget.page.analysis.error_box.copy.isHidden()  # nothing is wrong
    assert not error.styleSheet()
    assert not widget.presenter.view.overlay.layer.visible
    press(widget, Qt.Key.Key_S)
    assert error.text() == ""
    assert widget.presenter.view.overlay.layer.visible


def test_before_ends_with_the_frame_an_edit_or_a_tool_and_space_hides_it(analysed, press):
    widget, mask = analysed
    actions, view = widget.presenter.actions, widget.presenter.view
    widget.presenter.session.set_mask(20, ~mask & mask.any(1)[:, None])
    widget.presenter._show_still()
    below, overlay = view.beside.outline.layer, view.overlay.layer
    for end in (
        actions.label_optimal,
        actions.paint,
        lambda: (actions.next_frame(), actions.previous_frame()),
    ):
        widget.presenter.tools.swap()
        assert not overlay.visible
        end()
        assert overlay.visible
        assert not view.beside.before
        widget.presenter._show_still()
    actions.look()
    actions.hide_while_held()
    assert not below.visible
    assert not overlay.visible
    view.hide_marks(False)
    assert below.visible
    assert overlay.visible
    actions.revert()  # then the model's is the one that counts
    widget.presenter._show_still()
    assert not below.visible


def test_every_control_of_the_tools_has_a_tooltip_and_a_name(review):
    tools = review.page.tools
    for button in tools.findChildren(QPushButton):
        assert button.toolTip(), button.text()
        assert button.accessibleName(), button.text()
