"""Videos (AVI, MP4, MOV) as sweeps, decoded by FFmpeg through PyAV."""

import logging
import os
import struct
from collections.abc import Container
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.io.formats.display_matrix import Turn, enabled_tracks, turn_of_track
from napari_fetal_iqa.io.formats.edit_list import frames_shown
from napari_fetal_iqa.io.formats.frame_rate import FrameRate
from napari_fetal_iqa.io.formats.movie_boxes import check_boxes_whole
from napari_fetal_iqa.io.frames.frame_stack import (
    MAX_FRAME_PIXELS,
    FrameStack,
    check_expansion,
    check_frame_size,
    check_stack_size,
)
from napari_fetal_iqa.sweep import SweepVolume

logger = logging.getLogger(__name__)

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
        rate = append_video_frames(stack, file, CONTAINERS[path.suffix.lower()])
    return SweepVolume(
        stack.frames(),
        name=path.stem,
        source_format="video",
        path=path,
        frames_per_second=rate.per_second,
        rate_source=rate.source,
    )


def append_video_frames(stack: FrameStack, file: BinaryIO, container: str) -> FrameRate:
    """Decode the video of an open file onto a stack of (H, W) uint8 frames.

    Grey is the video's luma in full range. Frames are those that a player shows: of the first
    track that is enabled, turned as the track says, and cut as its edit list says.

    Parameters
    ----------
    stack : FrameStack
    file : binary file
        Open and seekable; not a name, so that FFmpeg can follow no reference to other files.
    container : str
        FFmpeg's name of the format.

    Returns
    -------
    FrameRate
        At which a player shows it.

    Raises
    ------
    SweepError
        Where the stream is damaged or truncated, or there is none; and where its frames say that
        they are to be turned otherwise than their track says.
    """
    name = stack.name
    stored_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    packets = promised = index = 0

    def check(pictures: int, rows: int, columns: int) -> None:
        check_stack_size(name, pictures * rows * columns)
        check_expansion(name, pictures * rows * columns, stored_bytes, MAX_PIXELS_PER_BYTE)

    try:
        if container == "avi":
            _check_riff(file)
        quicktime = container in ("mp4", "mov")
        if quicktime:
            check_boxes_whole(name, file)
        enabled = enabled_tracks(file) if quicktime else ()
        by_edits = frames_shown(name, file) if quicktime else {}
        with av.open(file, "r", format=container) as video:
            stream = _shown_stream(name, video, enabled)
            stream.thread_type = "AUTO"
            stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
            promised, index = stream.frames, video.streams.video.index(stream)
            turn = turn_of_track(name, file, stream.id) if quicktime else Turn()
            most = max(promised, by_edits.get(stream.id, 0))
            check(most, stream.codec_context.height, stream.codec_context.width)
            for packet in video.demux(stream):
                packets += packet.size > 0
                for frame in packet.decode():
                    check_frame_size(name, frame.height, frame.width)
                    # By packets, as those that an edit list leaves out are decoded, too.
                    check(packets, frame.height, frame.width)
                    if packet.is_corrupt or frame.is_corrupt:
                        raise ValueError("damaged frame")
                    if not turn.is_said_by(frame.rotation):
                        raise _turned_by_itself(name)
                    stack.append(turn.apply(grey_of(frame)))
        # An AVI counts the frames that its recorder dropped, too.
        if packets < promised and container != "avi":
            packets = _count_stored_frames(file, container, index)
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
    return _rate_of(file, container, index)


def _rate_of(file: BinaryIO, container: str, index: int) -> FrameRate:
    """Return the rate at which a player shows a video that was read to its end."""
    file.seek(0)
    with av.open(file, "r", format=container) as video:
        rate = video.streams.video[index].average_rate
    return FrameRate.of_file(None if rate is None else float(rate), "rate of the video")


def _shown_stream(
    name: str, video: av.container.InputContainer, enabled: Container[int]
) -> av.VideoStream:
    """Return the video that a player shows: no cover, and the first one that is enabled."""
    films = [s for s in video.streams.video if not s.disposition & Disposition.attached_pic]
    if not films:
        raise SweepError(f"{name}: expected a video, found none; choose another file")
    visible = [stream for stream in films if stream.id in enabled] or films
    if len(visible) > 1:
        logger.warning("%s: the first of its %d videos is read", shown(name), len(visible))
    return visible[0]


def _turned_by_itself(name: str) -> SweepError:
    """Frames may say that they lie (H.264 and H.265, display orientation), and players differ."""
    return SweepError(
        f"{name}: expected a video that only its track turns, found frames that say otherwise "
        f"themselves; export it again as it is to be seen"
    )


def _count_stored_frames(file: BinaryIO, container: str, index: int) -> int:
    """Count the frames that are there, also those that the edit list leaves out."""
    file.seek(0)
    with av.open(file, "r", format=container, options={"ignore_editlist": "1"}) as video:
        return sum(packet.size > 0 for packet in video.demux(video.streams.video[index]))


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
