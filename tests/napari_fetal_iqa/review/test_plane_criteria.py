"""The criteria under review: what is said overrules what the outline tells, and undo takes back."""

import numpy as np
import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.sweep import SweepVolume

PLACED, STOMACH, FILLS = Criterion.ELLIPSE_PLACED, Criterion.STOMACH, Criterion.FILLS_IMAGE


@pytest.fixture
def session(tmp_path):
    frames = np.full((4, 80, 100), 90, np.uint8) + np.arange(4, dtype=np.uint8)[:, None, None]
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        yield ReviewSession(SweepVolume(frames, (0.5, 0.5)), store, "AK")


def test_what_the_reviewer_says_overrules_what_the_outline_tells(session):
    assert session.criteria.of(2).words == "0 of 6, 6 not judged"
    session.set_mask(2, Ellipse((20, 25), (15, 14), 0).mask((80, 100), (0.5, 0.5)))
    plane = session.criteria.of(2)
    assert plane.verdicts == {FILLS: True, PLACED: True}
    assert plane.is_computed(PLACED)
    session.criteria.judge(2, PLACED, False)
    session.criteria.judge(2, STOMACH, True)
    plane = session.criteria.of(2)
    assert plane.verdicts == {STOMACH: True, FILLS: True, PLACED: False}
    assert not plane.is_computed(PLACED)
    assert plane.words == "2 of 6, 3 not judged"
    session.set_label([2], Label.NONE)  # nothing is outlined any more: what was said stays
    assert session.criteria.of(2).verdicts == {STOMACH: True, PLACED: False}


def test_a_key_goes_from_met_to_not_met_to_not_judged_and_undo_goes_back(session):
    told = []
    session.frames_changed.connect(told.append)
    words = []
    for _ in range(4):
        word = session.criteria.next_word(1, STOMACH)
        words.append(word)
        session.criteria.judge(1, STOMACH, word)
    assert words == [True, False, None, True]
    assert told == [(1,)] * 4
    assert session.undo() == (1,)
    assert session.criteria.of(1).said == {}
    assert session.all_verdicts() == {}
    assert session.undo() == (1,)
    assert session.all_verdicts() == {1: {STOMACH: False}}
