"""A rescue for as long as something waits to be saved: nobody knows how the program will end."""

import logging
from pathlib import Path

from napari_fetal_iqa.corrections import CorrectionStore, Unsaved, write_rescue
from napari_fetal_iqa.corrections.rescued import count_new
from napari_fetal_iqa.corrections.rescuing import take_away
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.widgets.background.threads import RESCUING

logger = logging.getLogger(__name__)


class KeptAside:
    """One file a session, written in the background while something waits, and at the end.

    Attributes
    ----------
    path : Path or None
        Of the file, once there is one.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self._mark: tuple[int, ...] = ()
        self._writing = False

    def keep(self, store: CorrectionStore) -> None:
        """Keep what waits now, in the background, unless it is kept already."""
        if self._writing or store.said_mark == self._mark:
            return
        try:
            unsaved = Unsaved.of(store)
        except StoreError:  # of a store in memory: the next try may read it
            return
        mark = store.said_mark
        if not unsaved:
            self._mark = mark
            return
        self._writing = True
        RESCUING.start(RESCUING.worker(self._write, unsaved, store.path, mark))

    def _write(self, unsaved: Unsaved, store: Path, mark: tuple[int, ...]) -> None:
        try:
            self.path = write_rescue(unsaved, store, again=self.path)
            self._mark = mark
        except (StoreError, OSError) as error:
            logger.warning("what waits to be saved could not be kept aside either: %s", error)
            self._mark = mark  # once a change; the end tries again
        finally:
            self._writing = False

    def keep_now(self, store: CorrectionStore) -> Path | None:
        """Keep what waits, before this returns; None where there is nothing.

        Raises
        ------
        StoreError, OSError
            Where that cannot be written anywhere.
        """
        if self._writing:
            RESCUING.end()  # so that both write into one file
        unsaved = Unsaved.of(store)
        if not unsaved:
            return None
        self.path = write_rescue(unsaved, store.path, again=self.path)
        return self.path

    def let_go(self, store: Path) -> None:
        """Take the file away, once everything in it is sure to be in the store."""
        self._mark = ()
        if self.path is not None or self._writing:
            RESCUING.start(RESCUING.worker(self._take_away, store))

    def _take_away(self, store: Path) -> None:
        path, self.path = self.path, None
        if path is None:
            return
        try:
            if count_new(path, store) == 0:
                take_away(path)
        except (StoreError, OSError) as error:  # it is offered at the next start
            logger.warning("%s was kept: %s", path, error)
