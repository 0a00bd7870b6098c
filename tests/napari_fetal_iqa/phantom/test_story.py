"""The phantom's story: where the abdomen comes and goes, and which landmarks it shows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fetal_iqa.labels import Label
from napari_fetal_iqa.phantom import PhantomSettings
from napari_fetal_iqa.phantom.story import Abdomen, Pose, Run, plan_runs


def abdomen(seed: int, run: Run, room: tuple[int, int] = (0, 140)) -> Abdomen:
    rng = np.random.default_rng(seed)
    return Abdomen(rng, run, Pose(rng, (38.0, 34.0)), room)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n_sweeps=st.integers(1, 6),
    frames=st.integers(3, 140),
    share=st.floats(0, 1),
    black=st.integers(0, 2),
)
def test_runs_are_1_to_32_frames_apart_and_within_their_sweep(
    seed: int, n_sweeps: int, frames: int, share: float, black: int
) -> None:
    requested = PhantomSettings(
        n_sweeps=n_sweeps, frames_per_sweep=frames, positive_fraction=share, black_frames=black
    )
    planned = plan_runs(requested, np.random.default_rng(seed))
    assert len(planned) == n_sweeps
    for sweep, runs in enumerate(planned):
        last = 0
        for number, run in enumerate(runs):
            assert 1 <= run.stop - run.start <= 32
            assert run.start >= last + (4 if number else 0)
            last = run.stop
        assert last <= frames - (black if sweep == n_sweeps - 1 else 0)
    assert any(planned) == (share > 0)


@pytest.mark.parametrize(
    ("requested", "share"),
    [(PhantomSettings.acouslic(), 0.026), (PhantomSettings.demo(), 0.2)],
)
def test_the_share_of_abdomen_is_met_on_average(requested: PhantomSettings, share: float) -> None:
    shares = [
        sum(run.stop - run.start for runs in planned for run in runs) / requested.n_frames
        for planned in (plan_runs(requested, np.random.default_rng(seed)) for seed in range(200))
    ]
    assert np.mean(shares) == pytest.approx(share, rel=0.12)
    assert np.std(shares) > 0.1 * share


def test_as_many_cases_as_in_acouslic_have_no_optimal_frame() -> None:
    sparse = PhantomSettings.acouslic()
    without = [
        not any(
            run.optimal for runs in plan_runs(sparse, np.random.default_rng(seed)) for run in runs
        )
        for seed in range(300)
    ]
    assert np.mean(without) == pytest.approx(113 / 300, abs=0.12)


def test_the_demo_always_reaches_the_optimal_plane() -> None:
    for seed in range(50):
        planned = plan_runs(PhantomSettings.demo(), np.random.default_rng(seed))
        assert any(run.optimal for runs in planned for run in runs)


def test_no_run_is_optimal_where_none_may_be() -> None:
    requested = replace(PhantomSettings.demo(), optimal_fraction=0.0)
    planned = plan_runs(requested, np.random.default_rng(0))
    assert not any(run.optimal for runs in planned for run in runs)


@given(st.integers(0, 2**32), st.integers(1, 32), st.booleans())
def test_landmarks_follow_from_the_label(seed: int, length: int, optimal: bool) -> None:
    run = Run(50, 50 + length, optimal)
    shown = abdomen(seed, run)
    labels = [shown.label(frame) for frame in range(140)]
    assert [label != Label.NONE for label in labels] == [50 <= f < 50 + length for f in range(140)]
    assert (Label.OPTIMAL in labels) == optimal
    for frame, label in enumerate(labels):
        cut = shown.cut(frame)
        if label == Label.OPTIMAL:
            assert cut is not None
            assert (cut.stomach, cut.vein, cut.heart) == (1, 1, 0)
        elif label == Label.SUBOPTIMAL:
            assert cut is not None
            assert min(cut.stomach, cut.vein) == 0 < max(cut.stomach, cut.vein)
            assert cut.heart == 0
        elif cut is not None:
            assert (cut.stomach, cut.vein, cut.kidneys) == (0, 0, 0)
            assert cut.outline.a < 0.87 * 38


@given(st.integers(0, 2**32))
def test_optimal_frames_are_in_the_middle_and_the_largest(seed: int) -> None:
    shown = abdomen(seed, Run(50, 70, True))
    labels = np.array([shown.label(frame) for frame in range(50, 70)])
    optimal = np.flatnonzero(labels == Label.OPTIMAL)
    assert (np.diff(optimal) == 1).all()
    assert labels[0] == labels[-1] == Label.SUBOPTIMAL
    cuts = [shown.cut(frame) for frame in range(50, 70)]
    sizes = np.array([cut.outline.a for cut in cuts if cut is not None])
    assert sizes[labels == Label.OPTIMAL].min() > sizes[labels == Label.SUBOPTIMAL].max()


@given(st.integers(0, 2**32))
def test_the_trunk_stays_in_its_room_and_moves_slowly(seed: int) -> None:
    shown = abdomen(seed, Run(50, 60, True), room=(48, 75))
    seen = [frame for frame in range(140) if shown.cut(frame) is not None]
    assert seen == list(range(shown.reach[0], shown.reach[1]))
    assert 48 <= seen[0] <= 50
    assert 60 <= seen[-1] + 1 <= 75
    cuts = [shown.cut(frame) for frame in seen]
    centres = np.array([(cut.outline.x, cut.outline.z) for cut in cuts if cut is not None])
    assert np.abs(np.diff(centres, axis=0)).max() < 5
