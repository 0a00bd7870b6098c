"""Work for the next moments in which the window has nothing else to do."""

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer


class IdleQueue(QObject):
    """Does each requested job once, however often it was requested, one at a time.

    Between two jobs the window answers the expert and draws.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._jobs: dict[Callable[[], None], None] = {}
        self._timer = QTimer(self)  # without an interval it fires whenever there is time
        self._timer.timeout.connect(self._do_one)

    def add(self, *jobs: Callable[[], None]) -> None:
        """Do these soon, in this order."""
        self._jobs.update(dict.fromkeys(jobs))
        self._timer.start()

    def clear(self) -> None:
        """Forget what was requested."""
        self._jobs = {}
        self._timer.stop()

    @property
    def idle(self) -> bool:
        """Whether all that was requested is done."""
        return not self._jobs

    def now(self) -> None:
        """Do all that was requested."""
        while self._jobs:
            self._do_one()

    def _do_one(self) -> None:
        if not self._jobs:
            self._timer.stop()
            return
        job = next(iter(self._jobs))
        del self._jobs[job]
        job()
