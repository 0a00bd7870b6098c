import numpy as np
import pytest
import torch

from fetal_iqa_models import preprocess
from fetal_iqa_training.data.frame_set import (
    FrameDataset,
    FrameSet,
    Sample,
    build_frame_set,
    hash_frames,
    resize_masks,
)
from fetal_iqa_training.data.labelled_frames import LabelledFrames


def source(seed=0, n=40, shape=(42, 56)):
    random = np.random.default_rng(seed)
    frames = random.integers(0, 255, (n, *shape), dtype=np.uint8)
    masks = np.zeros((n, *shape), bool)
    masks[::2, 10:30, 20:40] = True
    return LabelledFrames(f"sweep {seed}", frames, masks, masks.any(axis=(1, 2)))


def test_a_frame_is_what_prediction_would_see(tmp_path):
    frames = build_frame_set([source()], 56, tmp_path)
    expected = preprocess(source().frames, 56, mean=(0, 0, 0), std=(1, 1, 1))[:, 0] * 255
    assert np.abs(frames.frames - expected.numpy()).max() <= 0.5 + 1e-3


def test_sources_of_different_shapes_become_one_set_in_their_order(tmp_path):
    first, second = source(0), source(1, n=7, shape=(80, 61))
    reported = []
    frames = build_frame_set([first, second], 28, tmp_path, reported.append)
    assert frames.frames.shape == frames.masks.shape == (47, 28, 28)
    assert (frames.positive == np.concatenate([first.positive, second.positive])).all()
    assert (frames.masks.any(axis=(1, 2)) == frames.positive).all()
    assert reported == [1, 2]


def test_frames_and_masks_stay_on_disk(tmp_path):
    frames = build_frame_set([source()], 56, tmp_path)
    assert isinstance(frames.frames, np.memmap)
    assert isinstance(frames.masks, np.memmap)
    assert not frames.frames.flags.writeable


def test_no_source_gives_an_empty_set(tmp_path):
    assert len(build_frame_set([], 28, tmp_path)) == 0


def test_masks_follow_the_frames_into_the_padded_square():
    mask = np.zeros((1, 42, 56), bool)
    mask[0, :, :28] = True
    square = resize_masks(mask, 112)
    rows = np.flatnonzero(square[0].any(axis=1))
    columns = np.flatnonzero(square[0].any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (14, 97, 0, 55)


def test_the_data_hash_is_to_be_had_without_making_the_set(tmp_path):
    sources = [source(0), source(1, n=7, shape=(80, 61))]
    assert hash_frames(sources) == build_frame_set(sources, 28, tmp_path).data_hash


@pytest.mark.parametrize("what", ["frames", "masks", "positive"])
def test_the_data_hash_tells_any_change(tmp_path, what):
    plain, changed = source(), source()
    getattr(changed, what)[3] ^= True
    hashes = {
        build_frame_set([one], 28, tmp_path / str(number)).data_hash
        for number, one in enumerate([plain, source(), changed])
    }
    assert len(hashes) == 2


def test_an_example_is_the_frame_itself_or_a_copy_by_its_seed(tmp_path):
    frames = build_frame_set([source()], 56, tmp_path)
    dataset = FrameDataset(frames)
    image, mask, positive = dataset[Sample(2)]
    assert (image.dtype, mask.dtype, positive) == (torch.uint8, torch.bool, True)
    assert (image.numpy() == frames.frames[2]).all()
    assert (dataset[2][0] == image).all()
    copy, _, _ = dataset[Sample(2, seed=5)]
    assert (copy != image).any()
    assert (copy == dataset[Sample(2, seed=5)][0]).all()


def shifted_out(frame, mask, seed):
    return torch.from_numpy(np.array(frame)), torch.zeros(mask.shape, dtype=torch.bool)


@pytest.mark.parametrize(("outlined", "left"), [(True, False), (False, True)])
def test_a_copy_whose_outline_left_it_shows_no_abdomen(outlined, left):
    """A good frame that nobody outlined keeps the label that somebody gave it."""
    masks = np.zeros((1, 8, 8), bool)
    masks[0, :2, :2] = outlined
    frames = FrameSet(np.ones((1, 8, 8), np.uint8), masks, np.array([True]), "")
    dataset = FrameDataset(frames, shifted_out)
    assert dataset[Sample(0)][2] is True
    assert dataset[Sample(0, seed=1)][2] is left


def test_no_copy_of_the_papers_augmentation_is_positive_without_a_pixel():
    masks = np.zeros((1, 64, 64), bool)
    masks[0, 2:12, 2:12] = True
    frames = FrameSet(np.full((1, 64, 64), 99, np.uint8), masks, np.array([True]), "")
    copies = [FrameDataset(frames)[Sample(0, seed)] for seed in range(100)]
    assert all(positive == bool(mask.any()) for _, mask, positive in copies)
    assert {positive for _, _, positive in copies} == {True, False}
