"""A review in progress, without a window."""

import numpy as np
import pytest

from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, FrameResults, ModelRef
from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.masks import encode_mask
from napari_fetal_iqa.review import ReviewSession, Source
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (64, 80)
CLS = ModelRef(id="cls-0000", hash="0" * 64, name="quality")
SEG = ModelRef(id="seg-1111", hash="1" * 64, name="outline")
FOUND = (3, 4, 12)


def disc(radius):
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return (rows - 32) ** 2 + (columns - 40) ** 2 <= radius**2


@pytest.fixture
def sweep():
    frames = np.random.default_rng(0).integers(1, 255, (20, *SHAPE), dtype=np.uint8)
    return SweepVolume(frames, spacing_mm=(0.5, 0.5), bounds=((0, 10), (10, 20)))


@pytest.fixture
def session(tmp_path, sweep):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        yield ReviewSession(sweep, store, "AK")


@pytest.fixture
def analysed(session):
    """A session in which both models found the abdomen on three frames."""
    session.begin_analysis(Analysis(session.sweep, AnalysisSetup(CLS, SEG)))
    frames = np.arange(20)
    found = np.isin(frames, FOUND)
    session.add_results(
        FrameResults(
            frames=frames,
            quality=np.where(found, 0.9, 0.1).astype(np.float32),
            area_fraction=np.where(found, 0.1, 0.0).astype(np.float32),
            masks=tuple(encode_mask(disc(20) if f in FOUND else disc(-1)) for f in frames),
            ac_mm=np.where(found, 63.0, np.nan),
            lit=np.ones(20, bool),
            seconds={},
        )
    )
    return session


@pytest.fixture
def told(analysed):
    """Frames that the session asked to paint anew, call by call."""
    calls = []
    analysed.frames_changed.connect(calls.append)
    return calls


def test_before_the_analysis_nobody_has_spoken(session):
    view = session.view(12)
    assert (view.sweep, view.frame_in_sweep) == (1, 2)
    assert view.quality is None
    assert view.label is None
    assert view.label_source is view.mask_source is Source.NOBODY
    assert session.to_review() == []
    assert session.next_to_review(0) is None
    assert session.best_frame() == -1


def test_results_without_an_analysis_are_a_mistake(session):
    with pytest.raises(RuntimeError):
        session.add_results(None)


def test_the_models_word_stands_until_the_expert_speaks(analysed, told):
    view = analysed.view(3)
    assert view.quality == pytest.approx(0.9)
    assert (view.label, view.label_source) == (Label.OPTIMAL, Source.MODEL)
    assert view.mask_source is Source.MODEL
    assert view.measurement.circumference_mm == pytest.approx(2 * np.pi * 20 * 0.5, rel=0.03)

    analysed.set_label([3], Label.SUBOPTIMAL)
    analysed.set_mask(3, disc(10))
    view = analysed.view(3)
    assert (view.label, view.label_source) == (Label.SUBOPTIMAL, Source.EXPERT)
    assert view.mask_source is Source.EXPERT
    assert view.measurement.circumference_mm == pytest.approx(2 * np.pi * 10 * 0.5, rel=0.05)
    assert told == [(3,), (3,)]


def test_labels_tell_who_set_them(analysed):
    analysed.set_label([3, 7], Label.SUBOPTIMAL)
    analysed.set_mask(9, disc(5))
    labels, by_expert = analysed.labels()
    assert labels[[3, 4, 7, 9]].tolist() == [2, 1, 2, 0]
    assert np.flatnonzero(by_expert).tolist() == [3, 7, 9]


def test_every_correction_names_the_models_that_it_answers(analysed):
    analysed.set_label([3], Label.NONE)
    analysed.set_mask(3, disc(5))
    analysed.accept(4)
    answers = [event.answers for event in analysed._store.events()]
    assert answers[0].startswith("cls-0000 ")
    assert answers[1].startswith("seg-1111 ")
    assert "cls-0000" in answers[2]
    assert "seg-1111" in answers[2]


def test_a_correction_answers_nobody_where_nothing_was_computed(session):
    session.begin_analysis(Analysis(session.sweep, AnalysisSetup(CLS, SEG)))
    session.set_label([3], Label.NONE)
    assert session._store.events()[0].answers is None


def test_the_best_frame_is_not_one_that_the_expert_refused(analysed):
    best = analysed.best_frame()
    analysed.set_label([best], Label.NONE)
    assert analysed.best_frame() not in (best, -1)
    analysed.set_label([3, 4, 12], Label.NONE)
    assert analysed.best_frame() == -1
    analysed.set_label([7], Label.OPTIMAL)
    assert analysed.best_frame() == 7


def test_a_mask_that_cannot_be_stored_counts_and_is_stored_later(analysed):
    analysed._store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError):
        analysed.set_mask(9, disc(5))
    assert analysed.unsaved == (9,)
    assert np.array_equal(analysed.mask(9), disc(5))
    analysed._store._connection.execute("PRAGMA query_only = OFF")
    analysed.set_label([2], Label.NONE)
    assert analysed.unsaved == ()
    assert sorted(analysed.corrections()) == [2, 9]


def test_accepting_confirms_the_models_word(analysed):
    assert analysed.accept(4)
    state = analysed.corrections()[4]
    assert state.accepted
    assert state.label is Label.OPTIMAL
    assert analysed.view(4).mask_source is Source.EXPERT


def test_accepting_leaves_what_the_expert_drew(analysed):
    analysed.set_mask(4, disc(9))
    assert analysed.accept(4)
    assert np.array_equal(analysed.mask(4), disc(9))
    assert not analysed.accept(4)


def test_accepting_before_the_analysis_does_nothing(session):
    assert not session.accept(4)
    assert session.corrections() == {}


def test_going_back_to_the_model_is_one_step_of_undo(analysed):
    analysed.set_label([3], Label.NONE)
    analysed.set_mask(3, disc(5))
    analysed.revert(3)
    assert analysed.view(3).label_source is Source.MODEL
    assert analysed.view(3).mask_source is Source.MODEL
    assert analysed.undo() == (3,)
    assert analysed.view(3).label is Label.NONE
    assert analysed.view(3).mask_source is Source.EXPERT
    assert analysed.redo() == (3,)
    assert analysed.corrections() == {}


def test_nothing_to_undo_changes_nothing(analysed, told):
    assert analysed.undo() == ()
    assert analysed.redo() == ()
    assert told == []


def test_the_way_to_the_next_frame_leads_over_those_not_seen_yet(analysed):
    assert analysed.to_review() == [3, 4, 12]
    assert analysed.next_to_review(0) == 3
    assert analysed.next_to_review(4) == 12
    assert analysed.next_to_review(12) == 3
    assert analysed.next_to_review(3, step=-1) == 12
    analysed.accept(4)
    assert analysed.next_to_review(3) == 12
    analysed.accept(12)
    assert analysed.next_to_review(3) is None


def test_another_reviewer_starts_with_the_models_word(analysed, told):
    analysed.set_label([3], Label.NONE)
    analysed.reviewer = "BM"
    assert analysed.reviewer == "BM"
    assert analysed.view(3).label_source is Source.MODEL
    assert told[-1] == (3,)
    analysed.reviewer = "AK"
    assert analysed.view(3).label is Label.NONE


def test_a_sweep_without_spacing_is_not_measured(tmp_path, sweep):
    bare = SweepVolume(sweep.frames)
    with CorrectionStore(tmp_path / "bare.sqlite") as store:
        session = ReviewSession(bare, store, "AK")
        session.set_mask(2, disc(20))
        assert session.view(2).measurement is None
        assert session.view(2).mask_source is Source.EXPERT
