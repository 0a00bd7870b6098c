"""Two desks on one store: each shows what the other wrote, while it is open."""

import numpy as np
import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.widgets.viewer.mask_layer import EXPERT_VALUE

pytestmark = pytest.mark.gui

SECONDS = 1000


def ellipse(sweep):
    return Ellipse((70, 90), (20, 30), 0).mask(sweep.shape[1:], (1, 1))


@pytest.fixture
def other_desk(review, store):
    with CorrectionStore(store.path) as there:
        yield there


def test_what_another_desk_corrects_appears_everywhere_within_seconds(
    review, other_desk, phantom, qtbot
):
    sweep, presenter = phantom.sweep, review.presenter
    presenter.actions.go(12)
    other_desk.set_label(sweep.identity, 12, Label.OPTIMAL, "AK")
    other_desk.set_mask(sweep.identity, 12, ellipse(sweep), "AK")
    qtbot.waitUntil(lambda: "1 frame corrected" in review.page.saved.text(), timeout=20 * SECONDS)
    overlay = presenter.view.overlay.layer
    assert np.array_equal(overlay.data[12] == EXPERT_VALUE, ellipse(sweep))
    assert review.page.frame.label_buttons[Label.OPTIMAL].isChecked()
    assert review.timeline._data.labels[12] == Label.OPTIMAL

    assert not review.page.reviewers.isVisible()
    other_desk.set_label(sweep.identity, 20, Label.NONE, "BM")
    other_desk.set_fully_reviewed(sweep.identity, "AK", True)
    qtbot.waitUntil(review.page.reviewers.isVisible, timeout=20 * SECONDS)
    qtbot.waitUntil(review.page.reviewed.isChecked, timeout=20 * SECONDS)
    presenter.actions.undo()
    assert "Nothing to undo" in review.page.analysis.error.text()
    assert len(presenter.session.corrections()) == 1


def test_who_is_compared_with_stays_so_when_another_reviewer_appears(
    review, other_desk, phantom, qtbot
):
    sweep, choice = phantom.sweep, review.page.reviewers.choice
    other_desk.set_label(sweep.identity, 20, Label.NONE, "DE")
    qtbot.waitUntil(lambda: choice.count() == 3, timeout=20 * SECONDS)
    choice.setCurrentIndex(2)
    choice.activated.emit(2)
    review.presenter.actions.go(20)
    review.presenter.actions.label_optimal()
    assert review.timeline._data.disagreements == (20,)
    other_desk.set_label(sweep.identity, 21, Label.NONE, "BM")
    qtbot.waitUntil(lambda: choice.count() == 5, timeout=20 * SECONDS)
    assert choice.currentText() == "Where DE disagrees"
    other_desk.set_label(sweep.identity, 20, Label.OPTIMAL, "DE")
    qtbot.waitUntil(lambda: review.timeline._data.disagreements == (), timeout=20 * SECONDS)


def news_of(review, other_desk, phantom, frame, qtbot):
    """Let the other desk outline a frame, and wait until it is known here."""
    other_desk.set_mask(phantom.sweep.identity, frame, ellipse(phantom.sweep), "AK")
    session = review.presenter.session
    qtbot.waitUntil(lambda: frame in session.corrections(), timeout=20 * SECONDS)


def test_a_stroke_that_is_being_drawn_is_not_painted_over(review, other_desk, phantom, qtbot):
    overlay = review.presenter.view.overlay
    review.presenter.actions.go(12)
    review.presenter.actions.paint()
    drag = overlay._watch_drag(overlay.layer, type("Event", (), {"type": "mouse_press"}))
    next(drag)
    overlay.layer.data_setitem((np.array([12]), np.array([5]), np.array([6])), EXPERT_VALUE)
    news_of(review, other_desk, phantom, 12, qtbot)
    assert (overlay.layer.data[12] > 0).sum() == 1
    with pytest.raises(StopIteration):
        next(drag)  # released
    qtbot.waitUntil(lambda: review.presenter.session.mask(12).sum() == 1)
    assert (overlay.layer.data[12] > 0).sum() == 1


def test_diameters_that_are_being_clicked_are_kept(review, other_desk, phantom, qtbot):
    ellipse_tool = review.presenter.view.ellipse
    review.presenter.actions.go(12)
    review.presenter.actions.ellipse()
    ellipse_tool._click(np.array([20.0, 30.0]))
    ellipse_tool._click(np.array([40.0, 30.0]))
    news_of(review, other_desk, phantom, 12, qtbot)
    qtbot.waitUntil(lambda: review.presenter.idle_queue.idle)
    assert len(ellipse_tool._clicked) == 2
    ellipse_tool._click(np.array([30.0, 20.0]))
    ellipse_tool._click(np.array([30.0, 40.0]))
    assert review.presenter.session.mask(12).sum() != ellipse(phantom.sweep).sum()


def test_a_sweep_that_is_opened_again_shows_what_was_written_meanwhile(
    review, show, other_desk, phantom, qtbot
):
    review.viewer.layers.remove(review.layer)
    qtbot.waitUntil(lambda: len(review.viewer.layers) == 0)
    other_desk.set_label(phantom.sweep.identity, 12, Label.OPTIMAL, "AK")
    show(review, phantom.sweep)
    assert "1 frame corrected" in review.page.saved.text()
