import numpy as np
import pytest
import scipy
from scipy.ndimage import gaussian_filter

from fetal_iqa_training.transforms.histogram_matching import GreyLevels
from fetal_iqa_training.transforms.speckle import respeckle
from napari_fetal_iqa.io import read_sweep


def respeckled(frame, seed=0, copies=1):
    return respeckle(np.stack([frame] * copies), np.random.default_rng(seed))


def grain_px(frame):
    """Lag along rows at which the autocorrelation of speckle falls below half."""
    centred = frame - frame.mean()
    power = np.abs(np.fft.fft2(centred)) ** 2
    correlation = np.fft.ifft2(power).real[:, 0]
    correlation /= correlation[0]
    after = np.argmax(correlation < 0.5)
    left = correlation[after - 1]
    return after - 1 + (left - 0.5) / (left - correlation[after])


def test_what_is_black_stays_so_and_nothing_else_is():
    frame = np.random.default_rng(1).integers(1, 256, (60, 80), dtype=np.uint8)
    frame[:, :15] = 0
    found = respeckled(frame, copies=5)
    assert found.dtype == np.float32
    assert ((found == 0) == (frame == 0)).all()
    assert found[:, frame > 0].min() >= 1
    assert not respeckled(np.zeros((60, 80), np.uint8)).any()


def test_the_same_generator_makes_the_same_speckle():
    frame = np.full((60, 80), 100, np.uint8)
    assert (respeckled(frame, seed=3) == respeckled(frame, seed=3)).all()
    assert (respeckled(frame, seed=3) != respeckled(frame, seed=4)).any()


def test_the_logarithm_of_rayleigh_speckle_is_what_is_added():
    """Moments of log R for R of a Rayleigh distribution: standard deviation pi / sqrt(24), skew of
    a Gumbel distribution."""
    found = respeckled(np.full((300, 300), 100, np.uint8), copies=40).reshape(40, -1)
    skew = scipy.stats.skew(found, axis=1)
    assert np.median(skew) == pytest.approx(-1.1395, abs=0.1)
    levels = found.std(axis=1) / (np.pi / np.sqrt(24))
    assert 18 < levels.min() < 26
    assert 44 < levels.max() < 52


def test_grain_is_drawn_from_fine_to_coarse_and_grows_with_the_frame():
    """The field correlates as exp(-d^2 / 4 g^2), its square so that half is left at 1.18 g."""
    small, large = (
        np.array([grain_px(respeckled(np.full(shape, 100, np.uint8), n)[0]) for n in range(30)])
        for shape in ((225, 300), (450, 600))
    )
    assert 1.18 * 0.0027 * 0.7 < large.min() / 600 < 1.18 * 0.0050
    assert 1.18 * 0.0110 * 0.7 < large.max() / 600 < 1.18 * 0.0135 * 1.2
    assert np.median(large) == pytest.approx(2 * np.median(small), rel=0.15)


def test_anatomy_is_still_there_in_the_grey_levels_of_another_scanner():
    rows, columns = np.indices((120, 160))
    disc = np.hypot(rows - 60, columns - 80) < 30
    frame = np.where(disc, 160, 60).astype(np.uint8)
    levels = GreyLevels(seed=0)
    levels.see(np.random.default_rng(2).integers(20, 120, (4, 120, 160)).astype(np.uint8))
    found = levels.lend(respeckled(frame, copies=10))
    assert found.dtype == np.uint8
    assert found.min() >= 20
    assert found.max() < 120
    for one in found:
        assert one[disc].mean() > one[~disc].mean() + 20


def test_a_real_head_keeps_its_anatomy_and_its_fan(real_data):
    frames = read_sweep(real_data / "fetal_head_sweep.mha").frames[100:116]
    found = respeckle(frames, np.random.default_rng(5))
    assert ((found == 0) == (frames == 0)).all()
    coarse, fine = np.transpose(
        [
            (
                alike(gaussian_filter(frame, 4), gaussian_filter(speckled, 4), frame > 0),
                alike(frame, speckled, frame > 0),
            )
            for frame, speckled in zip(frames.astype(float), found, strict=True)
        ]
    )
    assert coarse.min() > 0.7
    assert fine.mean() < 0.85


def alike(one, other, inside):
    return np.corrcoef(one[inside], other[inside])[0, 1]
