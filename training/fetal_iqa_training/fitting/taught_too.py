"""How many of the frames that choose and judge a fit taught it too, under whatever name."""

from collections.abc import Iterable, Iterator

from numpy.typing import ArrayLike

from fetal_iqa_models.cards import Resize
from fetal_iqa_training.data.frame_set import CHUNK, FrameSet, resize_frames
from fetal_iqa_training.data.labelled_frames import LabelledFrames
from fetal_iqa_training.data.shared_frames import frame_contents

TAUGHT_TOO = "frames_that_teach_too"
"""In a card's note of its training: how many frames of the validation and the test part do."""


class TaughtToo:
    """Counts frames that are among those that teach: the same at the network's size.

    Cases are split by subject. A copy under another subject's name, or a part of a sweep in a file
    of its own, is known by its frames alone.

    Parameters
    ----------
    training : FrameSet
    resize : "antialiased" or "published"
    """

    def __init__(self, training: FrameSet, resize: Resize) -> None:
        self._known = frozenset(frame_contents(training.frames))
        self._image_size = training.frames.shape[-1]
        self._resize = resize
        self.passed = 0
        """Of those that passed."""

    def among(self, frames: Iterable[ArrayLike]) -> int:
        """Count those of frames at the network's size."""
        return sum(content in self._known for content in frame_contents(frames))

    def passing(self, sources: Iterable[LabelledFrames]) -> Iterator[LabelledFrames]:
        """Hand on frames as they are, and count those that teach."""
        for source in sources:
            for start in range(0, len(source.frames), CHUNK):
                part = source.frames[start : start + CHUNK]
                self.passed += self.among(resize_frames(part, self._image_size, self._resize))
            yield source
