"""Against bicubic interpolation written out pixel by pixel, and against what OpenCV itself gave."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fetal_iqa_models import preprocess
from fetal_iqa_models.opencv_resize import nearest_as_opencv, resize_as_opencv

RANDOM = np.random.default_rng(5).integers(0, 256, (13, 13), dtype=np.uint8)


def kernel(x: float) -> float:
    """Keys' cubic with a = -0.75."""
    a, x = -0.75, abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def by_hand(square: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Interpolate each pixel by itself; edges go on with their last pixel."""
    side = len(square)
    lines = np.zeros((size, side))
    for out in range(size):
        place = (out + 0.5) * side / size - 0.5
        for tap in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            lines[out, min(max(tap, 0), side - 1)] += kernel(place - tap)
    return np.clip(np.rint(lines @ square.astype(float) @ lines.T), 0, 255).astype(np.uint8)


def padded(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = frame.shape
    side = max(rows, columns)
    top, left = (side - rows) // 2, (side - columns) // 2
    return np.pad(frame, ((top, side - rows - top), (left, side - columns - left)))


@pytest.mark.parametrize("shape", [(56, 74), (74, 56), (13, 13), (31, 30), (1, 9), (90, 200)])
@pytest.mark.parametrize("size", [16, 28, 56])
def test_frames_are_resized_as_written_out_by_hand(shape: tuple[int, int], size: int) -> None:
    frame = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    found = preprocess(frame[None], size, (0.0,) * 3, (1 / 255,) * 3, "published")
    assert torch.equal(found[0, 0], found[0, 2])
    np.testing.assert_array_equal(found[0, 0].numpy(), by_hand(padded(frame), size))


def test_opencv_itself_gave_the_same() -> None:
    # cv2.resize(RANDOM, (n, n), interpolation=cv2.INTER_CUBIC), OpenCV 4.12.0
    small = [[195, 210, 91, 187, 75], [147, 88, 123, 137, 44], [255, 131, 127, 97, 220],
             [187, 130, 171, 30, 2], [150, 133, 136, 88, 182]]  # fmt: skip
    large = [[60, 135, 114, 51, 38, 28, 79, 195, 134, 26, 174, 255, 72, 6, 129, 214],
             [2, 127, 85, 5, 52, 91, 123, 129, 76, 39, 104, 172, 97, 30, 71, 154],
             [39, 150, 177, 120, 114, 206, 77, 109, 97, 52, 179, 55, 123, 81, 39, 193]]  # fmt: skip
    frames = torch.from_numpy(RANDOM[None])
    assert resize_as_opencv(frames, 5, (0, 0), 13)[0].tolist() == small
    assert resize_as_opencv(frames, 16, (0, 0), 13)[0, 3:6].tolist() == large
    nearest = [[1, 1, 1, 1, 1], [0, 0, 0, 0, 0], [1, 0, 0, 1, 0],
               [1, 1, 1, 0, 1], [1, 1, 0, 1, 1]]  # fmt: skip
    assert nearest_as_opencv((frames > 127).byte(), 5)[0].tolist() == nearest


def test_small_structure_between_the_pixels_is_left_out_and_not_averaged() -> None:
    frame = np.zeros((1, 64, 64), np.uint8)
    frame[:, :, ::8] = 255  # every eighth column, which no pixel of eight times fewer looks at
    frame[:, :, 0] = 0
    assert preprocess(frame, 8, (0.0,) * 3, (1.0,) * 3, "published").max() == 0
    assert preprocess(frame, 8, (0.0,) * 3, (1.0,) * 3).max() > 0.1
