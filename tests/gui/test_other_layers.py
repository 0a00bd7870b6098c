"""Other people's layers and views: nothing is stored for a frame that nobody sees."""

import numpy as np
import pytest

from napari_fetal_iqa.widgets.shortcuts import Action

pytestmark = pytest.mark.gui

SECONDS = 1000


def cover(review):
    review.viewer.add_image(np.ones((200, 300), np.float32), name="a picture")


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
    review.do(Action.LABEL_OPTIMAL)
    assert len(store.corrections(phantom.sweep.identity)) == 1


@pytest.mark.parametrize("name", ["Abdomen", "Calipers"])
def test_a_layer_of_ours_that_is_deleted_comes_back_with_everything_as_it_was(
    review, qtbot, phantom, name
):
    review.presenter.analyse()
    qtbot.waitUntil(lambda: not review.runner.running, timeout=120 * SECONDS)
    review.do(Action.LABEL_OPTIMAL)
    done, before = review.page.analysis.doing.text(), review.presenter
    review.viewer.layers.remove(review.viewer.layers[name])
    qtbot.waitUntil(lambda: review.presenter not in (None, before), timeout=20 * SECONDS)
    qtbot.waitUntil(
        lambda: [layer.name for layer in review.viewer.layers][1:] == ["Abdomen", "Calipers"]
    )
    assert review.page.analysis.doing.text() == done
    assert review.presenter.session.analysis.complete
    assert "1 frame corrected, saved" in review.page.saved.text()
    assert review.page.frame.isEnabled()


def test_an_analysis_goes_on_while_a_layer_is_put_back(review, qtbot, analyser, monkeypatch):
    import threading

    run, deleted = analyser.run, threading.Event()

    def run_until_deleted(sweep, queue):
        results = run(sweep, queue)
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
