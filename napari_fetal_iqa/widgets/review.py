"""The review widget: puts the parts together and follows the layers of the viewer."""

import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from napari.layers import Image, Layer
from napari.utils.events import Event
from napari.utils.notifications import show_error
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QSize, QTimer, Signal
from qtpy.QtGui import QCloseEvent, QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QDockWidget,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import create_worker

from napari_fetal_iqa.analysis.result import Analysis
from napari_fetal_iqa.analysis.worker_client import RemoteAnalyser
from napari_fetal_iqa.contributions.layers import sweep_layer
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.errors import StoreError, StoreUnwritableError, words_in_window
from napari_fetal_iqa.finetuning.report import ComparisonReport, take_into_use
from napari_fetal_iqa.geometry.caliper import CaliperKind
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import Settings, SettingsFile
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets import shortcuts
from napari_fetal_iqa.widgets.actions import STORING
from napari_fetal_iqa.widgets.background.analysis_runner import AnalysisRunner
from napari_fetal_iqa.widgets.background.close_guard import CloseGuard
from napari_fetal_iqa.widgets.background.end_signals import EndSignals
from napari_fetal_iqa.widgets.background.simulation_monitor import (
    SimulationMonitor,
    is_simulated,
    stop_simulating,
)
from napari_fetal_iqa.widgets.background.store_keeper import OPENING_WAIT_S, StoreKeeper
from napari_fetal_iqa.widgets.background.sweep_opener import SweepOpener
from napari_fetal_iqa.widgets.background.tasks import (
    import_what_sweeps_need,
    is_prepared,
    prepare_sweep,
)
from napari_fetal_iqa.widgets.background.threads import (
    ANALYSING,
    KEEPING,
    READING,
    RESULTS,
)
from napari_fetal_iqa.widgets.candidates.controller import Candidates
from napari_fetal_iqa.widgets.finetuning.controller import FinetuningController
from napari_fetal_iqa.widgets.focus_guard import FocusGuard
from napari_fetal_iqa.widgets.focus_ring import FocusRing
from napari_fetal_iqa.widgets.lower_corner import LowerCorner
from napari_fetal_iqa.widgets.models.dialog import ModelsDialog
from napari_fetal_iqa.widgets.opening_desk import OpeningDesk
from napari_fetal_iqa.widgets.panels.keys_page import KeysPage
from napari_fetal_iqa.widgets.panels.rescued_notice import RescuedNotice
from napari_fetal_iqa.widgets.panels.review_page import ReviewPage
from napari_fetal_iqa.widgets.panels.welcome import WelcomePage
from napari_fetal_iqa.widgets.passing_line import PassingLine
from napari_fetal_iqa.widgets.presenter import SweepPresenter
from napari_fetal_iqa.widgets.rescued_desk import RescuedDesk
from napari_fetal_iqa.widgets.result.desk import ResultDesk
from napari_fetal_iqa.widgets.shortcuts import Action
from napari_fetal_iqa.widgets.small_screen import ScreenFit, is_low, make_room
from napari_fetal_iqa.widgets.stopped_review import StoppedReview
from napari_fetal_iqa.widgets.theme import dye, dye_anew, palette_of
from napari_fetal_iqa.widgets.timeline.dock import TimelineDock
from napari_fetal_iqa.widgets.viewer.caliper_tool import CALIPER_HINTS
from napari_fetal_iqa.widgets.viewer.caption import Caption
from napari_fetal_iqa.widgets.viewer.compat import (
    ask_before_close,
    delete_in_own_context,
    focus_canvas,
    hide_when_closed,
    main_window,
    unwrapped,
)
from napari_fetal_iqa.widgets.viewer.ellipse_tool import HINT
from napari_fetal_iqa.widgets.viewer.first_paint import FirstPaint
from napari_fetal_iqa.widgets.viewer.foreign_changes import as_read
from napari_fetal_iqa.widgets.viewer.frame_fit import FrameFit
from napari_fetal_iqa.widgets.viewer.frame_seen import hide_other_images
from napari_fetal_iqa.widgets.viewer.layer_sweep import can_come_back, sweep_of
from napari_fetal_iqa.widgets.viewer.navigator import Navigator
from napari_fetal_iqa.widgets.viewer.opening import tell_unopened
from napari_fetal_iqa.widgets.viewer.status_keys import StatusKeys
from napari_fetal_iqa.widgets.viewer.sweep_view import SweepView
from napari_fetal_iqa.widgets.worklist.controller import Worklist
from napari_fetal_iqa.widgets.worklist.dropped_folder import list_dropped

if TYPE_CHECKING:
    from napari_fetal_iqa.widgets.timeline.widget import Timeline

_WHEN_LAID_OUT_MS = (0, 400)  # the docks beside the panel take their room later

_WIDTH = 330
_STORE_AGAIN_MS = 1000
_MISSING = "This frame is being simulated"
_NOT_READ = "Nothing was changed: the sweep is not read to its end yet"


class ReviewWidget(QWidget):
    """The expert's desk in napari: overlay, timeline and corrections of one sweep.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Given by napari.
    store : CorrectionStore, optional
        Where corrections go; by default the user's own store.
    analyser : RemoteAnalyser, optional
        The process that runs the networks; by default one of its own.
    settings : Settings, optional
        By default those of the user, which the widget also keeps.

    Attributes
    ----------
    presenter : SweepPresenter or None
        Of the sweep that is open, from when it was read to its end.
    layer : napari.layers.Image or None
        Of the sweep that is open, or is being read.
    """

    error_occurred = Signal(str)

    def __init__(
        self,
        napari_viewer: Viewer,
        store: CorrectionStore | None = None,
        analyser: RemoteAnalyser | None = None,
        settings: Settings | None = None,
    ) -> None:
        super().__init__()
        self.viewer = unwrapped(napari_viewer)
        delete_in_own_context(self.viewer)
        self.settings_file = SettingsFile(settings)
        self.keeper = StoreKeeper(store, self)
        analyser = analyser or RemoteAnalyser()
        self.runner = AnalysisRunner(analyser, self)
        # whoever ends first: the process of the networks goes too
        main_window(self.viewer).destroyed.connect(analyser.close)
        self._end_signals = EndSignals(self.shut_down, self)
        self.close_guard = CloseGuard(
            main_window(self.viewer), self.keeper, self.shut_down, self._under_way
        )
        self.presenter: SweepPresenter | None = None
        self.layer: Image | None = None
        self._stopped: StoppedReview | None = None
        self._last: SweepVolume | None = None
        self._closed = False
        self._dock: QDockWidget | None = None
        self._build()
        self._connect()
        self._follow_theme()
        self.rescued_desk.look()
        self.finetuning.find()
        self.page.open_sections()
        for layer in list(self.viewer.layers):
            self._open(layer)
        leave_telling = tell_unopened(self.viewer, self._show_error)
        leave_listing = list_dropped(self.viewer, self.worklist.open_folder)
        leave_close = ask_before_close(self.viewer, self.close_guard.may_close)
        self._leave_opening = lambda: (leave_listing(), leave_telling(), leave_close())

    # The parts -----------------------------------------------------------------------------

    def _build(self) -> None:
        self.welcome = WelcomePage()
        self.opener = SweepOpener(self)
        self.simulation = SimulationMonitor(self)
        self.page = ReviewPage(self.settings_file.settings, lambda: self.keeper.store.path)
        self.timeline_dock = TimelineDock(self.viewer, self)
        corner = LowerCorner(self.viewer, self)
        self.candidates = Candidates(self.viewer, corner, self.timeline_dock, self)
        self.worklist = Worklist(
            self.viewer,
            corner,
            self.opener,
            self.runner,
            lambda: self.settings_file.settings,
            lambda: self.keeper.store.path,
            self,
        )
        self.first_paint = FirstPaint(
            self.viewer, lambda: self.opener.opening or self.worklist.opening, self
        )
        self.desk = OpeningDesk(self.welcome, self.page.open, self.opener, self.worklist)
        self.finetuning = FinetuningController(
            self.page.finetuning,
            lambda: self.keeper.store,
            lambda: self.settings_file.settings,
            self._use_model,
            self,
        )
        self.result = ResultDesk(self.page.result, self)
        self.rescued = RescuedNotice()
        self.rescued_desk = RescuedDesk(self.rescued, lambda: self.keeper.path, self)
        self.keys_page = KeysPage()
        self._pages = QStackedWidget()
        for page in (self.welcome, self.page, self.keys_page):
            self._pages.addWidget(page)
        self._page_before: QWidget = self.welcome
        self.frame_fit = FrameFit(self.viewer, lambda: self.layer, self)
        self._focus_ring = FocusRing(main_window(self.viewer))
        self._focus_guard = FocusGuard(main_window(self.viewer), lambda: focus_canvas(self.viewer))
        self._screen_fit = ScreenFit(main_window(self.viewer))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.rescued)
        column.addWidget(self._pages)
        # so that napari leaves the whole height of the dock to the panel
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._own_handlers: Mapping[Action, Callable[[], None]] = {
            Action.SHOW_HELP: self.toggle_keys,
            Action.TOGGLE_TIMELINE: self.timeline_dock.toggle,
            Action.CANCEL_ANALYSIS: self._close_unread,
            Action.TOGGLE_CANDIDATES: self.candidates.toggle,
            Action.NEXT_CANDIDATE: lambda: self.candidates.step(1),
            Action.PREVIOUS_CANDIDATE: lambda: self.candidates.step(-1),
            Action.TOGGLE_WORKLIST: self.worklist.dock.toggle,
            Action.NEXT_IN_WORKLIST: lambda: self.worklist.step(1),
            Action.PREVIOUS_IN_WORKLIST: lambda: self.worklist.step(-1),
            Action.SET_SUBJECT: self.worklist.ask_subject,
            **self.result.handlers,
        }
        self._handlers: Mapping[Action, Callable[[], None]] = self._own_handlers
        self._keys = shortcuts.KeyBindings(main_window(self.viewer), self.do, self._released)
        self.status_keys = StatusKeys(self.viewer, self._is_own_layer)
        create_worker(import_what_sweeps_need).start()
        if self.settings_file.settings.analyse_on_open:
            self.runner.start_ahead()

    @property
    def timeline(self) -> "Timeline":
        """The timeline, made with the first sweep."""
        return self.timeline_dock.timeline

    @cached_property
    def caption(self) -> Caption:
        """The words below the frame."""
        return Caption(self.viewer, soon=HINT + CALIPER_HINTS[CaliperKind.DISTANCE])

    def _connect(self) -> None:
        self._again = QTimer(self)  # without an interval: once napari is done
        self._again.setSingleShot(True)
        self._again.timeout.connect(self._lay_out_again)
        self.desk.phantom_requested.connect(self.open_phantom)
        self.desk.failed.connect(self._show_error)
        self.worklist.failed.connect(self._show_error)
        self.worklist.action_requested.connect(self.do)
        self.candidates.visibility_changed.connect(self.page.candidates.setChecked)
        self.worklist.dock.visibility_changed.connect(self.page.worklist.setChecked)
        for shown in (self.timeline_dock, self.candidates, self.worklist.dock):
            shown.visibility_changed.connect(self._screen_fit.soon)
        self.keeper.watcher.news.connect(self.worklist.changed)
        self.rescued_desk.merged.connect(self.worklist.look_again)
        self.welcome.again_requested.connect(self._open_last)
        self.passing_line = PassingLine(self.first_paint, self.page.analysis, self)
        self.page.analysis.reopen_requested.connect(self._reopen)
        self.opener.opened.connect(self._show_sweep)
        self.opener.failed.connect(self._show_error)
        self.opener.began.connect(self.page.show_opening)
        self.opener.ended.connect(self._opening_ended)
        self.keeper.error_occurred.connect(self._show_error)
        self.keeper.moved.connect(self._lay_out_again)
        self.page.footer.again_requested.connect(self.keeper.try_now)
        self.page.action_requested.connect(self.do)
        self.keys_page.closed.connect(self.toggle_keys)
        self.page.analysis.error_shown.connect(self._leave_keys)  # no word is said unseen
        self.page.settings.changed.connect(self.settings_file.keep)
        self.page.settings.changed.connect(self.worklist.look_again)  # with those that are kept
        self.page.settings.models_requested.connect(self.show_models)
        self.timeline_dock.visibility_changed.connect(self.page.timeline.setChecked)
        self.page.finetuning.frame_requested.connect(self._go_to)
        self.finetuning.about_to_start.connect(self.runner.release)
        self.runner.failed.connect(self._show_error)
        self.runner.ended.connect(lambda *_: QTimer.singleShot(0, self.result.look))
        self.result.failed.connect(self._show_error)
        self.simulation.advanced.connect(self.page.analysis.advance_simulation)
        self.simulation.missing.connect(self._say_missing)
        # once napari itself is done with it: its first sweep, too, begins at its first frame
        self.viewer.layers.events.inserted.connect(self._layer_inserted, position="last")
        self.viewer.layers.events.removed.connect(self._layer_removed)
        self.viewer.events.theme.connect(self._follow_theme)

    def do(self, action: Action) -> None:
        """Do what a key or a button stands for; nothing where there is no sweep to do it to."""
        if action is Action.LOOK:
            self._leave_keys()
        if handler := self._handlers.get(action):
            handler()
        elif action in STORING and self.layer is not None and self._stopped is None:
            self.page.analysis.show_error(_NOT_READ)

    def toggle_keys(self) -> None:
        """Show the table of keys in place of the panel, or the panel again."""
        shown = self._pages.currentWidget()
        if shown is self.keys_page:
            self._pages.setCurrentWidget(self._page_before)
        elif shown is not None:
            self._page_before = shown
            self._pages.setCurrentWidget(self.keys_page)

    def _leave_keys(self) -> None:
        if self._pages.currentWidget() is self.keys_page:
            self.toggle_keys()

    def _released(self, action: Action) -> None:
        if self.presenter is not None:
            self.presenter.actions.released(action)

    # Showing, hiding, closing --------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """Leave the width to the frame."""
        return QSize(self.minimumSizeHint().width(), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        """Return the least size: as wide as the widest page needs."""
        least = super().minimumSizeHint()
        return QSize(max(_WIDTH, least.width()), least.height())

    def showEvent(self, event: QShowEvent | None) -> None:
        """Take the keys while the widget is in use."""
        if not self._closed:
            self._keep_dock()
            self._set_keys(True)
        super().showEvent(event)

    def _is_own_layer(self, layer: Layer) -> bool:
        return self.presenter is not None and layer in self.presenter.view.layers

    def _set_keys(self, ours: bool) -> None:
        self._keys.set_active(ours)
        self.status_keys.set_ours(ours)

    def _keep_dock(self) -> None:
        """Let the X of our dock hide it, and napari's Window menu show it again."""
        dock = self.parent()
        while dock is not None and not isinstance(dock, QDockWidget):
            dock = dock.parent()
        if dock is not None and dock is not self._dock:
            self._dock = dock
            hide_when_closed(dock)
            make_room(self.viewer, dock)
            self.page.set_compact(is_low(self.viewer))
            self._screen_fit.soon()
            action = dock.toggleViewAction()
            if action is not None:
                self.viewer.window.window_menu.addAction(action)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Return the keys to napari."""
        if not self._closed:
            self._set_keys(False)
        super().hideEvent(event)

    def _under_way(self) -> list[str]:
        """Say what would go on without the window, or end with it."""
        said = [self.finetuning.when_closed(), self.page.export.when_closed()]
        said.append(self.result.when_closed())
        if "models" in self.__dict__:  # it was shown
            said.append(self.models.when_closed())
        return [sentence for sentence in said if sentence]

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Stop the work and let the viewer go."""
        self.shut_down()
        super().closeEvent(event)

    def event(self, event: QEvent | None) -> bool:
        """Notice that napari took the widget out of its dock, which is how it closes docks."""
        reparented = event is not None and event.type() == QEvent.Type.ParentChange
        if reparented and self.parent() is None:
            self.shut_down()
        return super().event(event)

    def shut_down(self) -> None:
        """Stop the work, take overlay, timeline and keys away, and let the viewer go; for good."""
        if self._closed:
            return
        self._closed = True
        self._leave_opening()
        self._screen_fit.stop()
        self.simulation.close()
        self._end_signals.remove()
        self.close_guard.remove()
        self._focus_guard.remove()
        # which hold on to the window
        del self.close_guard, self._focus_guard, self._leave_opening
        # While the layers are there: napari 0.9.2 on software OpenGL crashes where the sweep alone
        # is drawn after its canvas grew.
        self.timeline_dock.hide()
        self.candidates.close()
        self.worklist.close()
        self._close_sweep()
        self.finetuning.close()
        self.rescued_desk.close()
        self.result.close()
        if "models" in self.__dict__:  # it was shown
            self.models.close_for_good()
        self.page.export.close_process()
        self.runner.close()
        ANALYSING.end()
        KEEPING.end()
        RESULTS.end()
        self.viewer.layers.events.inserted.disconnect(self._layer_inserted)
        self.viewer.layers.events.removed.disconnect(self._layer_removed)
        self.viewer.events.theme.disconnect(self._follow_theme)
        self._keys.remove()
        self.status_keys.remove()
        self._focus_ring.remove()
        self.frame_fit.remove()
        self.passing_line.close()
        self.first_paint.remove()
        if not_saved := self.keeper.close():
            if sys.stderr is not None:  # for the terminal, as the window goes
                sys.stderr.write(f"{not_saved}\n")
            show_error(not_saved)

    # Opening -------------------------------------------------------------------------------

    def open_file(self, path: str) -> None:
        """Open a sweep, a file or a folder; what is wrong with it is shown in one line."""
        self.opener.read(path)

    def open_phantom(self) -> None:
        """Open the phantom; simulating it the first time takes some seconds."""
        self.welcome.error.show_error("")
        self.welcome.message.setText("Simulating the phantom…")
        self.welcome.phantom.setEnabled(False)
        self._warm_up(simulated=True)
        self.opener.read_phantom()

    def _opening_ended(self) -> None:
        self.welcome.phantom.setEnabled(True)
        self.page.show_opening("")

    def _warm_up(self, simulated: bool) -> None:
        """Load the models while the sweep is read, if the analysis is to follow."""
        if self.settings_file.settings.analyse_on_open:
            self.runner.load(self.settings_file.settings, simulated)

    def _show_sweep(self, sweep: SweepVolume) -> None:
        if self._closed:
            return
        self.welcome.message.setText("")
        self.welcome.error.show_error("")
        before = None if self._stopped is not None else self.layer
        if not is_simulated(sweep):  # whose frames are still to come
            READING.start(READING.worker(prepare_sweep, sweep))  # while napari adds the layer
        data, attributes, _ = sweep_layer(sweep)
        self.viewer.add_image(data, **attributes)
        if before is not None and before in self.viewer.layers and can_come_back(before):
            # a day's sweeps would fill the memory, and the slider go on to frames of the longest
            self.viewer.layers.remove(before)

    def _show_page(self, page: QWidget) -> None:
        """Show this page, below the keys where somebody reads them."""
        if self._pages.currentWidget() is self.keys_page:
            self._page_before = page
        else:
            self._pages.setCurrentWidget(page)

    def _layer_inserted(self, event: Event) -> None:
        self._open(event.value)

    def _open(self, layer: Layer) -> None:
        sweep = sweep_of(layer)
        if sweep is None or not isinstance(layer, Image):
            return
        again = layer is self.layer  # whose review was stopped: it stays as it is looked at
        dropped = self._close_sweep()
        self.layer, self._last = layer, None
        self.welcome.error.show_error("")
        layer.visible = True  # a sweep that was opened after it hid it
        hide_other_images(self.viewer, layer)
        if not again:
            Navigator(self.viewer.dims, layer, sweep).go(0)
            self.frame_fit.fit()
        self.page.set_reviewed(False)
        self.page.show_sweep(sweep)
        self.page.footer.begin(self.settings_file.settings.reviewer)
        self.page.analysis.show_error(dropped)
        self.page.analysis.begin("Reading the sweep…", is_simulated(sweep), "Close the phantom")
        self.simulation.follow(sweep, layer)
        self._show_page(self.page)
        if is_simulated(sweep):
            for wait_ms in _WHEN_LAID_OUT_MS:
                QTimer.singleShot(wait_ms, self._show_progress)
        self.timeline_dock.begin()
        self.worklist.show_front(sweep)
        self._warm_up(sweep.simulated)
        if is_prepared(sweep):
            # at once: napari 0.9.2 on software OpenGL crashes where the sweep alone is drawn
            self._lay_out(layer, sweep)
            return
        worker = READING.worker(prepare_sweep, sweep)
        worker.returned.connect(lambda prepared: self._lay_out(layer, prepared))
        worker.errored.connect(lambda error: self._reading_failed(layer, error))
        READING.start(worker)

    def _close_unread(self) -> None:
        """Close the phantom that is being simulated: nobody wants to wait for it."""
        if self.layer is not None and self.presenter is None:
            self.viewer.layers.remove(self.layer)

    def _say_missing(self, missing: bool) -> None:
        """Say below a black frame of a phantom why it is black."""
        if missing:
            self.caption.begin()
            self.caption.show(_MISSING)
        else:
            self.caption.end()

    def _show_progress(self) -> None:
        """Scroll to how far the simulation is, which may lie below what is seen."""
        if not self._closed and self.presenter is None and self.layer is not None:
            self.page.scroll_area.ensureWidgetVisible(self.page.analysis)

    def _reading_failed(self, layer: Image, error: Exception) -> None:
        if layer is self.layer:
            self.page.analysis.end("The sweep could not be read to its end")
            self._show_error(words_in_window(error))

    def _lay_out(self, layer: Image, sweep: SweepVolume, analysis: Analysis | None = None) -> None:
        if layer is not self.layer:
            return  # another sweep was opened meanwhile
        if self.simulation.close():
            self.page.scroll_area.ensureVisible(0, 0)
        self.page.analysis.end("Not analysed yet")
        settings = self.settings_file.settings
        try:
            with self.keeper.store.patient(OPENING_WAIT_S):
                session = ReviewSession(sweep, self.keeper.store, settings.reviewer)
                session.corrections()
        except StoreError as error:
            self._wait_for_store(error, layer, sweep, analysis)
            return
        was_moved = as_read(layer, sweep)
        if self.page.analysis.error.text() == _NOT_READ:
            self.page.analysis.show_error("")
        if analysis is None:
            self.first_paint.expect()
        self.presenter = SweepPresenter(
            SweepView(self.viewer, layer, session, self.caption, self.first_paint),
            self.page,
            self.timeline,
            self.runner,
            self.keeper,
            settings,
        )
        self.presenter.error_occurred.connect(self._show_error)
        self.presenter.stopped.connect(self._stop_soon)
        self.presenter.keys_changed.connect(self.status_keys.set_hint)
        self._handlers = {**self._own_handlers, **self.presenter.handlers}
        self.presenter.show(analysis)
        if was_moved:
            self.page.analysis.show_error(
                "The sweep's layer had been moved, turned or scaled: it lies again as its file says"
            )
        if analysis is None:
            self.frame_fit.fit()
        self.worklist.follow(session)
        self.candidates.follow(self.presenter)
        self.result.follow(self.presenter)
        QTimer.singleShot(0, self._name_layers)  # once those of the sweep before are gone

    def _wait_for_store(
        self, error: StoreError, layer: Image, sweep: SweepVolume, analysis: Analysis | None
    ) -> None:
        """Say why the review does not begin; where the store is locked, try until it is free."""
        if not isinstance(error, StoreUnwritableError):
            self._show_error(error.in_window)
            return
        line = f"{error.in_window}. The review begins by itself once the store is free."
        if self.page.analysis.error.text() != line:
            self._show_error(line)

        def again() -> None:
            if not self._closed and layer is self.layer and self.presenter is None:
                self._lay_out(layer, sweep, analysis)
                if self.presenter is not None and self.page.analysis.error.text() == line:
                    self.page.analysis.show_error("")

        QTimer.singleShot(_STORE_AGAIN_MS, again)

    def _layer_removed(self, event: Event) -> None:
        stop_simulating(sweep_of(event.value))
        if event.value is self.layer:
            opened = self._stopped or (self.presenter and self.presenter.session)
            # one that lies in a file is offered as what was open last
            self._last = opened.sweep if opened and opened.sweep.path is None else None
            self._close_sweep()
            QTimer.singleShot(0, self._open_what_is_left)
        elif self.presenter is not None and event.value in self.presenter.view.needed_layers:
            self._again.start()  # once, however many of them were deleted

    def _open_what_is_left(self) -> None:
        """Go on with the topmost sweep that is still in the viewer, else with the welcome page."""
        for layer in reversed(self.viewer.layers):
            if self.layer is None and not self._closed:
                self._open(layer)
        if self.layer is None and not self._closed:
            self._leave_keys()
            self._show_page(self.welcome)
            self.worklist.show_front(None)
            self.desk.look_again()
            self.welcome.offer_again(self._last.name if self._last else "")
            # After the overlay is gone: a labels layer alone, drawn while a dock goes, crashes
            # napari 0.9.2 on software OpenGL.
            self.timeline_dock.hide()

    def _lay_out_again(self) -> None:
        """Put the outlines back that somebody took off with their layer."""
        layer, presenter = self.layer, self.presenter
        if presenter is not None and layer is not None:
            self._close_sweep(cancel=False)
            self.layer = layer
            # at once: napari 0.9.2 on software OpenGL crashes where the sweep alone is drawn
            self._lay_out(layer, presenter.session.sweep, presenter.session.analysis)

    def _stop_soon(self, reason: str) -> None:
        presenter = self.presenter  # which may be in the middle of something
        QTimer.singleShot(0, lambda: self._stop_review(presenter, reason))

    def _stop_review(self, presenter: SweepPresenter | None, reason: str) -> None:
        """Store nothing more for what is no longer the sweep; offer to open it again."""
        layer = self.layer
        if presenter is None or presenter is not self.presenter or layer is None:
            return
        changes = presenter.view.changes
        stopped = StoppedReview(presenter.session.sweep, layer, changes.place, changes.written)
        self._close_sweep()
        self.layer, self._stopped = layer, stopped
        self.page.analysis.end("The review has stopped")
        self.page.analysis.show_error(
            f"The review has stopped: {reason}. What was corrected before is saved; nothing more "
            "is stored until the sweep is opened again.",
            stopped=True,
        )

    def _reopen(self) -> None:
        if self._stopped is not None:
            self._stopped.reopen(self.viewer, self._open, self._show_sweep)

    def _open_last(self) -> None:
        """Open the sweep again that was taken off the viewer last."""
        if self._last is not None:
            self._show_sweep(self._last)

    def _name_layers(self) -> None:
        if self.presenter is not None:
            self.presenter.view.name_layers()

    def _close_sweep(self, cancel: bool = True) -> str:
        """Close its presenter; return one line on what was begun and is dropped."""
        presenter, self.presenter, self.layer = self.presenter, None, None
        self._stopped = None
        self._handlers = self._own_handlers
        self.status_keys.set_hint("")
        self.candidates.leave()
        self.result.leave()
        return "" if presenter is None else presenter.close(cancel)

    # The rest ------------------------------------------------------------------------------

    def _use_model(self, report: ComparisonReport, although_worse: bool) -> None:
        """Choose a new model; where the settings are the user's own, it can be rolled back."""
        if self.settings_file.own:
            take_into_use(report, although_worse)
        self.page.settings.choose_model(report.task, str(report.folder))

    def _go_to(self, identity: str, frame: int) -> None:
        """Look at a frame, if its sweep is open; else name the sweep."""
        opened = self.presenter
        if opened is not None and opened.session.sweep.identity == identity:
            self.page.finetuning.show_message("")
            opened.actions.go(frame)
            return
        path = paths.known_location(identity)
        where = f"{path.name}; open it" if path else f"{identity[:8]}, which is not known here"
        self.page.finetuning.show_message(f"Frame {frame} is one of another sweep: {where}")

    @cached_property
    def models(self) -> ModelsDialog:
        """The dialog of the models on this machine."""
        dialog = ModelsDialog(lambda: self.settings_file.settings, self.settings_file.own, self)
        dialog.chosen.connect(self.page.settings.choose_model)
        dye_anew(dialog)
        return dialog

    def show_models(self) -> None:
        """Show which models there are, beside the window."""
        self.models.show()
        self.models.raise_()
        self.models.activateWindow()

    def _follow_theme(self, event: Event | None = None) -> None:
        palette = palette_of(self.viewer.theme)
        dye(self, palette)
        self.page.finetuning.set_palette(palette)
        self.timeline_dock.follow_theme()
        self.worklist.dock.follow_theme()
        self.candidates.follow_theme()

    def _show_error(self, message: str) -> None:
        self.page.analysis.show_error(message)
        self.welcome.message.setText("")
        if self.layer is None:  # else the panel of the sweep says it, and takes it away
            self.welcome.error.show_error(message)
        # once the message has its height: it may lie below what is seen
        QTimer.singleShot(0, self._show_error_box)
        self.error_occurred.emit(message)

    def _show_error_box(self) -> None:
        if not self._closed and self.page.analysis.error_box.isVisible():
            self.page.scroll_area.ensureWidgetVisible(self.page.analysis.error_box)
