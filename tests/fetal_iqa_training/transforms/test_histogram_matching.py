import numpy as np

from fetal_iqa_training.transforms.histogram_matching import GreyLevels
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom


def made(seed, low, high):
    frame = np.random.default_rng(seed).integers(low, high, (40, 60)).astype(np.uint8)
    frame[:, :10] = 0
    return frame


def levels_of(*frames):
    levels = GreyLevels(seed=3)
    levels.see(np.stack(frames))
    return levels


def test_a_frame_takes_the_grey_levels_of_another_and_keeps_its_order_and_its_black():
    dim, bright = made(0, 5, 60), made(1, 100, 250)
    (found,) = levels_of(bright).lend(dim[None])
    shares = np.linspace(0.01, 0.99, 50)
    levels = np.quantile(found[found > 0], shares), np.quantile(bright[bright > 0], shares)
    assert np.abs(levels[0] - levels[1]).max() < 5
    assert (found[dim == 0] == 0).all()
    order = np.argsort(dim[dim > 0], kind="stable")
    assert (np.diff(found[dim > 0][order].astype(int)) >= 0).all()


def test_every_frame_seen_lends_its_levels_and_the_same_seed_the_same():
    frames = np.stack([made(seed, 5, 60) for seed in range(12)])
    seen = made(20, 100, 120), made(21, 200, 220)
    found, again = (levels_of(*seen).lend(frames) for _ in range(2))
    assert (found == again).all()
    brightness = [frame[frame > 0].mean() for frame in found]
    assert min(brightness) < 120
    assert max(brightness) > 200


def test_of_more_frames_than_are_kept_the_later_count_as_much_as_the_first():
    levels = GreyLevels(seed=0)
    levels.see(np.full((500, 4, 4), 50, np.uint8))
    levels.see(np.full((500, 4, 4), 200, np.uint8))
    found = levels.lend(np.full((400, 4, 4), 9, np.uint8))
    assert 0.35 < (found == 200).mean() < 0.65
    assert len(levels._sample) == 256


def test_black_frames_lend_nothing_and_stay_black():
    black, bright, dim = np.zeros((40, 60), np.uint8), made(1, 100, 250), made(0, 5, 60)
    assert not levels_of(bright).lend(black[None]).any()
    assert (levels_of(black).lend(dim[None]) == dim).all()


def test_a_phantom_takes_the_grey_levels_of_real_ultrasound(real_data):
    real = np.asarray(read_sweep(real_data / "fetal_head_sweep.mha").frames[100:120])
    phantom = np.asarray(make_phantom(PhantomSettings.small(), seed=3).sweep.frames[:4])
    found = levels_of(*real).lend(phantom)
    assert ((found == 0) == (phantom == 0)).all()

    def quartiles(frames):
        return np.array([np.quantile(frame[frame > 0], [0.25, 0.5, 0.75]) for frame in frames])

    lowest, highest = quartiles(real).min(0), quartiles(real).max(0)
    assert (quartiles(found) >= lowest - 2).all()
    assert (quartiles(found) <= highest + 2).all()
    assert np.abs(quartiles(found) - quartiles(phantom)).max() > 5  # it was another scanner's
