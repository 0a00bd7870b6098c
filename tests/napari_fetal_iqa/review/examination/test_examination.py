"""A case of one volume or of several: which frames count, and which is shown."""

import numpy as np
import pytest

from napari_fetal_iqa.analysis import Analysis, FrameResults
from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.review.examination.aggregate import ModelError
from napari_fetal_iqa.review.examination.examination import Examination
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.sweep import SweepVolume

from .discs import SETUP, SHAPE, disc

ERROR = ModelError(scale=1.7, cases=60, what="60 simulated cases")


def reviewed(store, radii, seed=0, spacing=(1.0, 1.0)):
    """Return two sweeps of 20 frames with discs where radii are named."""
    frames = np.random.default_rng(seed).integers(1, 255, (40, *SHAPE), dtype=np.uint8)
    sweep = SweepVolume(frames, spacing, bounds=((0, 20), (20, 40)))
    session = ReviewSession(sweep, store, "AK")
    analysis = Analysis(sweep, SETUP)
    found = np.array([frame in radii for frame in range(40)])
    analysis.add(
        FrameResults(
            frames=np.arange(40),
            quality=np.where(found, 0.9, 0.1).astype(np.float32),
            area_fraction=np.where(found, 0.2, 0.0).astype(np.float32),
            masks=tuple(
                encode_mask(disc(radii.get(frame, 0)) & found[frame]) for frame in range(40)
            ),
            ac_mm=np.full(40, np.nan),
            non_black=np.ones(40, bool),
            seconds={},
        )
    )
    session.begin_analysis(analysis)
    return session


THREE_OF_30 = {4: 30, 5: 30, 6: 30}


def test_frames_of_all_volumes_count_together(store):
    case = Examination([reviewed(store, THREE_OF_30), reviewed(store, {25: 31, 26: 31, 27: 31}, 1)])
    assert [frame.place for frame in case.frames] == [
        *((0, 0, frame) for frame in (4, 5, 6)),
        *((1, 1, frame) for frame in (25, 26, 27)),
    ]
    assert case.circumference.n_runs == 2
    assert case.circumference.circumference_mm == pytest.approx(2 * np.pi * 30.5, rel=0.01)
    assert case.circumference.interval_mm is None  # nobody said how far these models are off


def test_the_interval_needs_a_known_error(store):
    case = Examination([reviewed(store, THREE_OF_30)], ERROR)
    low, high = case.circumference.interval_mm
    assert low < 2 * np.pi * 30 < high
    assert case.circumference.error_of == "60 simulated cases"


def test_the_best_frame_is_that_of_the_volume_that_shows_most(store):
    few = reviewed(store, {30: 30}, 0)
    many = reviewed(store, THREE_OF_30 | {33: 30}, 1)
    case = Examination([few, many])
    assert [best.place for best in case.best] == [(1, 0, 5), (0, 1, 30), (1, 1, 33)]
    assert case.best[0].measurement.circumference_mm == pytest.approx(2 * np.pi * 30, rel=0.01)


def test_what_the_expert_outlined_overrules_the_other_volumes_too(store):
    first, second = reviewed(store, THREE_OF_30), reviewed(store, {7: 35, 8: 35, 9: 35}, 1)
    second.set_mask(8, disc(40))
    case = Examination([first, second], ERROR)
    assert case.circumference.by_expert
    assert case.circumference.circumference_mm == pytest.approx(2 * np.pi * 40, rel=0.01)


def test_the_frame_that_is_shown_is_one_that_the_expert_measured(store):
    session = reviewed(store, {**THREE_OF_30, 25: 30, 26: 30, 27: 30, 28: 30})
    models = Examination([session]).best[0].place
    assert models[2] not in (5, 6)
    for frame in (5, 6):
        session.set_label([frame], Label.OPTIMAL)
        session.set_mask(frame, disc(20))
    case = Examination([session])
    assert case.circumference.circumference_mm == pytest.approx(2 * np.pi * 20, rel=0.02)
    assert case.best[0].place in [one.place for one in case.circumference.used]
    assert case.best[0].by_expert
    assert [one.place[1] for one in case.best] == [0, 1]


def test_what_the_expert_labelled_none_or_suboptimal_does_not_count(store):
    session = reviewed(store, THREE_OF_30)
    session.set_label([4], Label.NONE)
    session.set_label([5], Label.SUBOPTIMAL)
    assert [frame.place[2] for frame in Examination([session]).frames] == [6]


def test_without_a_spacing_there_is_no_value(store):
    case = Examination([reviewed(store, THREE_OF_30, spacing=None)])
    assert case.without_mm
    assert case.circumference is None
    assert case.best[0].measurement is None
    assert case.best[0].reason == "the sweep has no spacing"


def test_one_sweep_does_not_count_twice(store):
    session = reviewed(store, THREE_OF_30)
    with pytest.raises(ValueError, match="twice"):
        Examination([session, session])
    with pytest.raises(ValueError, match="at least one"):
        Examination([])
