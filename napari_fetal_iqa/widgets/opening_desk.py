"""All ways to a sweep that the panel has: files, folders, and what was open last."""

import logging
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_fetal_iqa.storage.recent import recent_sweeps
from napari_fetal_iqa.widgets import reader_choice
from napari_fetal_iqa.widgets.background.sweep_opener import SweepOpener
from napari_fetal_iqa.widgets.background.threads import NOTING
from napari_fetal_iqa.widgets.panels.open_button import OpenButton
from napari_fetal_iqa.widgets.panels.welcome import WelcomePage
from napari_fetal_iqa.widgets.worklist.controller import Worklist

logger = logging.getLogger(__name__)


class OpeningDesk(QObject):
    """Ties the buttons that open sweeps to what opens them.

    Parameters
    ----------
    welcome : WelcomePage
    button : OpenButton
    opener : SweepOpener
    worklist : Worklist
    """

    phantom_requested = Signal()
    failed = Signal(str)

    def __init__(
        self, welcome: WelcomePage, button: OpenButton, opener: SweepOpener, worklist: Worklist
    ) -> None:
        super().__init__(welcome)
        self._welcome = welcome
        self._button = button
        self._opener = opener
        self._worklist = worklist
        for signal in (welcome.open_requested, button.file_requested):
            signal.connect(opener.choose_file)
        for signal in (
            welcome.folder_requested,
            button.folder_requested,
            worklist.folder_requested,
        ):
            signal.connect(self.choose_folder)
        for signal in (welcome.phantom_requested, button.phantom_requested):
            signal.connect(self.phantom_requested)
        for signal in (welcome.recent_requested, button.recent_requested):
            signal.connect(worklist.open_recent)
        worklist.noted.connect(self.look_again)
        welcome.readers.answered.connect(self._choose_reader)
        self.look_again()
        if reader_choice.shall_ask():
            welcome.readers.show()

    def choose_folder(self) -> None:
        """Ask for a folder and list its sweeps."""
        if folder := self._opener.choose_folder():
            self._worklist.open_folder(Path(folder))

    def look_again(self) -> None:
        """Offer what was open last, as it is noted now."""
        worker = NOTING.worker(recent_sweeps)
        worker.returned.connect(self._welcome.show_recent)
        worker.returned.connect(self._button.show_recent)
        NOTING.start(worker)

    def _choose_reader(self, ours: bool) -> None:
        if ours:
            reader_choice.remember_ours()
        try:
            reader_choice.note_asked(ours)
        except OSError:
            logger.warning("the answer could not be noted; the question will come again")
