"""The range of frames that a label goes to."""

from psygnal import Signal


class FrameRange:
    """Some frames in a row, or none; grown from where it began, as a selection of text is.

    ``changed`` tells the range, (first, last) with both ends in it, or None.
    """

    changed = Signal(object)

    def __init__(self) -> None:
        self._begin: int | None = None
        self._end: int | None = None

    @property
    def ends(self) -> tuple[int, int] | None:
        """First and last frame, or None."""
        if self._begin is None or self._end is None or self._begin == self._end:
            return None
        return min(self._begin, self._end), max(self._begin, self._end)

    def extend(self, start: int, to: int) -> None:
        """Grow or shrink the range to a frame; begin it where there is none."""
        if self._begin is None:
            self._begin = start
        self._end = to
        self.changed.emit(self.ends)

    def clear(self) -> None:
        """Have no range."""
        if self._begin is not None:
            self._begin = self._end = None
            self.changed.emit(None)

    def frames(self, current: int) -> range:
        """Return the frames that a label goes to: the range around this frame, else the frame."""
        first, last = self.ends or (current, current)
        return range(first, last + 1) if first <= current <= last else range(current, current + 1)

    def leave(self, current: int) -> None:
        """Forget the range where the frame being looked at is not in it."""
        if self.ends is not None and current not in self.frames(self.ends[0]):
            self.clear()
