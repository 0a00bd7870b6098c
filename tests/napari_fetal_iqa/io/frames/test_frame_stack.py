import numpy as np
import pytest

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.frames import frame_stack
from napari_fetal_iqa.io.frames.frame_stack import FrameStack, check_frame_size


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_frames_are_gathered_in_order(volume, dtype):
    stack = FrameStack("a")
    for frame in volume.astype(dtype):
        stack.append(np.asfortranarray(frame))

    assert len(stack) == 7
    assert stack.frames().dtype == dtype
    assert np.array_equal(stack.frames(), volume)


def test_frames_are_of_one_size_and_type(volume):
    stack = FrameStack("a")
    stack.append(volume[0])

    with pytest.raises(SweepError, match=r"a: expected frames of one size, found .* \(5, 32\)"):
        stack.append(volume[0, :5])
    with pytest.raises(SweepError, match="a: expected frames of one depth, found uint8 and int16"):
        stack.append(volume[0].astype(np.int16))


def test_no_frames_are_no_sweep():
    with pytest.raises(SweepError, match="a: expected frames, found none"):
        FrameStack("a").frames()


def test_a_stack_does_not_grow_beyond_any_sweep(volume, monkeypatch):
    monkeypatch.setattr(frame_stack, "MAX_STACK_BYTES", 3 * volume[0].nbytes)
    stack = FrameStack("a")
    for frame in volume[:3]:
        stack.append(frame)

    with pytest.raises(SweepError, match="at most"):
        stack.append(volume[3])


@pytest.mark.parametrize(("rows", "columns"), [(0, 5), (5, -1), (1 << 14, 1 << 14)])
def test_frames_that_no_scanner_makes_are_refused(rows, columns):
    with pytest.raises(SweepError, match="a: expected frames of at most"):
        check_frame_size("a", rows, columns)
