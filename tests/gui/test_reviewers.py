"""Two reviewers of one sweep, and a review that goes on where it was left."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.widgets.viewer.mask_layer import EXPERT_VALUE

SECONDS = 1000


def ellipse(shape, rows, columns):
    return Ellipse((70, 90), (columns, rows), 0).mask(shape, (1, 1))


@pytest.fixture
def two(window, show, tiny_settings, phantom, store):
    """AK at the review; BM corrected frames 10 and 11 before."""
    sweep = phantom.sweep
    shape = sweep.shape[1:]
    store.add_sweep(sweep)
    store.set_label(sweep.identity, [10, 11], Label.OPTIMAL, "BM")
    store.set_mask(sweep.identity, 10, ellipse(shape, 30, 20), "BM")
    store.set_label(sweep.identity, [10, 11], Label.OPTIMAL, "AK")
    store.set_label(sweep.identity, 11, Label.NONE, "AK")
    store.set_mask(sweep.identity, 10, ellipse(shape, 30, 32), "AK")
    widget = window()
    show(widget, sweep)
    return widget


def choose(widget, text):
    choice = widget.page.reviewers.choice
    index = choice.findText(text)
    assert index >= 0, [choice.itemText(i) for i in range(choice.count())]
    choice.setCurrentIndex(index)
    choice.activated.emit(index)


def test_one_reviewer_alone_is_not_asked_whose_corrections_to_show(review):
    assert not review.page.reviewers.isVisible()


def test_what_the_other_corrected_is_shown_and_cannot_be_changed(two, phantom, store):
    widget, shape = two, phantom.sweep.shape[1:]
    choose(widget, "Corrections of BM")
    widget.presenter.actions.go(10)
    layer = widget.presenter.view.overlay.layer
    assert np.array_equal(layer.data[10] == EXPERT_VALUE, ellipse(shape, 30, 20))
    before = len(store.events())
    widget.presenter.actions.label_none()
    assert "show yours" in widget.page.analysis.error.text()
    with layer.block_history():  # as one stroke, reported when it is done
        layer.data_setitem((np.array([10]), np.array([5]), np.array([5])), EXPERT_VALUE)
    QApplication.processEvents()
    assert not layer.data[10, 5, 5]
    assert len(store.events()) == before
    choose(widget, "Corrections of AK")
    assert np.array_equal(layer.data[10] == EXPERT_VALUE, ellipse(shape, 30, 32))
    widget.presenter.actions.label_none()
    assert len(store.events()) == before + 1


def test_where_they_disagree_is_marked_and_walked_over(two, qtbot):
    widget = two
    choose(widget, "Where BM disagrees")
    panel = widget.page.reviewers
    assert "2 labels, kappa 0.00" in panel.agreement.text()
    assert "1 outline, Dice" in panel.agreement.text()
    assert list(widget.timeline._data.disagreements) == [10, 11]
    widget.presenter.actions.go(30)
    widget.presenter.actions.go_next_to_review()
    assert widget.presenter.view.navigator.frame == 10
    qtbot.waitUntil(
        lambda: widget.presenter.view.reviewer_outline.layer is not None, timeout=5 * SECONDS
    )
    other = widget.presenter.view.reviewer_outline.layer
    assert other.data.sum() == pytest.approx(np.pi * 30 * 20, rel=0.03)
    widget.presenter.actions.go_next_to_review()
    assert widget.presenter.view.navigator.frame == 11
    qtbot.waitUntil(
        lambda: not widget.presenter.view.reviewer_outline.layer.data.any(), timeout=5 * SECONDS
    )
    widget.presenter.actions.label_optimal()
    assert list(widget.timeline._data.disagreements) == [10]
    choose(widget, "Corrections of AK")
    qtbot.waitUntil(lambda: other not in widget.viewer.layers, timeout=5 * SECONDS)
    assert not panel.agreement.isVisible()


def test_a_review_goes_on_where_it_was_left(review, show, phantom, qtbot):
    review.presenter.analyse()
    qtbot.waitUntil(lambda: not review.runner.running, timeout=120 * SECONDS)
    review.presenter.actions.set_thresholds(0.9, 0.05)
    review.presenter.actions.go(37)
    review.viewer.layers.remove(review.layer)
    qtbot.waitUntil(lambda: len(review.viewer.layers) == 0)
    show(review, phantom.sweep)
    assert review.presenter.view.navigator.frame == 37
    review.presenter.analyse()
    qtbot.waitUntil(lambda: not review.runner.running, timeout=120 * SECONDS)
    qtbot.waitUntil(lambda: review.timeline._data.quality_threshold == pytest.approx(0.9))
    review.timeline.thresholds_reset.emit()
    assert review.timeline._data.quality_threshold == pytest.approx(0.5)


def test_fill_and_polygon_correct_the_mask_too(review, store, press):
    """Of these two napari tells before the mask has them."""
    review.presenter.actions.go(12)
    review.presenter.actions.polygon()
    layer = review.presenter.view.overlay.layer
    layer._overlays["polygon"].points = [
        *([12, 30, 40], [12, 30, 120], [12, 100, 120], [12, 100, 40]),
        [12, 5, 5],  # where the pointer is
    ]
    press(review, Qt.Key.Key_Return)
    QApplication.processEvents()
    assert review.presenter.session.mask(12).sum() == pytest.approx(71 * 81, rel=0.03)
    assert review.presenter.view.navigator.frame == 12
    review.presenter.actions.fill()
    layer.fill((12, 5, 5), EXPERT_VALUE)
    review.presenter.view.paint([12])  # results that come in now do not paint over it
    QApplication.processEvents()
    assert review.presenter.session.mask(12).all()
    assert [event.kind.value for event in store.events()] == ["mask", "mask"]


def test_a_fill_just_before_closing_is_not_lost(review, store, phantom):
    review.presenter.actions.go(12)
    review.presenter.view.overlay.layer.fill((12, 5, 5), EXPERT_VALUE)
    review.close()
    assert sorted(store.corrections(phantom.sweep.identity)) == [12]


def test_a_sweep_is_marked_as_fully_reviewed(review, store, phantom):
    identity = phantom.sweep.identity
    assert not review.page.reviewed.isChecked()
    review.page.reviewed.click()
    assert store.fully_reviewed(identity) == ["AK"]
    review.page.reviewed.click()
    assert store.fully_reviewed(identity) == []
