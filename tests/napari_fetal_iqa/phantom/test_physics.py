"""What the phantom's beams do: speckle, attenuation, shadow, and the knobs that shift them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.phantom.echo import compress, envelope, scatterers
from napari_fetal_iqa.phantom.fan import N_BEAMS, N_DEPTHS, Fan, Grid
from napari_fetal_iqa.phantom.tissue import Ellipse, Tissue

FULL = replace(PhantomSettings.acouslic(), noise_db=-200.0)
CONTACT = np.zeros((1, N_BEAMS), np.float32)


def homogeneous(settings: PhantomSettings, loss_db_cm: float = 0.0) -> tuple[Fan, Tissue]:
    fan = Fan(settings)
    return fan, Tissue(fan, -20.0, loss_db_cm)


def received(settings: PhantomSettings, fan: Fan, tissue: Tissue, frame: int = 0) -> Grid:
    return envelope(settings, fan, tissue, scatterers((1, 2), frame), CONTACT)


def likeness(values: Grid, lag: int) -> float:
    """Correlation of columns ``lag`` apart."""
    return float(np.corrcoef(values[:, lag:].ravel(), values[:, :-lag].ravel())[0, 1])


def test_the_envelope_of_homogeneous_tissue_is_rayleigh() -> None:
    amplitude = received(FULL, *homogeneous(FULL))[20:-20, 8:-8]
    assert amplitude.mean() / amplitude.std() == pytest.approx(1.91, abs=0.04)
    assert (amplitude**2).mean() == pytest.approx(10**-2, rel=0.05)
    apart = amplitude[::12, ::12].ravel()  # farther than speckles reach: independent draws
    assert stats.kstest(apart, stats.rayleigh(scale=np.sqrt(0.005)).cdf).pvalue > 0.01


def test_speckle_is_wider_with_depth() -> None:
    fan, tissue = homogeneous(FULL)
    frame = fan.scan_convert(compress(FULL, received(FULL, fan, tissue))).astype(float)
    near, deep = frame[100:150, 300:450], frame[480:530, 300:450]
    assert fan.field_of_view[100:150, 300:450].all()
    assert likeness(deep, 6) > likeness(near, 6) + 0.15
    # along the beam it does not change
    assert likeness(deep.T, 2) == pytest.approx(likeness(near.T, 2), abs=0.12)


def test_scatterers_of_neighbouring_frames_are_partly_the_same() -> None:
    drawn = [scatterers((4,), frame).ravel() for frame in range(5)]
    assert np.var(drawn[0]) == pytest.approx(0.5, rel=0.02)
    assert np.corrcoef(drawn[0], drawn[1])[0, 1] == pytest.approx(0.71, abs=0.02)
    assert abs(np.corrcoef(drawn[0], drawn[4])[0, 1]) < 0.02


def test_tissue_takes_its_loss_there_and_back() -> None:
    fan, tissue = homogeneous(FULL, loss_db_cm=1.0)
    amplitude = received(FULL, fan, tissue)
    near, deep = (
        np.sqrt((amplitude[rows] ** 2).mean()) for rows in (slice(30, 50), slice(430, 450))
    )
    way_cm = 2 * 400 * fan.step_mm / 10
    assert 20 * np.log10(near / deep) == pytest.approx(way_cm, abs=1.0)


def test_bone_is_bright_and_shadows_what_lies_behind() -> None:
    fan, tissue = homogeneous(FULL)
    bone = Ellipse(0.0, 60.0, 6.0, 3.0)
    tissue.fill(bone, 0.0, 16.0)
    amplitude = received(FULL, fan, tissue)

    def level(x: float, z: float) -> float:
        near = np.hypot(fan.x - x, fan.z - z) < 4
        return float(20 * np.log10(np.sqrt((amplitude[near] ** 2).mean())))

    assert level(0, 60) > level(30, 60) + 6
    assert level(0, 100) < level(30, 100) - 12
    assert level(0, 30) == pytest.approx(level(30, 30), abs=3)


def test_a_wall_is_brightest_where_the_beam_meets_it_at_a_right_angle() -> None:
    fan, tissue = homogeneous(FULL)
    tissue.wall(Ellipse(0.0, 80.0, 30.0, 30.0), 0.0, 1.0)
    top = tissue.level[np.hypot(fan.x, fan.z - 50) < 1].max()
    side = tissue.level[np.hypot(fan.x - 29.5, fan.z - 77) < 3].max()
    assert top == pytest.approx(0, abs=1)
    assert side < top - 8


def test_painting_stays_within_what_it_may_change() -> None:
    fan, tissue = homogeneous(FULL)
    tissue.within = (fan.x > 0).astype(np.float32)
    tissue.fill(Ellipse(0.0, 80.0, 30.0, 20.0), -60.0, 0.0)
    tissue.rod(((-20.0, 40.0), (20.0, 40.0)), 2.0, -5.0, 1.0)
    tissue.wall(Ellipse(0.0, 80.0, 30.0, 20.0), 0.0, 1.0)
    np.testing.assert_allclose(tissue.level[fan.x < 0], -20, atol=1e-4)
    filled = (fan.x > 5) & (np.hypot(fan.x, fan.z - 80) < 15)
    np.testing.assert_allclose(tissue.level[filled], -60, atol=1e-3)
    rod = (fan.x > 5) & (fan.x < 15) & (abs(fan.z - 40) < 1)
    np.testing.assert_allclose(tissue.level[rod], -5, atol=1e-4)


def test_painting_out_of_the_fan_changes_nothing() -> None:
    _, tissue = homogeneous(FULL)
    tissue.fill(Ellipse(-400.0, 20.0, 10.0, 10.0), 0.0, 1.0)
    tissue.fill(Ellipse(0.0, 400.0, 10.0, 10.0), 0.0, 1.0)
    assert (tissue.level == -20).all()


def test_an_ellipse_round_the_apex_reaches_every_beam() -> None:
    _, tissue = homogeneous(FULL)
    tissue.fill(Ellipse(0.0, -20.0, 60.0, 60.0), 0.0, 1.0)
    assert (tissue.level[0] == 0).all()
    assert (tissue.level[-1] == -20).all()


def test_distance_and_normal_of_a_circle_are_exact() -> None:
    rng = np.random.default_rng(0)
    x, z = rng.uniform(-50, 50, (2, 100)).astype(np.float32)
    distance, normal_x, normal_z = Ellipse(3.0, 4.0, 10.0, 10.0, 0.7).distance(x, z)
    radius = np.hypot(x - 3, z - 4)
    np.testing.assert_allclose(distance, radius - 10, atol=1e-3)
    np.testing.assert_allclose(normal_x, (x - 3) / radius, atol=1e-3)
    np.testing.assert_allclose(normal_z, (z - 4) / radius, atol=1e-3)


SMALL = replace(PhantomSettings.small(), n_sweeps=1, frames_per_sweep=3)


def mean_grey(settings: PhantomSettings) -> float:
    sweep = make_phantom(settings, 5).sweep
    return float(sweep.frames[:, sweep.field_of_view].mean())


def test_gain_brightens_and_attenuation_and_shadow_darken() -> None:
    base = mean_grey(SMALL)
    assert mean_grey(replace(SMALL, gain_db=8.0)) > base + 15
    assert mean_grey(replace(SMALL, attenuation_db_cm=1.2)) < base - 10
    assert mean_grey(replace(SMALL, shadow=4.0)) < base - 1
    assert mean_grey(replace(SMALL, noise_db=-30.0)) > base + 5


@pytest.mark.parametrize("span_db", [40.0, 60.0])
def test_grey_grows_with_decibels_over_the_dynamic_range(span_db: float) -> None:
    settings = replace(FULL, dynamic_range_db=span_db)
    dark, bright = (
        compress(settings, np.full((N_DEPTHS, N_BEAMS), 10 ** (level / 20), np.float32)).mean()
        for level in (-20, -10)
    )
    assert bright - dark == pytest.approx(255 * 10 / span_db, abs=0.1)
    white = compress(settings, np.full((N_DEPTHS, N_BEAMS), 100, np.float32))
    np.testing.assert_allclose(white, 255, rtol=1e-4)


def test_speckle_size_widens_speckle() -> None:
    coarse = replace(FULL, speckle_size=2.0)
    fine = received(FULL, *homogeneous(FULL))
    assert likeness(received(coarse, *homogeneous(coarse)), 3) > likeness(fine, 3) + 0.2


def test_probe_geometry_moves_the_fan() -> None:
    base = Fan(SMALL).field_of_view
    assert Fan(replace(SMALL, depth_mm=100.0)).field_of_view.sum() < 0.7 * base.sum()
    assert Fan(replace(SMALL, fan_half_angle_deg=20.0)).field_of_view.sum() < 0.8 * base.sum()
    assert Fan(SMALL.shifted()).field_of_view.sum() != base.sum()


def test_shifted_is_another_scanner_over_the_same_anatomy() -> None:
    base = make_phantom(PhantomSettings.small(), 5)
    moved = make_phantom(PhantomSettings.small().shifted(), 5)
    np.testing.assert_array_equal(base.labels, moved.labels)
    np.testing.assert_array_equal(base.ac_mm, moved.ac_mm)
    inside = base.sweep.field_of_view & moved.sweep.field_of_view
    greys = [
        np.bincount(made.sweep.frames[:, inside].ravel(), minlength=256) / made.sweep.frames.size
        for made in (base, moved)
    ]
    assert abs(greys[0] - greys[1]).sum() / greys[0].sum() > 0.25


def test_the_grid_is_as_documented() -> None:
    fan = Fan(FULL)
    assert fan.x.shape == fan.z.shape == (N_DEPTHS, N_BEAMS)
    assert fan.x.dtype == np.float32
    assert scatterers((0,), 0).shape == (2, N_DEPTHS, N_BEAMS)
