"""Other people's layers and views: nothing is stored for a frame that nobody sees."""

import numpy as np
import pytest

from napari_fetal_iqa.widgets.shortcuts import Action

pytestmark = pytest.mark.gui

SECONDS = 1000


def cover(desk):
    desk.viewer.add_image(np.ones((200, 300), np.float32), name="a picture")


def exchange_axes(desk):
    desk.viewer.dims.order = (1, 0, 2)


def show_in_3d(desk):
    desk.viewer.dims.ndisplay = 3


def hide(desk):
    desk.layer.visible = False


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
    desk, store, phantom, disturb, reason
):
    disturb(desk)
    for action in (Action.LABEL_OPTIMAL, Action.CLEAR_MASK, Action.ACCEPT_AND_NEXT):
        desk.do(action)
    assert store.corrections(phantom.sweep.identity) == {}
    panel = desk.page.analysis
    assert panel.error.text() == f"Nothing was changed: {reason}"
    assert panel.front.isVisibleTo(desk.page)

    panel.front.click()
    assert not panel.error_box.isVisibleTo(desk.page)
    desk.do(Action.LABEL_OPTIMAL)
    assert len(store.corrections(phantom.sweep.identity)) == 1


def test_a_layer_that_can_be_seen_through_is_no_hindrance(desk, store, phantom):
    desk.viewer.add_image(np.ones((200, 300), np.float32), blending="additive")
    desk.viewer.add_points(np.zeros((3, 2)))
    desk.do(Action.LABEL_OPTIMAL)
    assert len(store.corrections(phantom.sweep.identity)) == 1


@pytest.mark.parametrize("name", ["Abdomen", "Calipers"])
def test_a_layer_of_ours_that_is_deleted_comes_back_with_everything_as_it_was(
    desk, qtbot, phantom, name
):
    desk.presenter.analyse()
    qtbot.waitUntil(lambda: not desk.runner.running, timeout=120 * SECONDS)
    desk.do(Action.LABEL_OPTIMAL)
    done, before = desk.page.analysis.doing.text(), desk.presenter
    desk.viewer.layers.remove(desk.viewer.layers[name])
    qtbot.waitUntil(lambda: desk.presenter not in (None, before), timeout=20 * SECONDS)
    assert [layer.name for layer in desk.viewer.layers][1:] == ["Abdomen", "Calipers"]
    assert desk.page.analysis.doing.text() == done
    assert desk.presenter.session.analysis.complete
    assert "1 frame corrected, saved" in desk.page.saved.text()
    assert desk.page.frame.isEnabled()


def test_an_analysis_goes_on_while_a_layer_is_put_back(desk, qtbot, analyser, monkeypatch):
    import threading

    run, deleted = analyser.run, threading.Event()

    def run_until_deleted(sweep, queue):
        results = run(sweep, queue)
        yield next(results)
        deleted.wait(60)
        yield from results

    monkeypatch.setattr(analyser, "run", run_until_deleted)
    desk.presenter.analyse()
    before = desk.presenter
    qtbot.waitUntil(
        lambda: before.session.analysis is not None and before.session.analysis.computed.any(),
        timeout=120 * SECONDS,
    )
    desk.viewer.layers.remove(desk.viewer.layers["Abdomen"])
    qtbot.waitUntil(lambda: desk.presenter not in (None, before), timeout=20 * SECONDS)
    assert desk.runner.running
    assert desk.page.analysis.bar.isVisibleTo(desk.page)
    deleted.set()
    qtbot.waitUntil(lambda: not desk.runner.running, timeout=120 * SECONDS)
    assert desk.presenter.session.analysis.complete
    assert desk.page.analysis.doing.text().startswith("Analysed")
