"""The words below the frame can be read, whatever the theme, and soon."""

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_fetal_iqa.widgets import demo
from napari_fetal_iqa.widgets.viewer.caption import Caption
from napari_fetal_iqa.widgets.viewer.ellipse_tool import HINT

NARROWEST_CANVAS_PX = 298
"""In the narrowest window that napari's docks allow."""


def shown(review, qtbot, words):
    """Show this on the bare canvas; return a picture of its lower left corner, (rows, columns)."""
    viewer, text = review.viewer, review.caption
    viewer.layers[0].visible = False
    text.show(words)
    qtbot.waitUntil(lambda: text.settled, timeout=20_000)
    canvas = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int).sum(2)
    return canvas[-90:]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_words_are_legible_in_either_theme(review, qtbot, theme):
    review.viewer.theme = theme
    assert np.ptp(shown(review, qtbot, "AC 123.4 mm")[-40:, :200]) > 300


@pytest.mark.parametrize("words", ["AC 388.8 mm\n128.8 × 118.8 mm", HINT])
def test_the_longest_words_fit_on_the_narrowest_canvas(review, qtbot, words):
    corner = shown(review, qtbot, words)
    written = np.flatnonzero(np.ptp(corner, axis=0) > 100)
    assert 100 < written.max() < NARROWEST_CANVAS_PX


def test_letters_that_are_waited_for_are_drawn_first(qtbot):
    text = Caption(ViewerModel(), soon="click\nhere")
    text.begin()
    text.show("he\nhe")
    for _ in "he":
        assert not text.settled
        text._draw_letter()
    text._draw_letter()
    assert text.settled
    text.end()


def test_the_demos_picture_waits_for_the_words(qtbot, monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "_SETTLE_MS", 5)
    caption, taken = SimpleNamespace(settled=False), []
    viewer = SimpleNamespace(
        screenshot=lambda *_, **__: taken.append(caption.settled),
        close=lambda: taken.append("closed"),
    )
    widget = SimpleNamespace(caption=caption, do=lambda action: taken.append(action))
    demo._finish(viewer, widget, tmp_path / "picture.png")
    qtbot.wait(50)
    assert taken == ["go_best"]
    caption.settled = True
    qtbot.waitUntil(lambda: "closed" in taken)
    assert taken == ["go_best", True, "closed"]


def test_without_words_there_is_no_box(qtbot):
    viewer = ViewerModel()
    caption, overlay = Caption(viewer), viewer.canvas.overlays.text
    caption.begin()
    assert not overlay.box  # while letters are drawn unseen
    while caption._letters.isActive():
        assert not overlay.box
        caption._draw_letter()
    assert not overlay.box
    caption.show("AC 200.0 mm")
    assert overlay.box
    caption.show("")
    assert not overlay.box
    caption.end()


def lower_edge(review):
    """How far above the canvas's lower edge the words end, in pixels, and their height."""
    canvas = review.viewer.window._qt_viewer.canvas
    (drawn,) = canvas._viewer_overlay_to_visual[review.viewer.canvas.overlays.text]
    return canvas.size[0] - drawn.node.transform.translate[1] - drawn.y_size, drawn.y_size


def test_the_words_stand_above_the_lower_edge_before_anything_is_drawn(review, qtbot):
    caption = review.caption
    qtbot.waitUntil(lambda: caption._ready and caption.settled, timeout=20_000)
    caption.show("AC 200.0 mm")
    above, one_line = lower_edge(review)
    caption.show("AC 200.0 mm\n60.0 × 66.0 mm")
    assert lower_edge(review) == pytest.approx((above, 2 * one_line), rel=0.3)
    canvas = review.viewer.window._qt_viewer.canvas
    before = canvas.size
    review.viewer.canvas.size = (before[0] - 40, before[1])  # as a dock below it takes its room
    assert canvas.size[0] == before[0] - 40
    assert lower_edge(review)[0] == pytest.approx(above, abs=0.01)
    assert above > 0


def test_beginning_and_ending_twice_is_no_more_than_once(qtbot):
    viewer = ViewerModel()
    caption = Caption(viewer)
    listeners = len(viewer.canvas.events.size.callbacks)
    for _ in range(2):
        caption.begin()
    assert len(viewer.canvas.events.size.callbacks) == listeners + 1
    for _ in range(2):
        caption.end()
    assert len(viewer.canvas.events.size.callbacks) == listeners
