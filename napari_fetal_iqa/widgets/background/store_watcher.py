"""Looks every second what other desks wrote into the store, in a thread of its own."""

import threading
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_fetal_iqa.corrections.news import NewsReader

_EVERY_S = 1.0


class StoreWatcher(QObject):
    """``news`` brings what was written of the watched sweep, by whomever, as StoreNews.

    The GUI thread never waits for the file: it may lie on a network drive, or be locked.
    """

    news = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stop: threading.Event | None = None

    def watch(self, path: Path, sweep: str) -> None:
        """Watch one sweep in a store, in place of what was watched before."""
        self.stop()
        self._stop = threading.Event()
        thread = threading.Thread(
            target=_look_again_and_again,
            args=(NewsReader(path, sweep), self, self._stop),
            name="watches the corrections store",
            daemon=True,  # a network drive that hangs holds nobody's exit
        )
        thread.start()

    def stop(self) -> None:
        """Watch nothing; a look that is under way brings nothing any more."""
        if self._stop is not None:
            self._stop.set()
            self._stop = None


def _look_again_and_again(reader: NewsReader, watcher: StoreWatcher, stop: threading.Event) -> None:
    try:
        while not stop.is_set():
            news = reader.look()
            if news is not None and not stop.is_set():
                watcher.news.emit(news)
            stop.wait(_EVERY_S)
    except RuntimeError:  # the window is gone, and the watcher with it
        pass
    finally:
        reader.close()
