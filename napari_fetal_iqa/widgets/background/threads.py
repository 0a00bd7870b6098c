"""Threads for work that must not wait behind other work.

Qt's own pool has as many threads as the machine has cores: on two cores, two models that load
would let a sweep wait that is to be read.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QCoreApplication, QThreadPool, QTimer
from superqt.utils import FunctionWorker, GeneratorWorker, WorkerBase, create_worker

_READERS, _ANALYSERS = 3, 2
_AT_THE_END_MS = 2000
_KEPT_MS = 15000


class _ClosingWorker(GeneratorWorker):
    """Closes its generator where it ran, also where it was left in the middle.

    Python would close it wherever the last hold of it is dropped, and a database that it has open
    belongs to its thread alone.
    """

    def work(self) -> Any:
        try:
            return super().work()
        finally:
            self._gen.close()


class Lane:
    """Some threads of their own, for one kind of work.

    Parameters
    ----------
    threads : int
        At most so many pieces of work at a time; others wait.
    matters : bool
        Whether the program waits at its end for what has not begun, too.
    """

    def __init__(self, threads: int, matters: bool = False) -> None:
        self._threads = threads
        self._matters = matters
        self._pool: QThreadPool | None = None
        self._running: set[WorkerBase] = set()

    def worker(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Make a worker as superqt does; connect its signals, then :meth:`start` it.

        What goes wrong in it is its ``errored`` signal, and nothing else.
        """
        gives = inspect.isgeneratorfunction(function)
        return create_worker(
            function,
            *arguments,
            _worker_class=_ClosingWorker if gives else FunctionWorker,
            _ignore_errors=True,
            _start_thread=False,
        )

    def start(self, worker: Any) -> None:
        """Start a worker in a thread of this lane."""
        if self._pool is None:  # not at import: Qt's application may not be there yet
            self._pool = QThreadPool()
            self._pool.setMaxThreadCount(self._threads)
            application = QCoreApplication.instance()
            if application is not None:
                application.aboutToQuit.connect(self.end)
        self._running.add(worker)  # Qt keeps no hold of it
        # Not at once: to drop the last hold of it in its own signal takes away who is speaking.
        let_go = partial(self._running.discard, worker)
        worker.finished.connect(lambda: QTimer.singleShot(0, let_go))
        self._pool.start(worker)

    def end(self) -> None:
        """Wait for what is being done, for some seconds: Qt takes signals away at its end."""
        if self._pool is None:
            return
        if not self._matters:
            for worker in list(self._running):
                worker.quit()
        self._pool.waitForDone(_KEPT_MS if self._matters else _AT_THE_END_MS)


READING = Lane(_READERS)
"""For sweeps that are read: the next one need not wait for a slow one."""

ANALYSING = Lane(_ANALYSERS)
"""For models that load and run; a sweep that is cached need not wait for a load."""

LISTING = Lane(1)
"""For what the worklist says of thousands of sweeps: nothing else waits behind it."""

AHEAD = Lane(1)
"""For the next sweep, which nobody waits for yet."""

NOTING = Lane(1)
"""For small things that are noted in order, such as what was opened last."""

SUBJECTS = Lane(1)
"""For whose sweeps these are: noted in order, be it that one is read for it."""

THUMBNAILS = Lane(1)
"""For small pictures: one at a time is quick enough."""

MODELS = Lane(1)
"""For the list of models, which are hashed: one look after the other."""

KEEPING = Lane(1, matters=True)
"""For what was computed and is written to the disk: whoever closes the window waits for it."""

RESULTS = Lane(1, matters=True)
"""For reports and DICOM objects that somebody waits for."""

RESCUING = Lane(1, matters=True)
"""For what waits to be saved, kept aside meanwhile, and for rescues that are merged."""
