"""The phantom shows its first frame at once, how far it is, and can be cancelled."""

import threading

import pytest

from napari_fetal_iqa.phantom import PhantomSettings
from napari_fetal_iqa.phantom.simulation import Simulation
from napari_fetal_iqa.storage import paths

SECONDS = 1000


@pytest.fixture
def held(monkeypatch):
    """A small demo phantom of which what is shown first is rendered, the rest when it is let go."""
    small = PhantomSettings.small()
    monkeypatch.setattr(PhantomSettings, "demo", classmethod(lambda cls: small))
    let_go = threading.Event()
    render = Simulation.render
    shown = (0, (small.n_frames - 1) // 2)

    def held_render(self, index):
        if index not in shown:
            assert let_go.wait(40)
        return render(self, index)

    monkeypatch.setattr(Simulation, "render", held_render)
    yield let_go
    let_go.set()


def open_it(widget, how):
    if how == "button":
        widget.welcome.phantom.click()
    else:
        widget.viewer.open_sample("napari-fetal-iqa", "phantom_demo")


@pytest.mark.parametrize("how", ["button", "sample"])
def test_it_is_seen_while_it_is_simulated_and_then_reviewed(
    window, tiny_settings, held, qtbot, how
):
    widget = window()
    open_it(widget, how)
    qtbot.waitUntil(lambda: widget.layer is not None, timeout=20 * SECONDS)
    panel = widget.page.analysis
    assert widget.layer.data.done == 2
    assert widget.viewer.dims.current_step[0] == 0
    assert widget.layer._slice.image.raw.max() > 0
    assert panel.doing.text() == "Simulating the phantom, 2/60 frames"
    qtbot.waitUntil(panel.bar.isVisible, timeout=20 * SECONDS)
    qtbot.waitUntil(
        lambda: not panel.cancel.visibleRegion().isEmpty(), timeout=20 * SECONDS
    )  # not below the fold
    held.set()
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=60 * SECONDS)
    assert "Simulating" not in panel.doing.text()
    assert widget.presenter.session.sweep.name == "phantom"
    qtbot.waitUntil(lambda: bool(list(paths.cache().glob("*.mha"))), timeout=60 * SECONDS)


def test_cancel_closes_it_and_simulates_no_further_frame(window, tiny_settings, held, qtbot):
    widget = window()
    open_it(widget, "button")
    qtbot.waitUntil(lambda: widget.layer is not None, timeout=20 * SECONDS)
    frames = widget.layer.data
    widget.page.analysis.cancel.click()
    assert not widget.viewer.layers
    assert frames.cancelled
    qtbot.waitUntil(lambda: widget._pages.currentWidget() is widget.welcome, timeout=20 * SECONDS)
    assert not widget.welcome.error.text()
    assert widget.welcome.phantom.isEnabled()
    held.set()
    open_it(widget, "button")  # and it can be had again
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=60 * SECONDS)
    assert frames.done < len(frames)


def test_a_frame_that_is_not_simulated_yet_is_black_and_says_so_until_it_is_there(
    window, tiny_settings, held, qtbot
):
    widget = window()
    open_it(widget, "button")
    qtbot.waitUntil(lambda: widget.layer is not None, timeout=20 * SECONDS)
    layer, frames = widget.layer, widget.layer.data
    widget.viewer.dims.set_current_step(0, 40)  # returns, though no frame is rendered
    assert layer._slice.image.raw.max() == 0
    assert frames.missing == 40
    qtbot.waitUntil(lambda: "being simulated" in widget.caption.text, timeout=20 * SECONDS)
    widget.viewer.dims.set_current_step(0, 29)
    assert layer._slice.image.raw.max() > 0
    qtbot.waitUntil(lambda: not widget.caption.text, timeout=20 * SECONDS)
    widget.viewer.dims.set_current_step(0, 40)
    held.set()
    qtbot.waitUntil(lambda: layer._slice.image.raw.max() > 0, timeout=60 * SECONDS)
    assert frames.missing is None
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=60 * SECONDS)
    assert "simulated" not in widget.caption.text
