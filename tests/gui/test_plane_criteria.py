"""The six criteria at the desk: a key or a box, filled in where computed, seen on the timeline."""

import numpy as np
from qtpy.QtCore import Qt

from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.criteria import Criterion

SECONDS = 1000
CTRL = Qt.KeyboardModifier.ControlModifier
STOMACH, KIDNEYS, FILLS = Criterion.STOMACH, Criterion.NO_KIDNEYS, Criterion.FILLS_IMAGE
MET, NOT_MET, OPEN = (
    Qt.CheckState.Checked,
    Qt.CheckState.Unchecked,
    Qt.CheckState.PartiallyChecked,
)


def test_a_plane_is_judged_by_keys_and_boxes(review, press, store, phantom, qtbot):
    widget, identity = review, phantom.sweep.identity
    panel, actions = widget.page.criteria, widget.presenter.actions
    actions.go(20)
    press(widget, Qt.Key.Key_2, CTRL)  # folded away, the key judges all the same
    assert store.verdicts(identity, "AK") == {20: {STOMACH: True}}
    assert "Plane score 1 of 6, 5 not judged" in widget.page.analysis.error.text()
    panel.expand(animate=False)
    assert panel.boxes[STOMACH].checkState() == MET
    assert panel.boxes[KIDNEYS].checkState() == OPEN
    assert "not judged" in panel.boxes[KIDNEYS].accessibleName()
    assert "[Ctrl+4]" in panel.boxes[KIDNEYS].toolTip()

    mask = np.zeros(phantom.sweep.shape[1:], bool)
    rows, columns = (side // 2 for side in mask.shape)
    mask[rows - 4 : rows + 4, columns - 4 : columns + 4] = True
    actions.stroke(20, mask)
    qtbot.waitUntil(lambda: panel.boxes[FILLS].checkState() == NOT_MET, timeout=20 * SECONDS)
    assert panel.sources[FILLS].text() == "computed"
    assert "computed from the outline" in panel.boxes[FILLS].accessibleName()
    panel.boxes[FILLS].click()  # judged: no longer computed
    assert panel.boxes[FILLS].checkState() == MET
    assert panel.sources[FILLS].text() == "Ctrl+5"
    assert panel.score.text() == "Score <b>2 of 6, 3 not judged</b>"

    spots = widget.timeline._points.spots
    qtbot.waitUntil(lambda: [one.data() for one in spots.points()] == [2], timeout=20 * SECONDS)
    assert [one.pos().x() for one in spots.points()] == [20]
    widget.presenter.actions.undo()
    qtbot.waitUntil(lambda: panel.boxes[FILLS].checkState() == NOT_MET, timeout=20 * SECONDS)

    actions.go(21)
    qtbot.waitUntil(lambda: panel.boxes[STOMACH].checkState() == OPEN, timeout=20 * SECONDS)
    with CorrectionStore(store.path) as reopened:
        assert reopened.verdicts(identity, "AK") == {20: {STOMACH: True}}


def test_the_panel_says_how_far_reviewers_agree_on_each_criterion(review, store, phantom, qtbot):
    identity = phantom.sweep.identity
    for frame, other in ((3, True), (4, False)):
        store.judge(identity, frame, STOMACH, True, "AK")
        store.judge(identity, frame, STOMACH, other, "BM")
    review.presenter._offer_reviewers()
    review.presenter._compare_with("BM")
    assert "stomach bubble visible 1 of 2" in review.page.reviewers.agreement.text()
