"""The window's corrections store: tried again for as long as it cannot be written."""

from pathlib import Path

from qtpy.QtCore import QObject, QTimer, Signal

from napari_fetal_iqa.corrections import (
    CorrectionStore,
    SweepRecord,
    beyond_rescue,
    move_to_disk,
    rescue,
)
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.widgets.background.kept_aside import KeptAside
from napari_fetal_iqa.widgets.background.store_watcher import StoreWatcher

_FIRST_MS, _AGAIN_MS = 40, 2000
"""Between two tries, twice as long each time: most locks of another desk last a flush of a disk."""
_TOLD_AFTER_MS = 300
"""Of tries in vain; what is written by then is no trouble."""
OPENING_WAIT_S = 0.05
"""Of the GUI thread while a sweep or the store is opened; a correction waits for no lock at all."""
_CLOSING_WAIT_S = 0.5


class StoreKeeper(QObject):
    """Opens the store when it is first needed and leaves it with nothing unsaved.

    What another program keeps from being written is tried again from time to time, so that the
    window never waits: the first times soon, and then ``delayed`` tells in one line why it is not
    saved yet. ``saved`` tells that all that waited is on disk; ``moved``, before it, that the store
    could be opened at last and is another object now. ``error_occurred`` tells in one line why it
    cannot be opened. ``watcher.news`` brings what other desks write, of the sweep that is watched.

    Parameters
    ----------
    store : CorrectionStore, optional
        An open one, which its owner closes; by default the user's own. It waits for no lock here.

    Attributes
    ----------
    problem : str
        Why something is not saved yet, once that lasts; else empty.
    """

    saved = Signal()
    moved = Signal()
    delayed = Signal(str)
    error_occurred = Signal(str)

    def __init__(self, store: CorrectionStore | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._own = store is None
        self.problem = ""
        if store is not None:
            store.set_wait(0)
        self._aside = KeptAside()
        self.watcher = StoreWatcher(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._again)
        self._tried_ms = 0

    @property
    def store(self) -> CorrectionStore:
        """The store; while its file cannot be opened, one in memory."""
        if self._store is None:
            path = paths.default_store()
            try:
                self._store = CorrectionStore(path, wait_s=OPENING_WAIT_S)
                self._store.set_wait(0)
            except StoreError as error:
                self._store = CorrectionStore(path, "memory")
                self.error_occurred.emit(error.in_window)
        return self._store

    @property
    def path(self) -> Path:
        """Of the store, whether it is open or not."""
        return paths.default_store() if self._store is None else self._store.path

    def watch(self, sweep: str) -> None:
        """Bring what other desks write of a sweep; once the store is on disk."""
        if self.store.on_disk:
            self.watcher.watch(self.store.path, sweep)

    @property
    def complete(self) -> bool:
        """Whether all corrections are on disk; while they are not, saving is tried again."""
        complete = self.store.on_disk and not self.store.waiting
        if complete:
            self._rest()
        elif not self._timer.isActive():
            self._timer.start(_FIRST_MS)
        return complete

    def _rest(self) -> None:
        self._timer.stop()
        self._aside.let_go(self.store.path)
        self._tried_ms, self.problem = 0, ""

    def _again(self) -> None:
        self._tried_ms += self._timer.interval()
        try:
            self._save()
        except StoreError as error:
            self._timer.start(min(2 * self._timer.interval(), _AGAIN_MS))
            if self._tried_ms >= _TOLD_AFTER_MS:
                self._aside.keep(self.store)
                self._tell(error.in_window)
        else:
            self._rest()
            self.saved.emit()

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self.delayed.emit(problem)

    def try_now(self) -> None:
        """Try at once to save what waits, because somebody asks for it; tell where it fails."""
        if not self._timer.isActive():
            return  # nothing waits
        self._tried_ms, self.problem = _TOLD_AFTER_MS, ""
        self._again()

    def _save(self, wait_s: float = 0) -> None:
        if self.store.on_disk:
            with self.store.patient(wait_s):
                self.store.write_waiting()
        else:
            self._store = move_to_disk(self.store, wait_s)
            self._store.set_wait(0)
            self.moved.emit()

    @property
    def unsaved(self) -> int:
        """How much is not on disk, after one more try to write it."""
        if self._store is None:
            return 0
        try:
            self._save(_CLOSING_WAIT_S)
        except StoreError:
            # that a sweep was opened is no loss
            return sum(not isinstance(one, SweepRecord) for one in self._store.unsaved)
        return 0

    def rescue(self, path: Path | None = None) -> Path | None:
        """Save what is not on disk into a store of its own: ``path``, or where it is found again.

        Raises
        ------
        StoreError, OSError
            Where that is refused, too.
        """
        if self._store is None:
            return None
        return self._aside.keep_now(self._store) if path is None else rescue(self._store, path)

    @property
    def beyond_rescue(self) -> str:
        """What a rescued store cannot hold, in one sentence; empty where it holds everything."""
        count = 0 if self._store is None else beyond_rescue(self._store)
        sweeps = "a sweep is" if count == 1 else f"{count} sweeps are"
        lost = f"That {sweeps} not fully reviewed after all could not be kept: untick it again."
        return lost if count else ""

    def close(self) -> str | None:
        """Close the store; return where to find what could not be written to it."""
        self._timer.stop()
        self.watcher.stop()
        if self._store is None:
            return None
        try:
            self._save(_CLOSING_WAIT_S)
        except StoreError:
            return self._rescue(self._store)
        else:
            self._aside.let_go(self._store.path)
        finally:
            if self._own:
                self._store.close()
        return None

    def _rescue(self, store: CorrectionStore) -> str | None:
        try:
            path = self._aside.keep_now(store)
        except (StoreError, OSError) as error:
            return f"Corrections could not be saved anywhere: {error}"
        if path is None:
            return self.beyond_rescue or None
        return (
            f"{store.path} could not be written. {self.beyond_rescue}".rstrip()
            + f" What was not saved is in {path}: the window offers it at its next start, or take "
            f"it over with napari-fetal-iqa corrections merge {path}"
        )
