"""The review widget: puts the parts together, turns events into pixels."""

import logging
from collections.abc import Callable, Collection
from functools import cached_property
from typing import TYPE_CHECKING

from napari.layers import Image, Layer
from napari.utils.events import Event
from napari.utils.notifications import show_error
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, Qt, QTimer, Signal
from qtpy.QtGui import QCloseEvent, QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QDockWidget,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import create_worker

from napari_fetal_iqa.analysis import cache
from napari_fetal_iqa.analysis.result import Analysis, FrameResults
from napari_fetal_iqa.analysis.worker_client import RemoteAnalyser
from napari_fetal_iqa.contributions.layers import sweep_layer
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.finetuning.report import ComparisonReport, take_into_use
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import (
    Settings,
    load_settings,
    save_changes,
    suggested_reviewer,
)
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets import shortcuts
from napari_fetal_iqa.widgets.actions import Actions
from napari_fetal_iqa.widgets.background.analysis_runner import AnalysisRunner
from napari_fetal_iqa.widgets.background.idle_queue import Later
from napari_fetal_iqa.widgets.background.store_keeper import StoreKeeper
from napari_fetal_iqa.widgets.background.sweep_opener import SweepOpener
from napari_fetal_iqa.widgets.background.tasks import get_to_know, import_what_sweeps_need
from napari_fetal_iqa.widgets.finetuning.controller import Learning
from napari_fetal_iqa.widgets.panels.review_page import ReviewPage
from napari_fetal_iqa.widgets.panels.welcome import EmptyPage
from napari_fetal_iqa.widgets.theme import palette_of
from napari_fetal_iqa.widgets.viewer.caption import ScreenText
from napari_fetal_iqa.widgets.viewer.ellipse_tool import HINT
from napari_fetal_iqa.widgets.viewer.layer_sweep import sweep_of
from napari_fetal_iqa.widgets.viewer.sweep_view import SweepView

if TYPE_CHECKING:
    from napari_fetal_iqa.widgets.timeline.widget import Timeline

logger = logging.getLogger(__name__)

_AT_ONCE = 16
"""As many frames that the expert changed are shown at once; more, and computed ones, in turns."""
_TIMELINE_HEIGHT = 220
_LAID_OUT_MS = 50
"""By then the window has made room for the timeline; a narrow one grows."""
_STILL_MS = 120
"""How long a frame stays before it is measured: longer than from frame to frame of a scrub."""


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
        # napari gives plugins a proxy, whose layers are equal to none of the real ones
        self.viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.keeper = StoreKeeper(store, self)
        self._own_settings = settings is None
        self.settings = settings or load_settings()
        if not self.settings.reviewer:
            self._keep(self.settings.model_copy(update={"reviewer": suggested_reviewer()}))
        self._closed = False
        self.desk: SweepView | None = None
        self.layer: Image | None = None
        analyser = analyser or RemoteAnalyser()
        self.runner = AnalysisRunner(analyser, self)
        # whoever ends first: the process of the networks goes too
        self.viewer.window._qt_window.destroyed.connect(analyser.close)
        self.review_actions = Actions(lambda: self.desk, self._corrected)
        self._later = Later(self)
        self._when_still = QTimer(self)
        self._when_still.setSingleShot(True)
        self._when_still.setInterval(_STILL_MS)
        self._when_still.timeout.connect(self._show_still)
        self._build()
        self._connect()
        self.learning.find()
        for layer in list(self.viewer.layers):
            self._open(layer)

    # The parts -----------------------------------------------------------------------------

    def _build(self) -> None:
        self.empty = EmptyPage()
        self.opener = SweepOpener(self)
        self.page = ReviewPage(self.settings, lambda: self.keeper.store.path)
        self.page.learn.set_palette(palette_of(self.viewer.theme))
        self.learning = Learning(
            self.page.learn,
            lambda: self.keeper.store,
            lambda: self.settings,
            self._use_model,
            self,
        )
        self._timeline_dock: QDockWidget | None = None
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidget(self.page)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.empty)
        self._pages.addWidget(scroll)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._pages)
        self.setMinimumWidth(330)
        # so that napari leaves the whole height of the dock to the panel
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._keys = shortcuts.KeyBindings(
            self.viewer.window._qt_window,
            {key.action: self._action(key.action) for key in shortcuts.KEYS},
        )
        create_worker(import_what_sweeps_need).start()

    @cached_property
    def timeline(self) -> "Timeline":
        """The dock under the frames; made with the first sweep, for its imports take long."""
        from napari_fetal_iqa.widgets.timeline.widget import Timeline

        timeline = Timeline()
        timeline.set_palette(palette_of(self.viewer.theme))
        timeline.frame_chosen.connect(self.review_actions.go)
        timeline.range_chosen.connect(self.review_actions.choose_range)
        timeline.thresholds_moved.connect(self.review_actions.set_thresholds)
        timeline.thresholds_reset.connect(self.review_actions.reset_thresholds)
        self._timeline_dock = self.viewer.window.add_dock_widget(
            timeline, name="Timeline", area="bottom", add_vertical_stretch=False
        )
        window = self.viewer.window._qt_window
        window.resizeDocks([self._timeline_dock], [_TIMELINE_HEIGHT], Qt.Orientation.Vertical)
        return timeline

    @cached_property
    def screen_text(self) -> ScreenText:
        """The words below the frame."""
        return ScreenText(self.viewer, soon=HINT)

    def _fit(self) -> None:
        """Show the whole frame in the room that the timeline left."""
        if not self._closed:
            self.viewer.reset_view()

    def _show_timeline(self, shown: bool) -> None:
        was_shown = self._timeline_dock is not None and self._timeline_dock.isVisible()
        if shown:
            _ = self.timeline
        if self._timeline_dock is not None:
            self._timeline_dock.setVisible(shown)
        if shown and not was_shown:
            QTimer.singleShot(_LAID_OUT_MS, self._fit)

    def _action(self, name: str) -> Callable[[], None]:
        action: Callable[[], None] = getattr(self.review_actions, name, None) or getattr(self, name)
        return action

    def _connect(self) -> None:
        self.empty.open_requested.connect(self.opener.choose_file)
        self.empty.folder_requested.connect(self.opener.choose_folder)
        self.empty.phantom_requested.connect(self.open_phantom)
        self.opener.opened.connect(self._show_sweep)
        self.opener.failed.connect(self._trouble)
        self.opener.ended.connect(lambda: self.empty.phantom.setEnabled(True))
        self.keeper.error_occurred.connect(self._trouble)
        self.keeper.moved.connect(self._lay_out_again)
        self.keeper.saved.connect(lambda: self._corrected(None))
        self.page.asked.connect(lambda name: self._action(name)())
        self.page.fully_reviewed.connect(self._set_fully_reviewed)
        self.page.settings.changed.connect(self._settings_changed)
        self.page.reviewers.show_requested.connect(self._show_reviewer)
        self.page.reviewers.compare_requested.connect(self._compare_with)
        self.page.learn.frame_requested.connect(self._go_to)
        self.learning.about_to_start.connect(self.runner.release)
        self.runner.started.connect(self._analysis_started)
        self.runner.results.connect(self._results_came)
        self.runner.ended.connect(self._analysis_ended)
        self.runner.failed.connect(self._trouble)
        self.viewer.layers.events.inserted.connect(self._layer_inserted)
        self.viewer.layers.events.removed.connect(self._layer_removed)
        self.viewer.dims.events.current_step.connect(self._frame_changed)
        self.viewer.events.theme.connect(self._follow_theme)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Take the keys while the widget is in use."""
        if not self._closed:
            self._keys.set_active(True)
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Return the keys back to napari."""
        if not self._closed:
            self._keys.set_active(False)
        super().hideEvent(event)

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
        # While the layers are there: napari 0.9.2 on software OpenGL crashes where the sweep alone
        # is drawn after its canvas grew.
        self._show_timeline(False)
        self._clear_desk()
        self.learning.close()
        self.page.export.close_process()
        self.runner.close()
        self.viewer.layers.events.inserted.disconnect(self._layer_inserted)
        self.viewer.layers.events.removed.disconnect(self._layer_removed)
        self.viewer.dims.events.current_step.disconnect(self._frame_changed)
        self.viewer.events.theme.disconnect(self._follow_theme)
        self._keys.remove()
        if not_saved := self.keeper.close():
            show_error(not_saved)

    # Opening -------------------------------------------------------------------------------

    def open_file(self, path: str) -> None:
        """Open a sweep, a file or a folder; what is wrong with it is one line of trouble."""
        self.opener.read(path)

    def open_phantom(self) -> None:
        """Open the phantom; simulating it the first time takes some seconds."""
        self.empty.said.setText("Simulating the phantom…")
        self.empty.phantom.setEnabled(False)
        self._warm_up()
        self.opener.read_phantom()

    def _warm_up(self) -> None:
        """Load the models while the sweep is read, if the analysis is to follow."""
        if self.settings.analyse_on_open:
            self.runner.load(self.settings)

    def _show_sweep(self, sweep: SweepVolume) -> None:
        if self._closed:
            return
        self.empty.said.setText("")
        data, attributes, _ = sweep_layer(sweep)
        self.viewer.add_image(data, **attributes)

    def _layer_inserted(self, event: Event) -> None:
        self._open(event.value)

    def _open(self, layer: Layer) -> None:
        sweep = sweep_of(layer)
        if sweep is None or not isinstance(layer, Image):
            return
        self._clear_desk()
        self.page.frame.setEnabled(False)
        self.layer = layer
        self.page.show_sweep(sweep)
        self.page.work.show_trouble("")
        self.page.work.begin("Reading the sweep…", cancellable=False)
        self._pages.setCurrentIndex(1)
        self._show_timeline(True)
        self._warm_up()
        worker = create_worker(get_to_know, sweep, _ignore_errors=True)
        worker.returned.connect(lambda known: self._lay_out(layer, known))
        worker.errored.connect(lambda error: self._reading_failed(layer, error))
        worker.start()

    def _lay_out(self, layer: Image, sweep: SweepVolume, analysis: Analysis | None = None) -> None:
        if layer is not self.layer:
            return
        self.page.work.end("Not analysed yet")
        try:
            session = ReviewSession(sweep, self.keeper.store, self.settings.reviewer)
            corrected = session.corrections()
        except StoreError as error:
            self._trouble(str(error))
            return
        self.desk = SweepView(self.viewer, layer, session, self.screen_text)
        self.desk.overlay.stroke.connect(self.review_actions.stroke)
        self.desk.ellipse.drawn.connect(self.review_actions.take_ellipse)
        self.desk.selection.changed.connect(self.timeline.show_range)
        session.frames_changed.connect(self._paint)
        session.frames_computed.connect(self._paint_in_turns)
        self.page.frame.setEnabled(True)
        self._offer_reviewers()
        self._show_saved()
        self._paint(corrected)
        self._show_still()
        if analysis is not None:
            session.begin_analysis(analysis)
            self._analysis_ended(False)
        elif self.settings.analyse_on_open:
            self.analyse()

    def _reading_failed(self, layer: Image, error: Exception) -> None:
        if layer is self.layer:
            self.page.work.end("The sweep could not be read to its end")
            self._trouble(str(error))

    def _layer_removed(self, event: Event) -> None:
        overlay = self.desk.overlay.layer if self.desk else None
        if event.value is self.layer:
            self._clear_desk()
            QTimer.singleShot(0, self._open_what_is_left)
        elif overlay is not None and event.value is overlay:
            QTimer.singleShot(0, self._lay_out_again)

    def _open_what_is_left(self) -> None:
        """Go on with the topmost sweep that is still in the viewer, else with an empty desk."""
        for layer in reversed(self.viewer.layers):
            if self.layer is None and not self._closed:
                self._open(layer)
        if self.layer is None and not self._closed:
            self._pages.setCurrentIndex(0)
            # After the overlay is gone: a labels layer alone, drawn while a dock goes, crashes
            # napari 0.9.2 on software OpenGL.
            self._show_timeline(False)

    def _lay_out_again(self) -> None:
        """Put the outlines back that somebody took off with their layer."""
        desk = self.desk
        if desk is not None and self.layer is not None:
            analysis = desk.session.analysis
            desk.leave()
            self._lay_out(self.layer, desk.session.sweep, analysis)

    def _clear_desk(self) -> None:
        self.runner.cancel()
        if self.desk is not None:
            self.desk.overlay.tell()
        desk, self.desk, self.layer = self.desk, None, None
        if desk is not None:
            desk.session.frames_changed.disconnect(self._paint)
            desk.session.frames_computed.disconnect(self._paint_in_turns)
            desk.leave()
        self._check_models()

    # From the session to pixels --------------------------------------------------------------

    def _paint(self, frames: Collection[int]) -> None:
        if self.desk is None:
            return
        if len(frames) > _AT_ONCE:
            self._paint_in_turns(frames)
            return
        self.desk.paint(frames)
        self._ask_to_show(frames)
        self._later.now()

    def _paint_in_turns(self, frames: Collection[int]) -> None:
        if self.desk is not None:
            self.desk.paint_in_turns(frames)
            self._ask_to_show(frames)

    def _ask_to_show(self, frames: Collection[int]) -> None:
        jobs = [self._show_frame, self._show_all_frames, self._show_next]
        if self.desk is not None and self.desk.navigator.frame in frames:
            jobs.insert(1, self._show_still)
        self._later.ask(*jobs)

    def _show_all_frames(self) -> None:
        if self.desk is not None:
            self.timeline.show_data(self.desk.timeline_data())

    def _show_next(self) -> None:
        if self.desk is not None:
            session = self.desk.session
            self.page.show_next(session.best_frame(), len(session.to_review()))

    def _frame_changed(self, event: Event | None = None) -> None:
        if self.desk is not None:
            self.desk.selection.leave(self.desk.navigator.frame)
            self.runner.look_at(self.desk.navigator.frame)
            self._show_frame()
            if self.desk.ellipse.active:
                self._show_still()  # its handles are the calipers
            else:
                self.page.frame.show_moving()
                self.desk.calipers.hide()
                self._when_still.start()

    def _show_frame(self) -> None:
        """Show what is known of the frame, quickly: it may go by."""
        if self.desk is not None:
            frame = self.desk.navigator.frame
            self.timeline.set_frame(frame)
            self.page.frame.show_frame(self.desk.session.view(frame))

    def _show_still(self) -> None:
        """Measure the frame and draw on it what is slow to draw."""
        if self.desk is not None:
            view = self.desk.session.view(self.desk.navigator.frame)
            self.page.frame.show_measurement(view)
            self.desk.show(view)

    def _follow_theme(self, event: Event | None = None) -> None:
        self.page.learn.set_palette(palette_of(self.viewer.theme))
        if self._timeline_dock is not None:
            self.timeline.set_palette(palette_of(self.viewer.theme))

    # Analysis ------------------------------------------------------------------------------

    def analyse(self) -> None:
        """Run the networks over the sweep, from the frame being looked at."""
        if self.desk is not None:
            self.page.work.show_trouble("")
            self.page.work.begin("Loading the models…")
            self.runner.start(self.desk.session.sweep, self.settings, self.desk.navigator.frame)

    def cancel_analysis(self) -> None:
        """Stop the analysis; what is computed stays."""
        self.runner.cancel()

    def _analysis_started(self, analysis: Analysis) -> None:
        if self.desk is not None:
            self.desk.session.begin_analysis(analysis)
            self.page.work.show_setup(analysis.setup)
            self._check_models()

    def _results_came(self, results: FrameResults) -> None:
        if self.desk is not None and self.desk.session.analysis is not None:
            self.desk.session.add_results(results)
            computed = self.desk.session.analysis.computed
            self.page.work.advance(int(computed.sum()), len(computed))

    def _analysis_ended(self, complete: bool) -> None:
        analysis = self.desk.session.analysis if self.desk else None
        self.page.work.end_analysis(analysis)
        self._check_models()
        if complete and analysis is not None:
            create_worker(cache.save, analysis).start()

    def _check_models(self) -> None:
        """Say where what is on the screen was made with other models than those chosen."""
        analysis = self.desk.session.analysis if self.desk else None
        self.page.stale.check(analysis.setup if analysis else None, self.settings)

    # Learning ------------------------------------------------------------------------------

    def _use_model(self, judgement: ComparisonReport, although_worse: bool) -> None:
        """Choose a new model; where the settings are the user's own, it can be rolled back."""
        if self._own_settings:
            take_into_use(judgement, although_worse)
        self.page.settings.choose_model(judgement.task, str(judgement.folder))

    def _go_to(self, identity: str, frame: int) -> None:
        """Look at a frame, if its sweep is the one on the desk; else say which it is."""
        if self.desk is not None and self.desk.session.sweep.identity == identity:
            self.page.learn.say("")
            self.review_actions.go(frame)
            return
        path = paths.known_location(identity)
        where = f"{path.name}; open it" if path else f"{identity[:8]}, which is not known here"
        self.page.learn.say(f"Frame {frame} is one of another sweep: {where}")

    # The rest ------------------------------------------------------------------------------

    def show_help(self) -> None:
        """Show all keys."""
        shortcuts.show_help(self)

    def _corrected(self, trouble: str | None) -> None:
        self._later.now()
        if trouble is not None:
            self._trouble(trouble)
        elif self.keeper.store.on_disk:
            self.page.work.show_trouble("")
        self._show_saved()

    def _show_saved(self) -> None:
        if self.desk is not None:
            session = self.desk.session
            corrected = len(session.corrections())
            self.page.show_saved(session.reviewer, corrected, self.keeper.complete)
            compared = session.comparison
            self.page.reviewers.show_agreement(compared.agreement if compared else None)

    def _offer_reviewers(self) -> None:
        if self.desk is not None:
            session = self.desk.session
            self.page.reviewers.offer(session.reviewer, session.other_reviewers())
            self.page.reviewed.setChecked(session.fully_reviewed)

    def _set_fully_reviewed(self, reviewed: bool) -> None:
        if self.desk is not None:
            try:
                self.desk.session.fully_reviewed = reviewed
            except StoreError as error:
                self._trouble(str(error))
                self.page.reviewed.setChecked(not reviewed)

    def _show_reviewer(self, name: str) -> None:
        if self.desk is not None:
            self.desk.session.show_reviewer(name)
            self._corrected(None)

    def _compare_with(self, name: str) -> None:
        if self.desk is not None:
            self.desk.session.compare_with(name)
            self._corrected(None)

    def _settings_changed(self, settings: Settings) -> None:
        self._keep(settings)
        self._check_models()
        if self.desk is not None:
            try:
                self.desk.session.reviewer = settings.reviewer
            except StoreError as error:
                self._trouble(str(error))
            else:
                self._offer_reviewers()
                self._corrected(None)

    def _keep(self, settings: Settings) -> None:
        before, self.settings = self.settings, settings
        if not self._own_settings:
            return
        try:
            save_changes(before, settings)
        except OSError:
            logger.warning("the settings could not be saved")

    def _trouble(self, said: str) -> None:
        self.page.work.show_trouble(said)
        self.empty.said.setText(said)
        self.error_occurred.emit(said)
