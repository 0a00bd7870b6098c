"""The status bar says what keys do: ours while the review is active, whatever napari writes."""

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLabel

from napari_fetal_iqa.widgets.viewer.compat import main_window
from napari_fetal_iqa.widgets.viewer.status_keys import without_our_keys

Key = Qt.Key


def read_in_status_bar(review):
    """All that somebody can read there of keys: ours, and what napari puts beside it."""
    QApplication.processEvents()
    bar = main_window(review.viewer).statusBar()
    seen = [one for one in bar.findChildren(QLabel) if one.isVisible() and one.width() > 100]
    texts = [one.text() for one in seen if one.accessibleName().startswith("Keys")]
    texts += [one.text() for one in seen if one.objectName() == "help status"]
    return ", ".join(text for text in texts if text)


def hover(review):
    """Move the pointer over the frame, of which napari tells its window in this way."""
    below = {"layer_base": "case", "source_type": "", "plugin": "", "coordinates": " [1 2 3]: 90"}
    main_window(review.viewer).set_status_and_tooltip((below, ""))


def test_our_keys_stay_whatever_the_pointer_the_tool_and_the_layer_are(review, press):
    overlay = review.presenter.view.overlay.layer
    for key in (None, Key.Key_P, Key.Key_G, Key.Key_L, Key.Key_M, Key.Key_Escape):
        if key is not None:
            press(review, key)
        for leave in (lambda: None, lambda: hover(review)):
            leave()
            read = read_in_status_bar(review)
            assert read.startswith("1 optimal, 2 suboptimal, 0 no abdomen")
            assert "<" not in read
    for layer in (overlay, review.layer, None):
        review.viewer.layers.selection.active = layer
        assert "? all keys" in read_in_status_bar(review)
        hover(review)
        review.viewer.update_status_from_cursor()
        read = read_in_status_bar(review)
        assert "? all keys" in read
        assert "<" not in read
    review.toggle_keys()  # the page of keys in the panel's place
    assert "? all keys" in read_in_status_bar(review)


def test_each_tool_says_what_ends_it_and_nothing_of_the_tool_before(review, press):
    press(review, Key.Key_G)
    assert "Enter accept" not in read_in_status_bar(review)  # it would be the frame
    polygon = review.presenter.view.overlay.layer._overlays["polygon"]
    polygon.points = [[review.presenter.view.navigator.frame, 3, 3]] * 2
    assert read_in_status_bar(review).startswith("Enter close the polygon, Shift+Enter add it")
    press(review, Key.Key_Escape)
    assert "Enter accept" in read_in_status_bar(review)
    press(review, Key.Key_L)
    assert "one diameter" in review.caption.text
    press(review, Key.Key_G)
    assert review.caption.text == ""  # nothing of the tool before
    press(review, Key.Key_Escape)
    press(review, Key.Key_J)
    assert read_in_status_bar(review).startswith("J stop, ")
    press(review, Key.Key_J)
    assert "J stop" not in read_in_status_bar(review)


def test_a_sweep_that_is_opened_again_has_them_too(review, qtbot):
    sweep = review.presenter.session.sweep
    review.viewer.layers.remove(review.layer)
    qtbot.waitUntil(lambda: review.layer is None)
    assert "1 optimal" not in read_in_status_bar(review)
    review._show_sweep(sweep)
    qtbot.waitUntil(lambda: review.presenter is not None)
    hover(review)
    assert "1 optimal" in read_in_status_bar(review)


def test_of_napari_s_own_keys_there_is_left_what_is_true(review):
    other = review.viewer.add_labels(np.zeros((4, 4), np.uint8), name="of somebody else")
    assert review.viewer.layers.selection.active is other
    naparis = other.help
    assert "<1>" in naparis  # which labels the frame now
    read = read_in_status_bar(review)
    assert "1 optimal" in read
    assert "<1>" not in read
    review.hide()
    assert "1 optimal" not in read_in_status_bar(review)
    assert review.viewer.help == naparis
    review.show()
    assert "1 optimal" in read_in_status_bar(review)


def test_what_speaks_of_our_keys_is_taken_out():
    naparis = "use <1> for erase, use <L> for pick, use <F7> for paint, use <enter> for end"
    assert without_our_keys(naparis) == "use <F7> for paint"
    assert without_our_keys("additive blending") == "additive blending"
