"""Videos (AVI, MP4, MOV) as sweeps, decoded by FFmpeg through PyAV."""

import os
import struct
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.display_matrix import Turn, turn_of_track
from napari_fetal_iqa.io.formats.edit_list import frames_shown
from napari_fetal_iqa.io.formats.frame_rate import FrameRate
from napari_fetal_iqa.io.frames.frame_stack import (
    MAX_FRAME_PIXELS,
    FrameStack,
    check_expansion,
    check_frame_size,
    check_stack_size,
)
from napari_fetal_iqa.sweep import SweepVolume

CONTAINERS = {
    ".avi": "avi",
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
}
"""FFmpeg's container of each ending; a file may not choose another, such as a playlist."""


MAX_PIXELS_PER_BYTE = 4000
"""A sweep in H.264 has about 100 pixels a byte, and a frozen picture no more than 4000."""


def read_video(path: Path) -> SweepVolume:
    """Read all frames of the first video stream of a file.

    Videos carry no spacing.

    Raises
    ------
    SweepError
        Where the file is damaged, truncated, or has no video frames.
    """
    stack = FrameStack(path.name)
    with path.open("rb") as file:
        append_video_frames(stack, file, CONTAINERS[path.suffix.lower()])
        rate = _rate_of(file, CONTAINERS[path.suffix.lower()])
    return SweepVolume(
        stack.frames(),
        name=path.stem,
        source_format="video",
        path=path,
        frames_per_second=rate.per_second,
        rate_source=rate.source,
    )


def _rate_of(file: BinaryIO, container: str) -> FrameRate:
    """Return the rate at which a player shows a video that was read to its end."""
    file.seek(0)
    with av.open(file, "r", format=container) as video:
        rate = video.streams.video[0].average_rate
    return FrameRate.of_file(None if rate is None else float(rate), "rate of the video")


def append_video_frames(stack: FrameStack, file: BinaryIO, container: str) -> None:
    """Decode the first video stream of an open file onto a stack of (H, W) uint8 frames.

    Grey is the video's luma in full range. Frames are those that a player shows: turned as the
    track says, and cut as its edit list says.

    Parameters
    ----------
    stack : FrameStack
    file : binary file
        Open and seekable; not a name, so that FFmpeg can follow no reference to other files.
    container : str
        FFmpeg's name of the format.

    Raises
    ------
    SweepError
        Where the stream is damaged or truncated, or there is none.
    """
    name = stack.name
    stored_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    packets = promised = 0

    def check(pictures: int, rows: int, columns: int) -> None:
        check_stack_size(name, pictures * rows * columns)
        check_expansion(name, pictures * rows * columns, stored_bytes, MAX_PIXELS_PER_BYTE)

    try:
        if container == "avi":
            _check_riff(file)
        quicktime = container in ("mp4", "mov")
        shown = frames_shown(name, file) if quicktime else {}
        with av.open(file, "r", format=container) as video:
            if not video.streams.video:
                raise SweepError(f"{name}: expected a video, found none; choose another file")
            stream = video.streams.video[0]
            stream.thread_type = "AUTO"
            stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
            promised = stream.frames
            turn = turn_of_track(name, file, stream.id) if quicktime else Turn()
            most = max(promised, shown.get(stream.id, 0))
            check(most, stream.codec_context.height, stream.codec_context.width)
            for packet in video.demux(stream):
                packets += packet.size > 0
                for frame in packet.decode():
                    check_frame_size(name, frame.height, frame.width)
                    # By packets, as those that an edit list leaves out are decoded, too.
                    check(packets, frame.height, frame.width)
                    if packet.is_corrupt or frame.is_corrupt:
                        raise ValueError("damaged frame")
                    stack.append(turn.apply(grey_of(frame)))
        # An AVI counts the frames that its recorder dropped, too.
        if packets < promised and container != "avi":
            packets = _count_stored_frames(file, container)
    except SweepError:
        raise
    except Exception as error:  # FFmpeg's own errors and, from damaged headers, Python's
        # FFmpeg's own refuses what no video needs, not what this machine lacks.
        if isinstance(error, MemoryError) and not isinstance(error, av.FFmpegError):
            raise
        raise SweepError(
            f"{name}: expected a whole video, found damage after frame {len(stack)}; "
            f"copy the file again"
        ) from error
    if packets < promised and container != "avi":
        raise SweepError(
            f"{name}: expected {promised} video frames, found {packets}; copy the file again"
        )


def _count_stored_frames(file: BinaryIO, container: str) -> int:
    """Count the frames that are there, also those that the edit list leaves out."""
    file.seek(0)
    with av.open(file, "r", format=container, options={"ignore_editlist": "1"}) as video:
        stream = video.streams.video[0]
        return sum(packet.size > 0 for packet in video.demux(stream))


def _check_riff(file: BinaryIO) -> None:
    """Refuse an AVI that ends within its chunks (AVI RIFF File Reference, Microsoft)."""
    size = file.seek(0, os.SEEK_END)
    place = file.seek(0)
    while place < size:
        kind, length = struct.unpack("<4sL", file.read(8))
        if kind != b"RIFF":
            break
        place = file.seek(place + 8 + length)
    if place > size:
        raise ValueError("ends too early")
    file.seek(0)


def grey_of(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return the luma of a decoded frame, (H, W) uint8 in full range."""
    grey = frame.reformat(format="gray", dst_color_range=ColorRange.JPEG)
    return np.asarray(grey.to_ndarray(), np.uint8)
