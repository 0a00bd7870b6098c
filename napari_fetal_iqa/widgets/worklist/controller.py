"""The day's work: a folder of sweeps, opened one after the other."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_fetal_iqa.analysis.models import choose_models
from napari_fetal_iqa.analysis.result import Analysis, AnalysisSetup
from napari_fetal_iqa.errors import words_in_window
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.model_library.automatic import models_for
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.review.worklist.columns import Row
from napari_fetal_iqa.review.worklist.facts import SweepFacts, gather
from napari_fetal_iqa.review.worklist.listing import Listing, list_sweeps
from napari_fetal_iqa.storage.recent import Recent, remember_opened
from napari_fetal_iqa.storage.settings import Settings
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets.background.analysis_runner import AnalysisRunner
from napari_fetal_iqa.widgets.background.sweep_opener import SweepOpener
from napari_fetal_iqa.widgets.background.threads import LISTING, NOTING
from napari_fetal_iqa.widgets.lower_corner import LowerCorner
from napari_fetal_iqa.widgets.panels.open_button import plain_tip
from napari_fetal_iqa.widgets.worklist.dock import WorklistDock
from napari_fetal_iqa.widgets.worklist.read_ahead import ReadAhead
from napari_fetal_iqa.widgets.worklist.subject_desk import SubjectDesk
from napari_fetal_iqa.widgets.worklist.widget import WorklistWidget

_LOOK_AGAIN_MS = 1000
"""After a change of the sweep on the screen: a stroke or a batch seldom comes alone."""


class Worklist(QObject):
    """Lists the sweeps of a folder, opens the next and the previous, and reads one ahead.

    ``failed`` tells in one line why a folder cannot be listed; ``action_requested`` which key a
    button stands for; ``noted`` that what was opened is kept in the list of recent sweeps.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    corner : LowerCorner
    opener : SweepOpener
    runner : AnalysisRunner
    settings : callable
        Gives the settings as they are now.
    store : callable
        Gives the path of the corrections store.
    """

    failed = Signal(str)
    folder_requested = Signal()
    action_requested = Signal(object)
    noted = Signal()

    def __init__(
        self,
        viewer: Viewer,
        corner: LowerCorner,
        opener: SweepOpener,
        runner: AnalysisRunner,
        settings: Callable[[], Settings],
        store: Callable[[], Path],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._opener = opener
        self._runner = runner
        self._settings = settings
        self._store = store
        self.listing: Listing | None = None
        self._rows: list[Row] = []
        self._row_at: dict[Path, int] = {}
        self._open_first: Path | None = None
        self._again = False
        self._wanted: SweepSource | None = None
        self._front: SweepSource | None = None  # the last one of the list on the screen
        self._way = 0  # where to go on if the wanted one cannot be read: forward, back, nowhere
        self._unreadable: dict[Path, str] = {}
        self._passed: list[str] = []
        self._session: ReviewSession | None = None
        self._lookup: Any = None
        self.dock = WorklistDock(viewer, corner, self)
        self.dock.made.connect(self._connect)
        self.subjects = SubjectDesk(store, self)
        self.subjects.noted.connect(self._look_at_noted)
        self.subjects.doing.connect(lambda doing: self.widget.say(doing))
        self.subjects.failed.connect(self.failed)
        self.ahead = ReadAhead(runner, self)
        self.ahead.read.connect(self._was_read_ahead)
        self.ahead.analysed.connect(self._look_at_source)
        self.ahead.failed.connect(self._failed_ahead)
        self.ahead.left.connect(self._read_if_wanted)
        self.ahead.gave_way.connect(self._begin_ahead)
        runner.ended.connect(self._begin_ahead)
        opener.source_failed.connect(self._cannot_be_read)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_LOOK_AGAIN_MS)
        self._soon.timeout.connect(self._look_at_front)

    def _connect(self, widget: WorklistWidget) -> None:
        widget.chosen.connect(self.open)
        widget.folder_requested.connect(self.folder_requested)
        widget.action_requested.connect(self.action_requested)

    @property
    def widget(self) -> WorklistWidget:
        """The list itself, made when it is first wanted."""
        return self.dock.widget

    # Listing -------------------------------------------------------------------------------

    def open_folder(self, folder: Path, first: Path | None = None, again: bool = False) -> None:
        """List the sweeps of a folder, and open one of them; a folder of one sweep is that sweep.

        Parameters
        ----------
        folder : Path
        first : Path, optional
            The sweep to open; by default the first of the folder.
        again : bool
            Whether to leave the list closed where somebody closed it: the folder was open before.
        """
        self._open_first, self._again = first, again
        worker = LISTING.worker(list_sweeps, folder)
        self._leave_lookup()
        self._lookup = worker
        worker.returned.connect(lambda listing: self._show(worker, listing))
        worker.errored.connect(lambda error: self.failed.emit(words_in_window(error)))
        LISTING.start(worker)

    def _show(self, worker: Any, listing: Listing) -> None:
        if worker is not self._lookup:
            return
        if len(listing.sources) == 1 and not self.dock.shown:
            self._opener.read_source(listing.sources[0])
            return
        self.listing = listing
        self._rows = [Row(source, listing.name(source)) for source in listing.sources]
        self._row_at = {row.source.path: number for number, row in enumerate(self._rows)}
        folder = listing.folder.resolve()
        self.widget.show_rows(shown(folder.name), self._rows)
        self.widget.folder.setToolTip(plain_tip(f"{folder}\n{listing.notice}".strip()))
        self._wanted = self._front = None
        self._unreadable = {}
        if self._again:
            self.dock.show_unless_closed()
        else:
            self.dock.show()
        first = self._row_at.get(self._open_first or Path())
        number = first or 0
        self._passed = []
        self._open(number, way=1 if first is None else 0)
        self._look_at([*range(number, len(self._rows)), *range(number)], whole=True)

    def _look_at(
        self, numbers: list[int], whole: bool = False, analysis: Analysis | None = None
    ) -> None:
        """Find out in the background what is known of some rows."""
        settings = self._settings()

        def models(simulated: bool) -> AnalysisSetup:
            models = models_for(settings, simulated)
            return choose_models(*models, cascade=settings.cascade_by).setup()

        rows = self._rows
        sources = [(number, rows[number].source) for number in numbers]
        worker = LISTING.worker(gather, sources, self._store(), settings.reviewer, models, analysis)
        if whole:
            self._leave_lookup()
            self._lookup = worker
        worker.yielded.connect(lambda facts: self._take(worker, rows, facts))
        if whole:
            worker.finished.connect(lambda: self._looked(worker))
        (LISTING if whole else NOTING).start(worker)  # one row waits behind no others

    def _leave_lookup(self) -> None:
        """Let a folder that is being looked through be: it matters no more."""
        lookup, self._lookup = self._lookup, None
        if lookup is not None:
            lookup.quit()

    def _take(self, worker: Any, rows: list[Row], facts: dict[int, SweepFacts]) -> None:
        if rows is not self._rows:
            worker.quit()  # another folder is shown
            return
        self.widget.model.take({number: self._as_found(number, facts[number]) for number in facts})
        if worker is self._lookup:
            done = sum(row.facts is not None for row in rows)
            self._say("" if done == len(rows) else f"Looking at {done}…")

    def _as_found(self, number: int, facts: SweepFacts) -> SweepFacts:
        """Return what is known of a row: behind a good header its frames may be unreadable."""
        row, reviewer, session = self._rows[number], self._settings().reviewer, self._session
        if why := self._unreadable.get(row.source.path):
            return SweepFacts(failed=why)
        facts = facts.after(row.facts, reviewer)
        if session is None or session.sweep.path != row.source.path:
            return facts
        if not session.shown == session.reviewer == reviewer:
            return facts
        return facts.with_corrected(reviewer, len(session.corrections()))  # also what waits

    def _looked(self, worker: object) -> None:
        if worker is self._lookup:
            self._lookup = None
            self._say()

    def look_again(self) -> None:
        """Find out anew what is known of all sweeps: models or reviewer are others now."""
        if self._rows:
            self._look_at(list(range(len(self._rows))), whole=True)

    def ask_subject(self) -> None:
        """Ask whose the selected sweeps are, else that on the screen."""
        self.dock.show()
        numbers = self.widget.selected() if self._rows else []
        if numbers:
            self.subjects.ask([self._rows[number] for number in numbers], self.widget.window())
        elif self._rows:
            self.widget.say("Select the sweeps first whose subject you know")

    def _look_at_noted(self, rows: list[Row]) -> None:
        here = (self._row_at.get(row.source.path) for row in rows if self._rows)
        numbers = {number for number in here if number is not None}
        if self._session is not None and self.widget.model.in_front in numbers:
            self._look_at_front()
            numbers.discard(self.widget.model.in_front)
        if numbers:
            self._look_at(sorted(numbers))

    # Opening -------------------------------------------------------------------------------

    def open(self, number: int) -> None:
        """Open a sweep of the list; one that was read ahead is there at once."""
        self._passed = []
        self.widget.return_keys()
        self._open(number)

    @property
    def opening(self) -> bool:
        """Whether a sweep of the list is asked for that is being read ahead, and brought then."""
        wanted = self._wanted if self._rows else None
        return wanted is not None and wanted != self._front and self.ahead.is_reading(wanted)

    def _open(self, number: int, way: int = 0) -> None:
        source = self._rows[number].source
        self._wanted, self._way = source, way
        if self.ahead.is_reading(source):
            self.widget.say(f"Opening {self._rows[number].name}…")
            return
        sweep = self.ahead.take(source)
        if sweep is not None:
            self._opener.give(sweep)
        else:
            self.widget.say(f"Opening {self._rows[number].name}…")
            self._opener.read_source(source)

    def _say(self, doing: str = "") -> None:
        """Show what is going on; else which sweeps were passed over."""
        if not doing and self._passed:
            few = ", ".join(self._passed[:2])
            more = f" and {len(self._passed) - 2} more" if len(self._passed) > 2 else ""
            doing = f"Passed over, cannot be read: {few}{more}"
        self.widget.say(doing)

    def _cannot_be_read(self, source: SweepSource, message: str) -> None:
        """Mark a sweep as failed, and go past it where it was only the next one."""
        number = self._row_at.get(source.path)
        if number is None or not self._rows:
            return
        wanted, way = source == self._wanted, self._way
        beside, passed = self.widget.beside(number, way or 1)  # while this one is shown
        self._unreadable[source.path] = message
        self.widget.model.take({number: SweepFacts(failed=message)})
        if not wanted:
            return
        if way:
            self._passed += [self._rows[other].name for other in (number, *passed)]
        if way and beside is not None:
            self._open(beside, way)
            return
        if way or self._front is not None:
            self._wanted = self._front  # the next step goes on from what is seen
        if self._front_path is not None:
            self.widget.mark_front()
        self._say()

    def _read_if_wanted(self, source: SweepSource) -> None:
        if source == self._wanted and source.path != self._front_path:
            self._opener.read_source(source)

    def _was_read_ahead(self, source: SweepSource) -> None:
        if source == self._wanted and source.path != self._front_path:
            sweep = self.ahead.take(source)
            if sweep is not None:
                self._opener.give(sweep)

    def step(self, rows: int) -> None:
        """Open the sweep some rows on, or back, in the order in which they are shown."""
        if not self._rows:
            self.dock.show()
            return
        wanted = None if self._wanted is None else self._row_at.get(self._wanted.path)
        number, passed = self.widget.beside(wanted, rows)
        if number is None:
            end = "This is the last sweep shown" if rows > 0 else "This is the first"
            self.widget.say(f"{end} that can be read" if passed else end)
        else:
            self._passed = [self._rows[other].name for other in passed]
            self.widget.return_keys()
            self._open(number, way=rows)

    def holds(self, sweep: SweepVolume) -> bool:
        """Whether a sweep is one of the list."""
        return sweep.path is not None and sweep.path in self._row_at

    @property
    def _front_path(self) -> Path | None:
        number = self.widget.model.in_front if self._rows else None
        return None if number is None else self._rows[number].source.path

    def show_front(self, sweep: SweepVolume | None) -> None:
        """Mark the sweep that is on the screen, and note that it was opened."""
        self._session = None
        if sweep is not None and sweep.path is not None:
            folder = self.listing.folder if self.listing and self.holds(sweep) else None
            worker = NOTING.worker(remember_opened, sweep.path, folder)
            worker.finished.connect(self.noted)
            NOTING.start(worker)
        if self._rows:
            path = sweep.path if sweep is not None and self.holds(sweep) else None
            if path is None:
                self.ahead.stop()  # nobody goes on from here
            if path is not None:
                self._wanted = self._front = self._rows[self._row_at[path]].source
                self._unreadable.pop(path, None)
            elif sweep is not None:
                self._wanted = self._front  # what was wanted since does not come any more
            self.widget.show_front(self._row_at[path] if path else None)
            self._say()

    def open_recent(self, recent: Recent) -> None:
        """Open what was open before, with its list."""
        if recent.folder and Path(recent.folder).is_dir():
            self.open_folder(Path(recent.folder), Path(recent.path), again=True)
        else:
            self._opener.read(recent.path)

    # The sweep on the screen, and the next ---------------------------------------------------

    def follow(self, session: ReviewSession) -> None:
        """Keep the row of the sweep on the screen up to date, and read the next one."""
        self._session = session
        session.frames_changed.connect(self.changed)
        session.frames_computed.connect(self.changed)
        self.changed()
        self._begin_ahead()

    def changed(self) -> None:
        """Look soon at what changed of the sweep on the screen."""
        if self._rows and not self._soon.isActive():
            self._soon.start()

    def _look_at_front(self) -> None:
        session = self._session
        number = None if session is None else self._row_at.get(session.sweep.path or Path())
        if session is not None and number is not None:
            self._look_at([number], analysis=session.analysis)

    def _look_at_source(self, source: SweepSource) -> None:
        if (number := self._row_at.get(source.path)) is not None:
            self._look_at([number])

    def _failed_ahead(self, source: SweepSource, message: str) -> None:
        waited_for = source == self._wanted
        if waited_for:
            self.failed.emit(message)
        self._cannot_be_read(source, message)
        if not waited_for:
            self._begin_ahead()  # the one after it

    def _begin_ahead(self) -> None:
        waits = self._runner.running and self.ahead.has_read  # its end is told
        if waits or self._session is None or not self._rows or self.widget.model.in_front is None:
            return
        number, _ = self.widget.beside(self.widget.model.in_front, 1)
        if number is not None:
            self.ahead.begin(self._rows[number].source, self._settings())

    def close(self) -> None:
        """Stop what runs for the list, and hide it; for good."""
        self._soon.stop()
        self.ahead.stop()
        self.subjects.close()
        self._session, self._rows = None, []
        self._leave_lookup()
        self.dock.leave()
