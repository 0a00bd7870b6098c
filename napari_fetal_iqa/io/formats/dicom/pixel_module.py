"""Grey frames set into a data set: the image pixel and multi-frame modules (PS3.3, C.7.6.3, .6)."""

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.tag import Tag


def set_grey_frames(
    dataset: Dataset, frames: NDArray[np.uint8], frames_per_second: float | None = None
) -> None:
    """Set uint8 frames as the uncompressed pixels of a data set.

    Parameters
    ----------
    dataset : Dataset
        Its own frame times are kept where they fit.
    frames : (T, H, W) uint8
    frames_per_second : float, optional
        Of several frames; where neither it nor the data set says, frames are only counted.
    """
    count, dataset.Rows, dataset.Columns = frames.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    data = np.ascontiguousarray(frames).tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)
    dataset["PixelData"].VR = "OB"
    for keyword in ("NumberOfFrames", "FrameIncrementPointer", "PageNumberVector"):
        if keyword in dataset:
            del dataset[keyword]
    times = dataset.get("FrameTimeVector")
    if times is not None and (count == 1 or len(np.atleast_1d(times)) != count):
        del dataset.FrameTimeVector
    if count == 1:
        return
    dataset.NumberOfFrames = count
    if "FrameTimeVector" in dataset:
        dataset.FrameIncrementPointer = Tag("FrameTimeVector")
        return
    if "FrameTime" not in dataset and frames_per_second:
        dataset.FrameTime = round(1000 / frames_per_second, 6)
    if "FrameTime" in dataset:
        dataset.FrameIncrementPointer = Tag("FrameTime")
    else:
        dataset.PageNumberVector = list(range(1, count + 1))
        dataset.FrameIncrementPointer = Tag("PageNumberVector")
