"""Other people's layers and views: nothing is stored for a frame that nobody sees."""

from dataclasses import replace

import numpy as np
import pytest

from napari_fetal_iqa.analysis.result import Analysis
from napari_fetal_iqa.widgets.background import tasks
from napari_fetal_iqa.widgets.shortcuts import Action

pytestmark = pytest.mark.gui

SECONDS = 1000


def cover(review):
    review.viewer.add_image(np.ones((200, 300), np.float32), name="a picture")


def cover_with_labels(review):
    review.viewer.add_labels(np.full((200, 300), 3, np.uint8), opacity=1.0)


def cover_with_a_shape(review):
    sheet = np.array([[-9, -9], [-9, 999], [999, 999], [999, -9]])
    review.viewer.add_shapes([sheet], face_color="black", opacity=1.0)


def cover_with_a_surface(review):
    corners = np.array([[-9.0, -9], [-9, 999], [999, 999], [999, -9]])
    review.viewer.add_surface((corners, np.array([[0, 1, 2], [0, 2, 3]]), np.ones(4)))


def thicken(review):
    review.viewer.dims.margin_left = (3 * review.layer.scale[0], 0, 0)


def show_as_grid(review):
    review.viewer.canvas.grid.enabled = True


def look_away(review):
    review.viewer.scene.camera.center = (0, 1e4, 1e4)


def exchange_axes(review):
    review.viewer.dims.order = (1, 0, 2)


def show_in_3d(review):
    review.viewer.dims.ndisplay = 3


def hide(review):
    review.layer.visible = False


@pytest.mark.parametrize(
    ("disturb", "reason"),
    [
        (cover, "another image lies over the sweep"),
        (cover_with_labels, "another layer lies over the sweep"),
        (cover_with_a_shape, "another layer lies over the sweep"),
        (cover_with_a_surface, "another layer lies over the sweep"),
        (thicken, "the view shows several frames as one, by the thickness of its slices"),
        (show_as_grid, "the layers lie beside each other, as a grid"),
        (look_away, "the frame lies beside what the window shows"),
        (exchange_axes, "the axes of the view are exchanged"),
        (show_in_3d, "the 3D view shows no single frame"),
        (hide, "the sweep is hidden"),
    ],
)
def test_a_frame_that_is_not_seen_is_not_corrected_until_it_is_brought_to_the_front(
    review, store, phantom, disturb, reason
):
    disturb(review)
    for action in (Action.LABEL_OPTIMAL, Action.CLEAR_MASK, Action.ACCEPT_AND_NEXT):
        review.do(action)
    assert store.corrections(phantom.sweep.identity) == {}
    panel = review.page.analysis
    assert panel.error.text() == f"Nothing was changed: {reason}"
    assert panel.front.isVisibleTo(review.page)

    panel.front.click()
    assert not panel.error_box.isVisibleTo(review.page)
    review.do(Action.LABEL_OPTIMAL)
    assert len(store.corrections(phantom.sweep.identity)) == 1


def test_a_layer_that_can_be_seen_through_is_no_hindrance(review, store, phantom):
    review.viewer.add_image(np.ones((200, 300), np.float32), blending="additive")
    review.viewer.add_points(np.zeros((3, 2)))
    review.viewer.add_image(np.ones((200, 300), np.float32), translate=(5000, 5000))
    review.viewer.add_image(np.ones((9, 9), np.float32), name="in a corner")
    review.viewer.add_labels(np.zeros((200, 300), np.uint8), opacity=1.0)
    review.viewer.add_labels(np.ones((200, 300), np.uint8), opacity=0.7)
    review.do(Action.LABEL_OPTIMAL)
    assert len(store.corrections(phantom.sweep.identity)) == 1


def test_a_layer_with_more_dimensions_breaks_no_fit(review, store, phantom):
    review.viewer.add_image(np.zeros((3, *review.layer.data.shape), np.uint8), visible=False)
    camera = review.viewer.scene.camera
    camera.center = (0, 1e4, 1e4)
    review.frame_fit.fit()
    low, high = review.layer.extent.world[:, -2:]
    assert np.allclose(camera.center[-2:], (low + high) / 2)
    review.frame_fit._follow()  # as after the canvas grew
    review.do(Action.LABEL_OPTIMAL)
    assert len(store.corrections(phantom.sweep.identity)) == 1


def test_a_tap_of_space_does_not_show_what_h_had_hidden(review):
    review.do(Action.TOGGLE_OVERLAY)
    review.do(Action.HIDE_WHILE_HELD)
    review._released(Action.HIDE_WHILE_HELD)
    assert review.presenter.view.marks_hidden
    review.do(Action.TOGGLE_OVERLAY)
    review.do(Action.HIDE_WHILE_HELD)
    review._released(Action.HIDE_WHILE_HELD)
    assert not review.presenter.view.marks_hidden


OURS = ["Model's outline", "Free calipers", "Abdomen", "Calipers"]


@pytest.mark.parametrize("name", OURS)
def test_a_layer_of_ours_that_is_deleted_comes_back_with_everything_as_it_was(
    review, qtbot, phantom, name
):
    review.presenter.analyse()
    qtbot.waitUntil(lambda: not review.runner.running, timeout=120 * SECONDS)
    review.do(Action.LABEL_OPTIMAL)
    done, before = review.page.analysis.doing.text(), review.presenter
    review.viewer.layers.remove(review.viewer.layers[name])
    qtbot.waitUntil(lambda: review.presenter not in (None, before), timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: [layer.name for layer in review.viewer.layers][1:] == OURS)
    assert review.page.analysis.doing.text() == done
    assert review.presenter.session.analysis.complete
    assert "1 frame corrected, saved" in review.page.saved.text()
    assert review.page.frame.isEnabled()


def test_layers_that_are_deleted_together_come_back_once(review, qtbot):
    names, before = [], review.presenter
    review.viewer.layers.events.inserted.connect(lambda event: names.append(event.value.name))
    review.viewer.layers.selection = {review.viewer.layers[name] for name in OURS}
    review.viewer.layers.remove_selected()
    qtbot.waitUntil(lambda: review.presenter not in (None, before), timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: [layer.name for layer in review.viewer.layers][1:] == OURS)
    assert sorted(names) == sorted(OURS)


def test_an_analysis_goes_on_while_a_layer_is_put_back(review, qtbot, analyser, monkeypatch):
    import threading

    run, deleted = analyser.run, threading.Event()

    def run_until_deleted(sweep, queue, by):
        results = run(sweep, queue, by)
        yield next(results)
        deleted.wait(60)
        yield from results

    monkeypatch.setattr(analyser, "run", run_until_deleted)
    review.presenter.analyse()
    before = review.presenter
    qtbot.waitUntil(
        lambda: before.session.analysis is not None and before.session.analysis.computed.any(),
        timeout=120 * SECONDS,
    )
    review.viewer.layers.remove(review.viewer.layers["Abdomen"])
    qtbot.waitUntil(lambda: review.presenter not in (None, before), timeout=20 * SECONDS)
    assert review.runner.running
    assert review.page.analysis.bar.isVisibleTo(review.page)
    deleted.set()
    qtbot.waitUntil(lambda: not review.runner.running, timeout=120 * SECONDS)
    assert review.presenter.session.analysis.complete
    assert review.page.analysis.doing.text().startswith("Analysed")


def replace_pixels(review):
    review.layer.data = review.layer.data[::-1].copy()


def replace_pixels_by_others(review):
    review.layer.data = np.zeros((4, 5, 6), np.float32)


def scale(review):
    review.layer.scale = (1, 2, 2)


def turn(review):
    review.layer.rotate = 15


def shift(review):
    review.layer.translate = (0, 5, 5)


def scale_outlines(review):
    review.presenter.view.overlay.layer.scale = (1, 2, 2)


def say_again(review):
    """A stroke as it is reported when somebody changed the layers just before."""
    presenter = review.presenter
    if presenter is not None:
        presenter.actions.stroke(7, np.ones(presenter.session.sweep.shape[1:], bool))
    for action in (Action.LABEL_OPTIMAL, Action.CLEAR_MASK, Action.ACCEPT_AND_NEXT):
        review.do(action)


STOPS = (
    (scale, "its layer was moved, turned or scaled"),
    (turn, "its layer was moved, turned or scaled"),
    (shift, "its layer was moved, turned or scaled"),
    (scale_outlines, "the outlines over it were moved, turned or scaled"),
    (replace_pixels, "the pixels of its layer were replaced"),
    (replace_pixels_by_others, "the pixels of its layer were replaced"),
)


def test_a_review_stops_when_somebody_changes_what_it_stands_on_and_is_opened_again(
    review, store, phantom, qtbot
):
    panel, identity = review.page.analysis, phantom.sweep.identity
    for times, (disturb, reason) in enumerate(STOPS):
        review.presenter.actions.go(20 + times)
        disturb(review)
        say_again(review)
        qtbot.waitUntil(lambda: review.presenter is None, timeout=20 * SECONDS)
        say_again(review)
        assert len(store.events()) == times
        assert panel.error.text().startswith(f"The review has stopped: {reason}")
        assert not review.page.frame.isEnabled()
        assert not panel.analyse.isEnabled()

        panel.reopen.click()
        qtbot.waitUntil(lambda: review.presenter is not None, timeout=20 * SECONDS)
        assert not panel.error_box.isVisibleTo(review.page)
        assert review.presenter.session.sweep.identity == identity
        assert review.layer.data is phantom.sweep.frames
        assert review.layer.visible
        assert tuple(review.layer.scale) == (1.0, *phantom.sweep.spacing_mm)
        assert review.presenter.view.navigator.frame == 20 + times
        assert not review.presenter.view.unseen_because()
        review.do(Action.LABEL_OPTIMAL)
        assert sorted(store.corrections(identity)) == list(range(20, 21 + times))


def test_pixels_that_a_script_writes_into_are_neither_labelled_nor_kept_as_the_sweeps(
    window, show, tiny_settings, store, phantom, qtbot, monkeypatch
):
    review = window()
    sweep = replace(phantom.sweep, frames=np.array(phantom.sweep.frames))
    show(review, sweep)
    known = sweep.identity
    review.presenter.actions.go(20)
    review.do(Action.LABEL_OPTIMAL)
    sweep.frames[21:23] //= 2  # of which napari tells nobody
    review.presenter.actions.go(22)  # at which it is not measured yet
    review.do(Action.LABEL_OPTIMAL)
    assert list(store.corrections(known)) == [20]
    qtbot.waitUntil(lambda: review.presenter is None, timeout=20 * SECONDS)
    panel = review.page.analysis
    assert "somebody wrote into the pixels of frame 22" in panel.error.text()
    panel.reopen.click()
    qtbot.waitUntil(lambda: review.presenter is not None, timeout=20 * SECONDS)
    assert review.layer.data is sweep.frames
    written = review.presenter.session.sweep
    assert written.identity != known
    assert review.presenter.session.corrections() == {}
    sweep.frames[30] += 1
    review.presenter.actions.go(30)  # it is noticed though nobody corrects anything
    qtbot.waitUntil(lambda: review.presenter is None, timeout=20 * SECONDS)
    kept = []
    monkeypatch.setattr(tasks.cache, "save", kept.append)
    assert tasks.keep_analysis(Analysis(written)) == 30
    assert tasks.keep_analysis(Analysis(phantom.sweep)) is None
    assert [analysis.sweep for analysis in kept] == [phantom.sweep]


def test_a_sweep_that_was_scaled_meanwhile_is_opened_where_its_file_says(
    review, show, phantom, qtbot
):
    from napari_fetal_iqa.phantom import PhantomSettings, make_phantom

    first, before = review.layer, review.presenter
    second = show(review, make_phantom(PhantomSettings.small(), seed=4).sweep)
    qtbot.waitUntil(lambda: review.presenter not in (None, before), timeout=20 * SECONDS)
    first.scale = (1, 3, 3)
    review.viewer.layers.remove(second)
    qtbot.waitUntil(
        lambda: review.presenter is not None and review.layer is first, timeout=20 * SECONDS
    )
    assert tuple(first.scale) == (1.0, *phantom.sweep.spacing_mm)
    assert "lies again as its file says" in review.page.analysis.error.text()


def test_pixels_that_are_replaced_while_the_sweep_is_read_are_not_reviewed(
    window, tiny_settings, store, phantom, qtbot
):
    from napari_fetal_iqa.contributions.layers import sweep_layer

    review = window()
    data, attributes, _ = sweep_layer(phantom.sweep)
    layer = review.viewer.add_image(data, **attributes)
    layer.data = data[::-1].copy()
    qtbot.waitUntil(review.page.analysis.reopen.isVisible, timeout=20 * SECONDS)
    review.do(Action.LABEL_OPTIMAL)
    assert store.events() == []


def test_a_stack_of_others_is_opened_again_as_it_is_now(window, tiny_settings, qtbot, phantom):
    review = window()
    stack = phantom.sweep.frames.copy()
    layer = review.viewer.add_image(stack, units=("pixel", "mm", "mm"), scale=(1, 0.5, 0.5))
    qtbot.waitUntil(lambda: review.presenter is not None, timeout=20 * SECONDS)
    layer.scale = (1, 0.25, 0.25)
    qtbot.waitUntil(lambda: review.presenter is None, timeout=20 * SECONDS)
    review.page.analysis.reopen.click()
    qtbot.waitUntil(lambda: review.presenter is not None, timeout=20 * SECONDS)
    assert review.layer is layer
    assert review.presenter.session.sweep.spacing_mm == (0.25, 0.25)


def test_no_stroke_goes_to_the_frames_beside_the_one_that_is_seen(review, store, phantom, qtbot):
    overlay = review.presenter.view.overlay
    overlay.layer.n_edit_dimensions = 3
    assert overlay.layer.n_edit_dimensions == 2
    review.viewer.dims.order = (1, 0, 2)
    overlay.layer.mode = "paint"
    overlay.layer.paint((9, 50, 60), 2)
    overlay.report_strokes()
    assert store.events() == []
    assert not overlay.layer.data.any()


def test_outlines_that_a_script_replaces_are_shown_again_and_not_stored(
    review, store, phantom, qtbot
):
    review.do(Action.LABEL_OPTIMAL)
    overlay = review.presenter.view.overlay
    ours = overlay.layer.data
    overlay.layer.name = "mine"
    overlay.layer.data = np.ones_like(ours)
    qtbot.waitUntil(lambda: overlay.layer.data is ours, timeout=20 * SECONDS)
    assert "replaced the outlines" in review.page.analysis.error.text()
    overlay.layer.data_setitem((np.array([0]), np.array([5]), np.array([6])), 2)
    qtbot.waitUntil(lambda: review.presenter.session.mask(0).sum() == 1, timeout=20 * SECONDS)
    assert len(store.events()) == 2


def test_a_sweep_over_its_outlines_waits_until_it_is_put_below(review, store):
    layers = review.viewer.layers
    layers.move(0, len(layers))
    review.do(Action.LABEL_OPTIMAL)
    assert "the sweep lies over its outlines" in review.page.analysis.error.text()
    assert store.events() == []
    review.page.analysis.front.click()
    review.do(Action.LABEL_OPTIMAL)
    assert len(store.events()) == 1


def test_why_the_review_waits_is_said_at_once_and_no_longer_than_true(review, qtbot):
    panel = review.page.analysis
    review.viewer.dims.order = (1, 0, 2)
    qtbot.waitUntil(lambda: panel.error.text().startswith("The review waits: the axes"))
    qtbot.waitUntil(lambda: not panel.front.visibleRegion().isEmpty())  # not below the fold
    review.viewer.dims.order = (0, 1, 2)
    qtbot.waitUntil(lambda: panel.error_box.isHidden())


def test_a_foreign_layer_that_is_chosen_takes_no_key_from_the_review(review, store, press):
    from qtpy.QtCore import Qt

    foreign = review.viewer.add_labels(np.zeros((40, 50), np.uint8), name="theirs")
    review.viewer.layers.selection.active = foreign
    press(review, Qt.Key.Key_1)
    press(review, Qt.Key.Key_P)
    assert len(store.events()) == 1
    assert review.viewer.layers.selection.active is review.presenter.view.overlay.layer


def test_place_and_sweep_are_kept_when_all_layers_are_cleared(review, phantom, qtbot):
    review.presenter.actions.go(23)
    review.viewer.layers.clear()
    qtbot.waitUntil(lambda: review.welcome.again.isVisible(), timeout=20 * SECONDS)
    assert review.welcome.again.text() == f"Open {phantom.sweep.name} again"
    review.welcome.again.click()
    qtbot.waitUntil(lambda: review.presenter is not None, timeout=20 * SECONDS)
    assert review.presenter.view.navigator.frame == 23


def test_the_first_sweep_is_seen_again_when_the_second_is_removed(review, show, phantom, qtbot):
    from napari_fetal_iqa.phantom import PhantomSettings, make_phantom

    first, before = review.layer, review.presenter
    second = make_phantom(PhantomSettings.small(), seed=4).sweep
    layer = show(review, second)
    qtbot.waitUntil(lambda: review.presenter not in (None, before), timeout=20 * SECONDS)
    assert not first.visible
    review.viewer.layers.remove(layer)
    qtbot.waitUntil(
        lambda: review.presenter is not None and review.layer is first, timeout=20 * SECONDS
    )
    assert first.visible
    assert review.presenter.view.unseen_because() == ""
    assert review.presenter.session.sweep.identity == phantom.sweep.identity


def test_a_key_between_the_deletion_of_the_outlines_and_their_return_does_no_harm(review, qtbot):
    presenter = review.presenter
    review.viewer.layers.remove(presenter.view.overlay.layer)
    for action in (Action.LOOK, Action.PAINT, Action.ELLIPSE, Action.CINE_FORWARD):
        review.do(action)
    qtbot.waitUntil(lambda: review.presenter not in (None, presenter))
    review.do(Action.PAINT)
    assert review.presenter.view.tool == "paint"
