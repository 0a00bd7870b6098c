"""A review in progress, without a window."""

import numpy as np
import pytest

from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, FrameResults, ModelRef
from napari_fetal_iqa.analysis.candidates import candidates
from napari_fetal_iqa.analysis.result import Thresholds
from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.review import session as review
from napari_fetal_iqa.review.candidate_strip import Kind, candidate_strip
from napari_fetal_iqa.review.session import ReviewSession, Source
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets.timeline.data import TimelineData, describe

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
            masks=tuple(encode_mask(disc(20) & (f in FOUND)) for f in frames),
            ac_mm=np.where(found, 63.0, np.nan),
            non_black=np.ones(20, bool),
            seconds={},
        )
    )
    return session


@pytest.fixture
def repainted(analysed):
    """Frames that the session wants painted anew, call by call."""
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


def test_the_models_word_stands_until_the_expert_speaks(analysed, repainted):
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
    assert repainted == [(3,), (3,)]


def test_labels_tell_who_set_them(analysed):
    analysed.set_label([3, 7], Label.SUBOPTIMAL)
    analysed.set_mask(9, disc(5))
    labels, by_expert = analysed.labels()
    assert labels[[3, 4, 7, 9]].tolist() == [2, 1, 2, -1]  # an outline, of which plane nobody said
    assert np.flatnonzero(by_expert).tolist() == [3, 7, 9]


def test_every_correction_names_the_models_that_it_answers(analysed):
    analysed.set_label([3], Label.SUBOPTIMAL)
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


def test_other_thresholds_change_labels_and_what_is_to_review(analysed, repainted):
    analysed.analysis.quality[12] = 0.99
    analysed.set_thresholds((0.95, 0.01))
    assert repainted == [(3, 4)]
    assert np.flatnonzero(analysed.labels()[0] == 1).tolist() == [12]
    assert analysed.best_frame() == 12
    analysed.accept(12)
    analysed.set_thresholds((0.5, 0.01))
    assert repainted[-1] == (3, 4)
    assert analysed.to_review() == [3, 4]


def test_thresholds_without_an_analysis_change_nothing(session):
    session.frames_changed.connect(lambda frames: pytest.fail("nothing changed"))
    session.set_thresholds((0.5, 0.01))
    assert session.analysis is None


def test_the_best_frame_is_not_one_that_the_expert_refused(analysed):
    best = analysed.best_frame()
    analysed.set_label([best], Label.NONE)
    assert analysed.best_frame() not in (best, -1)
    analysed.set_label([3, 4, 12], Label.NONE)
    assert analysed.best_frame() == -1
    analysed.set_label([7], Label.OPTIMAL)
    assert analysed.best_frame() == -1  # there is no outline to measure yet
    mask = np.zeros(analysed.sweep.shape[1:], bool)
    mask[2:6, 2:6] = True
    analysed.set_mask(7, mask)
    assert analysed.best_frame() == 7


def test_a_mask_that_cannot_be_stored_counts_and_is_stored_later(analysed):
    analysed._store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError):
        analysed.set_mask(9, disc(5))
    assert analysed.unsaved == 1
    assert np.array_equal(analysed.mask(9), disc(5))
    assert np.flatnonzero(analysed.labels()[1]).tolist() == [9]
    analysed._store._connection.execute("PRAGMA query_only = OFF")
    with CorrectionStore(analysed._store.path) as on_disk:
        assert on_disk.events() == []
    analysed.set_label([2], Label.NONE)
    assert analysed.unsaved == 0
    with CorrectionStore(analysed._store.path) as on_disk:
        assert [event.frame for event in on_disk.events()] == [9, 2]


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
    analysed.set_label([3], Label.SUBOPTIMAL)
    analysed.set_mask(3, disc(5))
    analysed.revert(3)
    assert analysed.view(3).label_source is Source.MODEL
    assert analysed.view(3).mask_source is Source.MODEL
    assert analysed.undo() == (3,)
    assert analysed.view(3).label is Label.SUBOPTIMAL
    assert analysed.view(3).mask_source is Source.EXPERT
    assert analysed.redo() == (3,)
    assert analysed.corrections() == {}


def test_nothing_to_undo_changes_nothing(analysed, repainted):
    assert analysed.undo() == ()
    assert analysed.redo() == ()
    assert repainted == []


def test_the_way_to_the_next_frame_leads_over_the_most_valuable_left(analysed):
    """Frame 12 is a single flash, 3 and 4 support each other and look alike."""
    assert analysed.to_review() == [3, 4, 12]
    assert analysed.next_to_review(0) == 3
    assert analysed.next_to_review(3) == 12
    analysed.accept(12)
    assert analysed.to_review() == [3, 4]
    assert analysed.next_to_review(12) == 4  # 3 was passed by
    assert analysed.next_to_review(4) == 3
    analysed.accept(3)
    analysed.accept(4)
    assert analysed.to_review() == []
    assert analysed.next_to_review(4) is None


def test_the_way_back_leads_over_the_frames_visited(analysed):
    assert analysed.next_to_review(7, step=-1) is None
    analysed.next_to_review(7)
    analysed.accept(12)
    analysed.next_to_review(12)
    assert analysed.next_to_review(3, step=-1) == 12
    assert analysed.next_to_review(12, step=-1) == 7
    assert analysed.next_to_review(7, step=-1) is None


def test_a_frame_in_doubt_comes_before_one_that_flickers(analysed):
    analysed.analysis.quality[8] = 0.51  # and no area: the models disagree
    analysed.begin_analysis(analysed.analysis)
    assert analysed.to_review() == [3, 4, 8, 12]
    assert analysed.next_to_review(0) == 8
    assert analysed.next_to_review(8) == 12  # in another sweep than 8; 3 is near it


def test_whatever_changes_the_corrections_changes_what_is_to_review(analysed):
    everything = [3, 4, 12]
    steps = [
        (lambda: analysed.set_label([3], Label.NONE), [4, 12]),
        (lambda: analysed.set_mask(4, disc(9)), [12]),
        (lambda: analysed.undo(), [4, 12]),
        (lambda: analysed.redo(), [12]),
        (lambda: analysed.revert(4), [4, 12]),
        (lambda: analysed.accept(12), [4]),
        (lambda: setattr(analysed, "reviewer", "BM"), everything),
        (lambda: analysed.begin_analysis(Analysis(analysed.sweep)), []),
    ]
    assert analysed.to_review() == everything
    for change, left in steps:
        change()
        assert analysed.to_review() == left


def test_results_that_come_in_are_to_review(session):
    session.begin_analysis(Analysis(session.sweep, AnalysisSetup(CLS)))
    assert session.to_review() == []
    for frame, expected in ((12, [12]), (13, [12, 13])):
        session.add_results(
            FrameResults(
                frames=np.array([frame]),
                quality=np.array([0.9], np.float32),
                area_fraction=None,
                masks=None,
                ac_mm=np.array([np.nan]),
                non_black=np.ones(1, bool),
                seconds={},
            )
        )
        assert session.to_review() == expected


def test_the_order_of_review_is_made_once_until_something_changes(analysed, monkeypatch):
    made = []
    monkeypatch.setattr(review, "candidates", lambda *given: made.append(1) or candidates(*given))
    analysed.set_label([7], Label.OPTIMAL)
    for _ in range(5):
        analysed.to_review()
        analysed.next_to_review(3)
    assert len(made) == 1


# Masks from neighbours ---------------------------------------------------------------------


def test_the_mask_before_is_copied(analysed, repainted):
    assert analysed.copy_previous(5)
    assert np.array_equal(analysed.mask(5), disc(20))  # the model's of frame 4
    assert analysed.mask_source(5) is Source.EXPERT
    assert analysed.copy_previous(6)
    assert np.array_equal(analysed.mask(6), disc(20))  # the expert's of frame 5
    assert repainted == [(5,), (6,)]
    assert analysed.undo() == (6,)
    assert analysed._store.events()[0].answers.startswith("seg-1111 ")


def test_there_is_nothing_to_copy_from_an_empty_mask_or_another_sweep(analysed, repainted):
    analysed.set_mask(9, disc(9))
    repainted.clear()
    assert not analysed.copy_previous(10)
    assert not analysed.copy_previous(0)
    assert not analysed.copy_previous(8)
    assert repainted == []
    assert list(analysed.corrections()) == [9]


def test_interpolating_fills_what_lies_between_as_one_action(analysed, repainted):
    analysed.set_label([4], Label.SUBOPTIMAL)
    analysed.set_label([6], Label.NONE)
    analysed.set_mask(2, disc(10))
    analysed.set_mask(8, disc(22))
    repainted.clear()
    assert analysed.interpolate(5) == (3, 4, 5, 7)
    assert repainted == [(3, 4, 5, 7)]
    radii = [np.sqrt(analysed.mask(frame).sum() / np.pi) for frame in (3, 4, 5, 7)]
    np.testing.assert_allclose(radii, [12, 14, 16, 20], atol=0.6)
    assert analysed.view(4).label is Label.SUBOPTIMAL
    assert analysed.view(3).label_source is Source.MODEL
    assert not analysed.mask(6).any()
    assert analysed._store.events()[-1].answers.startswith("seg-1111 ")
    assert analysed.undo() == (3, 4, 5, 7)
    assert np.array_equal(analysed.mask(3), disc(20))
    assert sorted(analysed.corrections()) == [2, 4, 6, 8]


def test_interpolating_without_two_ends_writes_nothing(analysed, repainted):
    analysed.set_mask(4, disc(10))
    analysed.set_mask(12, disc(10))  # of the next sweep
    repainted.clear()
    n_events = len(analysed._store.events())
    assert analysed.interpolate(7) == ()
    assert repainted == []
    assert len(analysed._store.events()) == n_events


def test_a_mask_that_could_not_be_stored_is_an_end_too(analysed):
    analysed.set_mask(2, disc(10))
    analysed._store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError):
        analysed.set_mask(5, disc(13))
    with pytest.raises(StoreError):
        analysed.interpolate(3)
    assert sorted(analysed.corrections()) == [2, 3, 4, 5]
    with pytest.raises(StoreError):
        analysed.undo()
    assert sorted(analysed.corrections()) == [2, 5]
    analysed._store._connection.execute("PRAGMA query_only = OFF")
    analysed.save()
    assert analysed.unsaved == 0
    with CorrectionStore(analysed._store.path) as on_disk:
        assert on_disk.corrections(analysed.sweep.identity, "AK") == analysed.corrections()


def test_another_reviewer_starts_with_the_models_word(analysed, repainted):
    analysed.set_label([3], Label.NONE)
    analysed.reviewer = "BM"
    assert analysed.reviewer == "BM"
    assert analysed.view(3).label_source is Source.MODEL
    assert repainted[-1] == (3,)
    analysed.reviewer = "AK"
    assert analysed.view(3).label is Label.NONE


def test_a_sweep_without_spacing_is_not_measured(tmp_path, sweep):
    bare = SweepVolume(sweep.frames)
    with CorrectionStore(tmp_path / "bare.sqlite") as store:
        session = ReviewSession(bare, store, "AK")
        session.set_mask(2, disc(20))
        assert session.view(2).measurement is None
        assert session.view(2).mask_source is Source.EXPERT


# The next time, and other reviewers --------------------------------------------------------


def test_place_and_thresholds_come_back_the_next_time(analysed, sweep):
    assert analysed.place is None
    analysed.set_thresholds((0.95, 0.02))
    analysed.remember(12)
    again = ReviewSession(sweep, analysed._store, "AK")
    assert again.place == 12
    again.begin_analysis(analysed.analysis)
    assert again.analysis.setup.thresholds == Thresholds(0.95, 0.02)
    assert (again.labels()[0] == 1).sum() == 0
    assert ReviewSession(sweep, analysed._store, "BM").place is None


def test_the_models_own_thresholds_come_back(analysed):
    analysed.set_thresholds((0.95, 0.02))
    analysed.set_thresholds(None)
    assert analysed.analysis.setup.thresholds == Thresholds()
    assert np.flatnonzero(analysed.labels()[0] == 1).tolist() == list(FOUND)


def test_another_reviewer_brings_other_thresholds(analysed):
    analysed.set_thresholds((0.95, 0.02))
    analysed.remember(3)
    analysed.reviewer = "BM"
    assert analysed.analysis.setup.thresholds == Thresholds()
    analysed.reviewer = "AK"
    assert analysed.analysis.setup.thresholds == Thresholds(0.95, 0.02)


@pytest.fixture
def two(analysed):
    """Another reviewer, BM, corrected frames 4, 5 and 6; AK of 4, 5 and 7."""
    identity = analysed.sweep.identity
    analysed._store.set_label(identity, [4, 5], Label.OPTIMAL, "BM")
    analysed._store.set_label(identity, 6, Label.NONE, "BM")
    analysed._store.set_mask(identity, 4, disc(18), "BM")
    analysed.set_label([4], Label.SUBOPTIMAL)
    analysed.set_label([5], Label.OPTIMAL)
    analysed.set_mask(4, disc(20))
    analysed.set_mask(7, disc(11))
    return analysed


def test_what_another_reviewer_said_can_be_shown(two, repainted):
    assert two.other_reviewers() == ["BM"]
    repainted.clear()
    two.show_reviewer("BM")
    assert two.shown == "BM"
    assert repainted == [(4, 5, 6, 7)]
    assert sorted(two.corrections()) == [4, 5, 6]
    assert np.array_equal(two.mask(4), disc(18))
    assert two.view(5).label is Label.OPTIMAL
    assert not two.mask(7).any()
    two.show_reviewer("AK")
    assert sorted(two.corrections()) == [4, 5, 7]


def test_where_two_reviewers_disagree_is_what_is_to_review(two):
    two.compare_with("BM")
    assert sorted(two.corrections()) == [4, 5, 7]
    assert two.disagreements == (4,)
    assert two.to_review() == [4]
    assert np.array_equal(two.comparison.mask(4), disc(18))
    assert not two.comparison.mask(5).any()
    assert two.comparison.agreement.labelled == 2
    two.set_label([4], Label.OPTIMAL)
    assert two.disagreements == ()
    assert two.to_review() == []
    two.show_reviewer("AK")
    assert two.disagreements == ()
    assert 3 in two.to_review()


def test_none_and_clear_show_the_same_and_undo_brings_all_back(analysed):
    def shown():
        view = analysed.view(3)
        mask = analysed.mask(3)
        return mask.any(), view.mask_source, view.label, view.label_source, view.not_measured

    before = shown()
    analysed.set_label([3], Label.NONE)
    none = shown()
    assert none == (False, Source.EXPERT, Label.NONE, Source.EXPERT, "no abdomen here")
    assert not analysed.outlined()[3]
    analysed.undo()
    assert shown() == before
    analysed.set_mask(3, np.zeros(SHAPE, bool))
    assert shown() == none
    analysed.undo()
    assert shown() == before
    analysed.set_label([3], Label.NONE)
    analysed.set_mask(3, disc(9))  # what is drawn does not vanish below the hand
    assert analysed.mask(3).any()
    analysed.set_label([3], Label.NONE)
    assert shown() == none


@pytest.mark.parametrize("label", [Label.OPTIMAL, Label.SUBOPTIMAL])
def test_clearing_takes_back_the_label_of_a_plane_and_undo_brings_both_back(analysed, label):
    analysed.set_label([3], label)
    analysed.set_mask(3, np.zeros(SHAPE, bool))
    view = analysed.view(3)
    assert (view.label, view.not_measured) == (Label.NONE, "no abdomen here")
    assert analysed.labels()[0][3] == Label.NONE
    assert f"label {label.name.capitalize()} was taken back" in analysed.take_notice()
    analysed.undo()
    assert analysed.view(3).label is label
    assert analysed.mask(3).any()
    analysed.set_mask(4, np.zeros(SHAPE, bool))
    assert analysed.take_notice() == ""


@pytest.mark.parametrize("frame", [3, 7], ids=["the model agrees", "the model says none, too"])
@pytest.mark.parametrize("how", ["copied", "drawn"])
def test_an_outline_takes_back_the_label_none_and_undo_brings_both_back(analysed, frame, how):
    analysed.set_mask(frame - 1, disc(9))
    analysed.set_label([frame], Label.NONE)
    assert analysed.take_notice() == ""
    if how == "copied":
        assert analysed.copy_previous(frame)
    else:
        analysed.set_mask(frame, disc(9))
    view = analysed.view(frame)
    assert view.label is (Label.OPTIMAL if frame == 3 else None)
    assert analysed.labels()[0][frame] == (1 if frame == 3 else -1)
    assert view.measurement is not None
    assert "label None was taken back" in analysed.take_notice()
    assert analysed.take_notice() == ""
    analysed.accept(frame)  # which does not say "none" for the model
    assert analysed.mask(frame).any()
    if frame == 3:
        analysed.undo()
    assert analysed.undo() == (frame,)
    view = analysed.view(frame)
    assert (view.label, view.label_source) == (Label.NONE, Source.EXPERT)
    assert view.not_measured == "no abdomen here"
    assert not analysed.mask(frame).any()


def test_a_label_does_not_lift_the_area_threshold_of_the_models_outline(analysed):
    speck, best = 7, analysed.best_frame()
    analysed.add_results(
        FrameResults(
            frames=np.array([speck]),
            quality=np.array([0.1], np.float32),
            area_fraction=np.array([0.004], np.float32),
            masks=(encode_mask(disc(4)),),
            ac_mm=np.array([12.6]),
            non_black=np.ones(1, bool),
            seconds={},
        )
    )
    said = "Frame 7, sweep 1, frame 7, quality 0.10, area 0.4 %"  # and no AC
    assert describe(TimelineData.of(analysed), speck) == said
    analysed.set_label([speck], Label.OPTIMAL)
    assert describe(TimelineData.of(analysed), speck) == said
    assert describe(TimelineData.of(analysed), best).endswith("AC 63.0 mm")
    assert analysed.view(speck).not_measured == "the model's outline is below the area threshold"
    analysed.set_label([3, 4, 12], Label.SUBOPTIMAL)
    assert analysed.best_frame() == -1
    analysed.set_label([best], Label.OPTIMAL)
    assert analysed.best_frame() == best
    strip = {one.frame: one for one in candidate_strip(analysed)}
    assert strip[best].kind is Kind.BEST
    assert speck not in strip or strip[speck].mask is None
    analysed.set_thresholds((0.5, 0.002))
    assert analysed.view(speck).measurement is not None
    analysed.set_thresholds(None)
    analysed.accept(speck)  # the expert's word on the outline itself
    assert describe(TimelineData.of(analysed), speck) == f"{said}, AC 12.6 mm"
    assert analysed.view(speck).measurement is not None
    analysed.undo()
    analysed.set_mask(speck, disc(5))
    assert describe(TimelineData.of(analysed), speck) == said  # the model's is not the expert's
    assert analysed.view(speck).measurement is not None
    assert analysed.outlined()[speck]
