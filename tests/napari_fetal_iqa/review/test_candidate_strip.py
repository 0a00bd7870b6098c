"""The frames that stand beside each other: the best of each sweep, of each run, and differences."""

import numpy as np
import pytest

from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, FrameResults, ModelRef
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.review.candidate_strip import (
    MOST_RUNS,
    Kind,
    beside,
    candidate_strip,
    circumference,
)
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (48, 64)
SETUP = AnalysisSetup(
    ModelRef(id="cls-0000", hash="0" * 64, name="quality"),
    ModelRef(id="seg-1111", hash="1" * 64, name="outline"),
)


def disc(radius):
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return (rows - 24) ** 2 + (columns - 32) ** 2 <= radius**2


def analysis_of(sweep, quality):
    """Quality by frame; frames that are not named show nothing."""
    frames = np.arange(len(sweep))
    scores = np.array([quality.get(frame, 0.1) for frame in frames], np.float32)
    found = scores > 0.5
    analysis = Analysis(sweep, SETUP)
    analysis.add(
        FrameResults(
            frames=frames,
            quality=scores,
            area_fraction=np.where(found, 0.2, 0.0).astype(np.float32),
            masks=tuple(encode_mask(disc(15) & bool(one)) for one in found),
            ac_mm=np.where(found, 47.0, np.nan),
            non_black=np.ones(len(sweep), bool),
            seconds={},
        )
    )
    return analysis


@pytest.fixture
def session(tmp_path):
    frames = np.random.default_rng(0).integers(1, 255, (60, *SHAPE), dtype=np.uint8)
    sweep = SweepVolume(frames, (0.5, 0.5), bounds=((0, 20), (20, 40), (40, 60)))
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        session = ReviewSession(sweep, store, "AK")
        scores = {8: 0.95, 9: 0.6, 17: 0.7, 25: 0.6, 26: 0.95, 27: 0.9, 28: 0.6}
        session.begin_analysis(analysis_of(sweep, scores))
        yield session


def kinds(session):
    return {one.frame: one.kind for one in candidate_strip(session)}


def test_best_of_each_sweep_and_of_each_other_run_come_once(session):
    assert session.best_frame() == 26
    assert kinds(session) == {8: Kind.SWEEP, 26: Kind.BEST, 17: Kind.RUN}
    assert [one.frame for one in candidate_strip(session)] == [8, 26, 17]
    first = candidate_strip(session)[0]
    assert (first.sweep, first.frame_in_sweep, first.quality) == (0, 8, pytest.approx(0.95))


def test_the_word_of_the_expert_counts(session):
    session.set_label([26, 27], 0)
    session.set_label([45], 2)
    found = kinds(session)
    assert found[8] is Kind.BEST
    assert sorted(found) == [8, 17, 25, 28, 45]
    assert found[45] is found[17] is Kind.RUN
    session.set_mask(17, np.zeros(SHAPE, bool))
    assert 17 not in kinds(session)


def test_where_reviewers_disagree_is_shown_and_what_shows_no_abdomen_is_not_measured(
    session, tmp_path
):
    session.set_label([10, 8], 0)
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        store.set_label(session.sweep.identity, [10, 8, 26], 1, "BM")
    session.compare_with("BM")
    found = {one.frame: one for one in candidate_strip(session)}
    assert {found[10].kind, found[8].kind} == {Kind.DISAGREEMENT}
    assert found[10].mask is None
    assert found[26].kind is Kind.BEST


def test_the_circumference_is_what_the_review_measures(session):
    (best,) = (one for one in candidate_strip(session) if one.kind is Kind.BEST)
    measured = session.view(best.frame).measurement.circumference_mm
    assert circumference(best.mask, session.sweep) == pytest.approx(measured)
    two = disc(5)
    two[:4, :4] = True
    assert circumference(encode_mask(two), session.sweep) is None  # in pieces


def test_runs_everywhere_are_bounded_to_the_best(tmp_path):
    frames = np.ones((200, *SHAPE), np.uint8)
    sweep = SweepVolume(frames, (0.5, 0.5))
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        session = ReviewSession(sweep, store, "AK")
        session.begin_analysis(analysis_of(sweep, {f: 0.6 + f / 1000 for f in range(0, 200, 2)}))
        runs = [one.frame for one in candidate_strip(session) if one.kind is Kind.RUN]
    assert len(runs) == MOST_RUNS
    assert runs == sorted(runs)
    assert min(runs) > 100


def test_without_an_analysis_there_is_nothing_and_keys_go_from_one_to_the_next(session):
    strip = candidate_strip(session)
    assert [beside(strip, frame, 1) for frame in (0, 8, 17, 26)] == [8, 17, 26, None]
    assert [beside(strip, frame, -1) for frame in (59, 26, 8)] == [26, 17, None]
    session.analysis = None
    assert candidate_strip(session) == ()
