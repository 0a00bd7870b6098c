"""Earlier measurements of one subject: tied by its name, placed by ages by dates alone."""

import numpy as np
import pytest

from napari_fetal_iqa.analysis import Analysis, FrameResults, cache
from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.review.examination.earlier import (
    NO_AGE,
    NO_AGE_HERE,
    NOT_EARLIER,
    NOT_MEASURED,
    SEVERAL,
    UNKNOWN,
    Earlier,
    earlier_measurements,
)
from napari_fetal_iqa.review.examination.snapshot import ReviewSnapshot
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.storage.known_sweeps import remember
from napari_fetal_iqa.sweep import SweepVolume

from .discs import SETUP, SHAPE, disc

AGE = Dating("weeks", 200)


@pytest.fixture
def made(store, tmp_path):
    """Make a sweep of a subject, at an age, as one that was opened here."""

    def make(seed, subject="Jane", days=None, known=True, radius=None):
        frames = np.random.default_rng(seed).integers(1, 255, (6, *SHAPE), dtype=np.uint8)
        sweep = SweepVolume(frames, (1.0, 1.0), bounds=((0, 6),))
        store.add_sweep(sweep)
        if subject:
            store.set_subject(sweep.identity, subject)
        if days is not None:
            store.set_age(sweep.identity, Dating("LMP", days))
        if known:
            path = tmp_path / f"{seed}.bin"
            path.write_bytes(b"x")
            remember(path, [path], sweep)
            path.unlink()  # what was moved since is known all the same
        if radius:
            store.set_label(sweep.identity, 2, Label.OPTIMAL, "AK")
            store.set_mask(sweep.identity, 2, disc(radius), "AK")
        return sweep

    return make


def analysed(sweep, radius):
    analysis = Analysis(sweep, SETUP)
    analysis.add(
        FrameResults(
            frames=np.arange(6),
            quality=np.full(6, 0.9, np.float32),
            area_fraction=np.full(6, 0.2, np.float32),
            masks=(encode_mask(disc(radius)),) * 6,
            ac_mm=np.full(6, np.nan),
            non_black=np.ones(6, bool),
            seconds={},
        )
    )
    cache.save(analysis)


def test_earlier_ones_are_measured_by_the_reviewer_or_by_the_same_models(store, made):
    this = made(0, days=200)
    analysed(made(1, days=150), 20)
    made(2, "JANE ", days=170, radius=30)
    made(3, "someone else", days=160, radius=30)
    found = earlier_measurements(store, [this.identity], "AK", AGE, [SETUP])
    assert [one.days for one in found.measured] == [150, 170]
    models, reviewer = (one.circumference for one in found.measured)
    assert models.circumference_mm == pytest.approx(2 * np.pi * 20, rel=0.02)
    assert reviewer.circumference_mm == pytest.approx(2 * np.pi * 30, rel=0.02)
    assert (models.by_expert, reviewer.by_expert) == (False, True)
    assert found.left_out == ()
    assert "2 of the same subject" in found.words
    assert "21w3d" in found.words
    assert "mm by the models" in found.words
    assert "mm by the reviewer" in found.words
    # by other models it was not measured
    other = earlier_measurements(store, [this.identity], "AK", AGE)
    assert [one.days for one in other.measured] == [170]
    assert dict(other.left_out) == {NOT_MEASURED: 1}


def test_what_is_left_out_is_counted_and_said(store, made):
    this = made(0, days=200)
    made(1, radius=30)
    made(2, days=200, radius=30)
    made(3, days=230, radius=30)
    made(4, days=120, radius=30, known=False)
    made(5, days=121)
    found = earlier_measurements(store, [this.identity], "AK", AGE, [SETUP])
    assert found.measured == ()
    assert dict(found.left_out) == {NO_AGE: 1, NOT_EARLIER: 2, UNKNOWN: 1, NOT_MEASURED: 1}
    assert f"2 sweep files {NOT_EARLIER}" in found.words
    undated = earlier_measurements(store, [this.identity], "AK", None, [SETUP])
    assert undated.measured == ()
    assert NO_AGE_HERE in undated.words
    assert "5 sweep files" in undated.words


def test_sweeps_of_one_age_are_one_examination_and_those_of_two_subjects_none(store, made):
    this, other = made(0, days=200), made(1, "someone else", days=200)
    made(2, days=150, radius=30)
    made(3, days=150, radius=32)
    found = earlier_measurements(store, [this.identity], "AK", AGE)
    (one,) = found.measured
    assert one.sweeps == 2
    assert one.circumference.circumference_mm == pytest.approx(2 * np.pi * 31, rel=0.02)
    both = earlier_measurements(store, [this.identity, other.identity], "AK", AGE)
    assert both == Earlier(note=SEVERAL)


def test_without_a_subject_nothing_is_tied(store, made):
    this = made(0, "", days=200)
    made(1, days=150, radius=30)
    assert earlier_measurements(store, [this.identity], "AK", AGE) == Earlier()
    assert Earlier().words == ""


def test_the_window_asks_the_store_on_disk(store, made):
    this = made(0, days=200)
    made(1, days=150, radius=30)
    session = ReviewSession(this, store, "AK")
    snapshot = ReviewSnapshot.of(session, session.age)
    assert [one.days for one in snapshot.earlier().measured] == [150]
    store.path.write_bytes(b"no database at all, and long enough to be looked at")
    assert "cannot be read" in snapshot.earlier().words
