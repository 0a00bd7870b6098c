"""The phantom case: repeatable, consistent, and seen through the right fan."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.io.acouslic import SWEEPS_PER_CASE
from napari_fetal_iqa.phantom import PhantomCase, PhantomSettings, case, make_phantom
from napari_fetal_iqa.phantom.fan import Fan

ONE_SWEEP = replace(PhantomSettings.small(), n_sweeps=1, frames_per_sweep=4)
SIZES = (PhantomSettings.acouslic, PhantomSettings.demo, PhantomSettings.small)
SEED = 3
"""Of a small phantom with optimal and suboptimal frames, in four of its sweeps."""


@pytest.fixture(scope="module")
def phantom() -> PhantomCase:
    return make_phantom(PhantomSettings.small(), seed=SEED)


@pytest.mark.parametrize("size", [PhantomSettings, *SIZES])
def test_a_phantom_of_any_size_has_the_six_sweeps_of_an_examination(
    size: Callable[[], PhantomSettings],
) -> None:
    for settings in (size(), size().shifted()):
        assert settings.n_sweeps == SWEEPS_PER_CASE == 6
        assert settings.n_frames == 6 * settings.frames_per_sweep


def test_a_case_has_the_requested_size(phantom: PhantomCase) -> None:
    assert phantom.sweep.shape == phantom.masks.shape == (60, 141, 186)
    assert phantom.sweep.bounds == tuple((at, at + 10) for at in range(0, 60, 10))
    assert phantom.sweep.spacing_mm == (1.12, 1.12)
    assert (phantom.sweep.name, phantom.sweep.source_format) == ("phantom_0003", "phantom")
    assert phantom.masks.dtype == phantom.labels.dtype == np.uint8
    assert phantom.ac_mm.dtype == np.float64
    assert phantom.labels.shape == phantom.ac_mm.shape == (60,)


def test_the_same_seed_gives_the_same_case_on_any_number_of_cores(
    phantom: PhantomCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case.os, "cpu_count", lambda: 1)
    again = make_phantom(PhantomSettings.small(), seed=SEED)
    assert again.sweep.identity == phantom.sweep.identity
    np.testing.assert_array_equal(again.masks, phantom.masks)
    np.testing.assert_array_equal(again.ac_mm, phantom.ac_mm)


def test_another_seed_gives_another_case() -> None:
    one, two = make_phantom(ONE_SWEEP, 1), make_phantom(ONE_SWEEP, 2)
    assert one.sweep.identity != two.sweep.identity
    assert one.sweep.name != two.sweep.name


def test_masks_labels_and_circumferences_agree(phantom: PhantomCase) -> None:
    assert set(phantom.labels) == {0, 1, 2}
    for mask, label, ac_mm in zip(phantom.masks, phantom.labels, phantom.ac_mm, strict=True):
        assert set(np.unique(mask)) == {0, label}
        assert np.isfinite(ac_mm) == (label > 0)
    assert not phantom.masks[:, ~phantom.sweep.field_of_view].any()


@pytest.mark.parametrize("seed", range(3))
def test_the_mask_measures_as_the_true_circumference(seed: int) -> None:
    settings = replace(PhantomSettings.small(), shape=(281, 372), spacing_mm=(0.56, 0.56))
    made = make_phantom(replace(settings, n_sweeps=2, frames_per_sweep=12), seed)
    whole = 0
    for index in np.flatnonzero(made.labels):
        spacing = made.sweep.spacing_mm
        assert spacing is not None
        measured = measure_abdomen(made.masks[index], spacing, made.sweep.field_of_view)
        assert measured is not None
        assert 100 < made.ac_mm[index] <= 350.6
        if measured.truncated:
            continue
        whole += 1
        assert measured.circumference_mm == pytest.approx(made.ac_mm[index], rel=0.01)
        area_mm2 = np.count_nonzero(made.masks[index]) * spacing[0] * spacing[1]
        assert area_mm2 == pytest.approx(np.pi * np.prod(measured.semi_axes_mm), rel=0.01)
    assert whole > 0


def test_everything_inside_the_fan_is_non_black_and_nothing_outside(phantom: PhantomCase) -> None:
    fan = Fan(PhantomSettings.small()).field_of_view
    assert not phantom.sweep.frames[:, ~fan].any()
    assert phantom.sweep.frames[:, fan].all()
    np.testing.assert_array_equal(phantom.sweep.field_of_view, fan)


def test_the_fan_is_that_of_acouslic() -> None:
    fan = Fan(PhantomSettings.acouslic()).field_of_view
    top, corner = np.flatnonzero(fan[0]), np.flatnonzero(fan[464])
    assert top[0] == pytest.approx(262, abs=3)
    assert top[-1] == pytest.approx(482, abs=3)
    assert corner[0] <= 2
    assert corner[-1] >= 741
    assert not fan[3, 372], "the probe's face is convex"
    assert fan[560, 372]
    assert not fan[560, :100].any()
    assert not fan[:400, 0].any()


def test_small_looks_as_full_size_does_when_it_is_scaled_down() -> None:
    full = replace(ONE_SWEEP, shape=(564, 744), spacing_mm=(0.28, 0.28))
    small = make_phantom(ONE_SWEEP, 3).sweep
    large = make_phantom(full, 3).sweep.frames.reshape(4, 141, 4, 186, 4).mean((2, 4))
    inside = small.field_of_view
    assert np.corrcoef(small.frames[:, inside].ravel(), large[:, inside].ravel())[0, 1] > 0.95


def test_neighbouring_frames_resemble_each_other() -> None:
    sweep = make_phantom(replace(ONE_SWEEP, frames_per_sweep=20), 0).sweep
    frames = sweep.frames[:, sweep.field_of_view].astype(float)
    likeness = np.corrcoef(frames)
    assert np.diagonal(likeness, 1).mean() > 0.7
    assert np.diagonal(likeness, 1).mean() > np.diagonal(likeness, 12).mean() + 0.2


def test_black_frames_end_the_last_sweep_and_hold_no_abdomen() -> None:
    settings = replace(ONE_SWEEP, n_sweeps=2, black_frames=2, positive_fraction=0.9)
    made = make_phantom(settings, 1)
    assert not made.sweep.frames[-2:].any()
    assert made.sweep.frames[:-2].any((1, 2)).all()
    assert not made.labels[-2:].any()


def test_no_abdomen_where_none_is_wanted() -> None:
    made = make_phantom(replace(ONE_SWEEP, positive_fraction=0.0), 1)
    assert not made.labels.any()
    assert not made.masks.any()
    assert np.isnan(made.ac_mm).all()


def test_progress_counts_every_frame() -> None:
    seen: list[tuple[int, int]] = []
    make_phantom(ONE_SWEEP, 1, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_sweeps": 0},
        {"spacing_mm": (0.28, 0.0)},
        {"fan_half_angle_deg": 90.0},
        {"positive_fraction": 1.5},
        {"black_frames": 140},
        {"dynamic_range_db": -3.0},
    ],
)
def test_settings_refuse_what_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|expected"):
        PhantomSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_case_of_acouslic_size() -> None:
    made = make_phantom()
    assert made.sweep.shape == (840, 562, 744)
    assert made.sweep.bounds[5] == (700, 840)
    assert 0.01 < np.mean(made.labels > 0) < 0.05
