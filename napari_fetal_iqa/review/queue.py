"""The way of the expert through the frames to review, forth and back."""

from collections.abc import Callable


class ReviewQueue:
    """Frames to review in their order, and those that the expert has left behind.

    Forward goes to the first frame of the order that was not left behind yet; once all that wait
    were, to the one left behind longest ago, so that going on and on shows every frame once a
    round. Back goes the same way back, over corrected frames too.

    Parameters
    ----------
    order : callable
        Gives the frames to review, most valuable first; called again only after :meth:`forget`.
    """

    def __init__(self, order: Callable[[], list[int]]) -> None:
        self._ask = order
        self._order: list[int] | None = None
        self._behind: dict[int, None] = {}  # longest ago first

    @property
    def order(self) -> tuple[int, ...]:
        """The frames that wait, most valuable first."""
        if self._order is None:
            self._order = self._ask()
        return tuple(self._order)

    def forget(self) -> None:
        """Ask for the order anew when it is next needed."""
        self._order = None

    def restart(self) -> None:
        """Forget the order and the way that was gone."""
        self.forget()
        self._behind.clear()

    def forward(self, frame: int) -> int | None:
        """Leave a frame behind; return the frame to go to, or None where no other waits."""
        self._behind.pop(frame, None)
        self._behind[frame] = None
        waiting = [other for other in self.order if other != frame]
        fresh = (other for other in waiting if other not in self._behind)
        seen = (other for other in self._behind if other in waiting)
        return next(fresh, next(seen, None))

    def back(self, frame: int) -> int | None:
        """Return the frame left behind last, or None where the way begins."""
        self._behind.pop(frame, None)
        return self._behind.popitem()[0] if self._behind else None
