from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from fetal_iqa_models import preprocess, restore_masks
from fetal_iqa_models.registry import CLIP_MEAN, CLIP_STD

IDENTITY = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def by_pil(frame: NDArray[np.uint8], size: int) -> NDArray[np.float64]:
    """FetalCLIP's published preprocessing, with PIL: padded square, then bicubic."""
    rows, columns = frame.shape
    side = max(rows, columns)
    square = Image.new("L", (side, side))
    square.paste(Image.fromarray(frame), ((side - columns) // 2, (side - rows) // 2))
    return np.asarray(square.resize((size, size), Image.Resampling.BICUBIC), float)


def difference(frame: NDArray[np.uint8], size: int) -> float:
    """Grey levels, at the 99.9th percentile."""
    ours = preprocess(frame[None], size, **IDENTITY)[0, 0].numpy() * 255
    return float(np.percentile(np.abs(ours - by_pil(frame, size)), 99.9))


def smooth_noise(shape: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (23, 31), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(shape[::-1], Image.Resampling.BILINEAR))


@pytest.mark.parametrize("size", [56, 112, 224])
@pytest.mark.parametrize("shape", [(562, 744), (744, 562), (153, 211), (61, 60), (1, 9)])
def test_synthetic_frames_are_within_a_grey_level_of_pil(shape: tuple[int, int], size: int) -> None:
    noise = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    assert difference(smooth_noise(shape), size) <= 1
    assert difference(noise, size) <= 1


def test_real_frames_are_within_a_grey_level_of_pil(real_data: Path) -> None:
    paths = sorted((real_data / "hc18" / "images").glob("*.png"))[::60]
    paths += sorted((real_data / "fetal_planes_abdomen").glob("*.png"))
    assert len(paths) >= 5
    for path in paths:
        frame = np.asarray(Image.open(path).convert("L"))
        for size in (112, 224):
            assert difference(frame, size) <= 1, path.name


def test_channels_are_equal_before_normalisation() -> None:
    out = preprocess(smooth_noise((40, 50))[None], 32)
    assert out.shape == (1, 3, 32, 32)
    assert out.dtype == torch.float32
    grey = out * torch.tensor(CLIP_STD).view(3, 1, 1) + torch.tensor(CLIP_MEAN).view(3, 1, 1)
    for channel in (1, 2):
        torch.testing.assert_close(grey[:, channel], grey[:, 0])
    assert grey.min() >= -1e-6
    assert grey.max() <= 1 + 1e-6


def test_arrays_and_tensors_read_only_or_not_give_the_same() -> None:
    frames = np.stack([smooth_noise((40, 50), seed) for seed in range(3)])
    frames.setflags(write=False)
    expected = preprocess(torch.from_numpy(frames.copy()), 32)
    assert torch.equal(preprocess(frames, 32), expected)
    one_by_one = torch.cat([preprocess(frame[None], 32) for frame in frames])
    torch.testing.assert_close(one_by_one, expected, atol=1e-6, rtol=0)


def test_reduced_precision_of_the_caller_does_not_touch_the_image() -> None:
    frames = smooth_noise((60, 80))[None]
    with torch.autocast("cpu", torch.bfloat16):
        inside = preprocess(frames, 32)
    assert torch.equal(inside, preprocess(frames, 32))


@pytest.mark.parametrize(
    "frames", [np.zeros((4, 5), np.uint8), np.zeros((1, 4, 5)), np.zeros((1, 4, 5, 3), np.uint8)]
)
def test_anything_but_grey_uint8_frames_is_refused(frames: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="expected frames"):
        preprocess(frames)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(100, 900),
    columns=st.integers(100, 900),
    size=st.sampled_from([112, 224]),
    axes=st.tuples(st.floats(0.25, 0.5), st.floats(0.25, 0.5)),
)
def test_a_mask_sent_to_the_square_and_back_is_the_same_mask(
    rows: int, columns: int, size: int, axes: tuple[float, float]
) -> None:
    short = max(min(rows, columns), max(rows, columns) // 2)  # the longer side clips it
    y, x = np.mgrid[:rows, :columns]
    mask = ((y - rows / 2) / axes[0]) ** 2 + ((x - columns / 2) / axes[1]) ** 2 < short**2
    square = preprocess(mask[None].astype(np.uint8) * 255, size, **IDENTITY)[:, 0]
    back = restore_masks(square, (rows, columns))
    assert back.shape == (1, rows, columns)
    assert back.dtype == torch.bool
    overlap = 2 * (back[0].numpy() & mask).sum() / (back[0].numpy().sum() + mask.sum())
    assert overlap > 0.98


def test_off_centre_masks_come_back_to_their_place() -> None:
    for shape in ((100, 161), (161, 100), (101, 100)):
        mask = np.zeros(shape, bool)
        mask[5:40, 60:95] = True
        square = preprocess(mask[None].astype(np.uint8) * 255, 224, **IDENTITY)[:, 0]
        back = restore_masks(square.numpy(), shape)
        assert (back[0] != mask).sum() <= 4  # the corners


def test_probabilities_are_resampled_and_not_labels() -> None:
    probabilities = torch.tensor([[[0.9, 0.9], [0.3, 0.3]]])
    up = restore_masks(probabilities, (8, 8))[0, :, 0]
    # linear between the centres of the two rows at 1.5 and 5.5: 0.5 lies at row 4.17
    assert up.tolist() == [True] * 5 + [False] * 3
    assert restore_masks(probabilities, (8, 8), 0.7)[0, :, 0].sum() == 3
    assert restore_masks(probabilities, (8, 8), 0.95).sum() == 0


def test_a_probability_at_the_threshold_is_not_above_it() -> None:
    assert not restore_masks(np.full((1, 4, 4), 0.5, np.float32), (6, 6)).any()


def test_frames_without_a_mask_stay_empty_among_others() -> None:
    probabilities = np.zeros((3, 16, 16), np.float32)
    probabilities[1] = 1
    masks = restore_masks(probabilities, (20, 30))
    assert isinstance(masks, np.ndarray)
    assert masks.any((1, 2)).tolist() == [False, True, False]
    assert masks[1].all()
    assert restore_masks(probabilities[:0], (20, 30)).shape == (0, 20, 30)
