"""One open sweep: from the session's events to pixels, from clicks to the session."""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from napari.utils.events import Event
from qtpy.QtCore import QObject, QTimer, Signal

from napari_fetal_iqa.analysis.certainty import certainty
from napari_fetal_iqa.analysis.result import Analysis, FrameResults
from napari_fetal_iqa.corrections.news import StoreNews
from napari_fetal_iqa.errors import StoreError, StoreUnwritableError
from napari_fetal_iqa.model_library.automatic import models_for
from napari_fetal_iqa.review.session import FrameView, Source
from napari_fetal_iqa.storage.settings import Settings
from napari_fetal_iqa.widgets.actions import SweepActions
from napari_fetal_iqa.widgets.background.analysis_runner import AnalysisRunner
from napari_fetal_iqa.widgets.background.idle_queue import IdleQueue
from napari_fetal_iqa.widgets.background.store_keeper import StoreKeeper
from napari_fetal_iqa.widgets.background.tasks import keep_analysis
from napari_fetal_iqa.widgets.background.threads import KEEPING
from napari_fetal_iqa.widgets.criteria_desk import CriteriaDesk
from napari_fetal_iqa.widgets.panels.review_page import ReviewPage
from napari_fetal_iqa.widgets.shortcuts import Action, status_hint
from napari_fetal_iqa.widgets.sweep_tools import SweepTools
from napari_fetal_iqa.widgets.timeline.data import TimelineData
from napari_fetal_iqa.widgets.viewer.sweep_view import SweepView

if TYPE_CHECKING:
    from napari_fetal_iqa.widgets.timeline.widget import Timeline

_AT_ONCE = 16
"""As many frames that the expert changed are shown at once; more, and computed ones, in turns."""
_STILL_MS = 120
"""How long a frame stays before it is measured: longer than from frame to frame of a scrub."""


class _Emitter(Protocol):
    """A signal of Qt, psygnal or napari."""

    def connect(self, slot: Callable[..., Any], /) -> object: ...
    def disconnect(self, slot: Callable[..., Any], /) -> object: ...


class SweepPresenter(QObject):
    """Draws one open sweep in the viewer, the panel and the timeline, until :meth:`close`.

    ``error_occurred`` tells in one line what went wrong, ``stopped`` why the review cannot go on:
    somebody changed what it stands on.

    Parameters
    ----------
    view : SweepView
    page : ReviewPage
    timeline : Timeline
    runner : AnalysisRunner
        Left idle; its results are this sweep's while the presenter is open.
    keeper : StoreKeeper
    settings : Settings
    """

    error_occurred = Signal(str)
    stopped = Signal(str)
    keys_changed = Signal(str)
    """The keys that are worth knowing now, in one line."""
    found = Signal()
    """It is known whether an analysis of the sweep is kept: until then nothing is said of it."""

    def __init__(
        self,
        view: SweepView,
        page: ReviewPage,
        timeline: "Timeline",
        runner: AnalysisRunner,
        keeper: StoreKeeper,
        settings: Settings,
    ) -> None:
        super().__init__()
        self.view = view
        self.session = view.session
        self._page = page
        self._timeline = timeline
        self._runner = runner
        self._keeper = keeper
        self._settings = settings
        self._new_results = False
        self.looking = False
        self.growth: Callable[[float | None], str] = lambda _: ""
        self.idle_queue = IdleQueue(self)
        self._when_still = QTimer(self)
        self._when_still.setSingleShot(True)
        self._when_still.setInterval(_STILL_MS)
        self._when_still.timeout.connect(self._show_still)
        self.actions = SweepActions(view, self._corrected, self.say)
        note = page.analysis.show_note
        self.tools = SweepTools(view, view.image, self.actions, page.tools, self.say, note, self)
        self.criteria = CriteriaDesk(view, self.actions, page.criteria, note, self)
        self.handlers: Mapping[Action, Callable[[], None]] = {
            **self.actions.handlers,
            **self.tools.handlers,
            **self.criteria.handlers,
            Action.ANALYSE: self.analyse,
            Action.CANCEL_ANALYSIS: runner.cancel,
        }
        self._connections: list[tuple[_Emitter, Callable[..., Any]]] = []
        self._connect_all()

    def _connect_all(self) -> None:
        view, page, actions = self.view, self._page, self.actions
        for emitter, slot in (
            (view.overlay.stroke, actions.stroke),
            (view.ellipse.drawn, actions.take_ellipse),
            (view.selection.changed, self._timeline.show_range),
            (view.viewer.dims.events.current_step, self._frame_changed),
            (view.tool_changed, self._show_tool),
            (view.marks_hidden_for_good, page.frame.show_marks_hidden),
            (view.changes.noticed, self._changed_by_others),
            (view.beside.before_changed, self._show_still),
            (view.overlay.polygon_changed, self._show_keys),
            (view.overlay.refused, self.say),
            (self.tools.cine.changed, self._show_keys),
            (self.session.frames_changed, self._paint),
            (self.session.frames_computed, self._paint_in_turns),
            (self._timeline.frame_chosen, actions.go),
            (self._timeline.range_chosen, actions.choose_range),
            (self._timeline.thresholds_moved, actions.set_thresholds),
            (self._timeline.thresholds_reset, actions.reset_thresholds),
            (self._runner.loading, self._models_loading),
            (self._runner.started, self._analysis_started),
            (self._runner.results, self._results_came),
            (self._runner.ended, self._analysis_ended),
            (self._runner.outlined, self._frame_outlined),
            (self._keeper.saved, self._all_is_saved),
            (self._keeper.delayed, self._not_saved_yet),
            (self._keeper.watcher.news, self._news_came),
            (page.fully_reviewed, self._set_fully_reviewed),
            (page.settings.changed, self._settings_changed),
            (page.reviewers.show_requested, self._show_reviewer),
            (page.reviewers.compare_requested, self._compare_with),
            (page.analysis.front_requested, self._bring_to_front),
        ):
            emitter.connect(slot)
            self._connections.append((emitter, slot))

    def show(self, analysis: Analysis | None = None) -> None:
        """Draw everything; with the analysis that an earlier presenter of the sweep had.

        Raises
        ------
        StoreError
            Where the corrections cannot be read.
        """
        self._page.set_reviewed(True)
        self.looking = analysis is None and self._settings.analyse_on_open
        self._offer_reviewers()
        self._show_saved()
        self._paint(self.session.corrections())
        self._show_still()
        self._show_tool(self.view.tool)
        self._keeper.watch(self.session.sweep.identity)
        self._changed_by_others()  # while the sweep was read
        if analysis is not None:
            self.session.begin_analysis(analysis)
            if self._runner.running:  # for an earlier presenter of the sweep
                self._analysis_started(analysis)
                self._page.analysis.begin("Analysing…")
                if analysis.computed.any():
                    self._page.analysis.show_done(int(analysis.computed.sum()), len(analysis.sweep))
            else:
                self._analysis_ended(False)
        elif self._settings.analyse_on_open:
            self.analyse()

    def close(self, cancel: bool = True) -> str:
        """Stop the analysis, tell the session of the last stroke, and let the viewer go.

        Where another presenter of the sweep follows, which shows its results, it may go on.
        Return one line on what was begun and is dropped; empty for nothing.
        """
        if cancel:
            self._runner.cancel()
        self.view.overlay.report_strokes()
        for emitter, slot in self._connections:
            emitter.disconnect(slot)
        self._keeper.watcher.stop()
        self._when_still.stop()
        self.tools.close()
        self.criteria.close()
        self.idle_queue.clear()
        self._page.set_reviewed(False)
        self._page.stale.check(None)
        self._page.frame.show_marks_hidden(False)
        dropped = self.view.leave_frame(None)
        self.view.leave()
        self.deleteLater()
        return dropped

    # From the session to pixels --------------------------------------------------------------

    def _paint(self, frames: Collection[int]) -> None:
        if len(frames) > _AT_ONCE:
            self._paint_in_turns(frames)
            return
        self.view.paint(frames)
        self._show_soon(frames)
        self.idle_queue.now()

    def _paint_in_turns(self, frames: Collection[int]) -> None:
        self.view.paint_in_turns(frames)
        self._show_soon(frames)

    def _show_soon(self, frames: Collection[int]) -> None:
        jobs = [self._show_frame, self._show_all_frames, self._show_next]
        if self.view.navigator.frame in frames:
            jobs.insert(1, self._show_still)
        self.idle_queue.add(*jobs)

    def _show_all_frames(self) -> None:
        self._timeline.show_data(TimelineData.of(self.session))

    def _changed_by_others(self) -> None:
        self.idle_queue.add(self._check_view)  # once napari is done with the change

    def _check_view(self) -> None:
        """Say why the review waits or stops, and no longer once it can go on."""
        panel, overlay = self._page.analysis, self.view.overlay
        if not overlay.is_ours:
            overlay.take_back()
            panel.show_error(
                "Somebody replaced the outlines in the viewer: those of the review are shown "
                "again, nothing was stored"
            )
        if reason := self.view.changes.reason:
            self.stopped.emit(reason)
        elif reason := self.view.unseen_because():
            panel.show_error(f"The review waits: {reason}", unseen=True)
        elif not panel.front.isHidden():
            panel.show_error("")

    def _bring_to_front(self) -> None:
        self.view.bring_to_front()
        self._page.analysis.show_error("")

    def _show_tool(self, tool: str) -> None:
        self._page.frame.show_tool(tool)
        self._page.tools.show_tool(tool)
        self._show_keys()

    def _show_keys(self, event: object = None) -> None:
        drawing = self.view.tool == "polygon" and self.view.overlay.polygon_begun
        self.keys_changed.emit(
            status_hint(self.view.tool, drawing=drawing, playing=self.tools.cine.mode is not None)
        )

    def _show_next(self) -> None:
        self.tools.show_calipers()
        if self.looking:
            self._page.show_nothing_next()
        else:
            analysis = self.session.analysis
            complete = analysis is not None and analysis.complete
            best = self.session.best_frame()
            sure = certainty(analysis) if analysis is not None and self._runner.running else None
            if sure is not None and sure.best != best:
                sure = None  # the expert has a say in it
            self._page.show_next(best, len(self.session.to_review()), complete, sure)

    def _frame_changed(self, event: Event | None = None) -> None:
        frame = self.view.navigator.frame
        self.view.selection.leave(frame)
        if dropped := self.view.leave_frame(frame):
            self.say(dropped)
        self._runner.look_at(frame)
        self._show_frame()
        if self.view.ellipse.active:
            self._show_still()  # its handles are the calipers
        else:
            self._page.frame.show_moving()
            self.criteria.show_moving()
            self.view.calipers.hide()
            self._when_still.start()

    def _show_frame(self) -> None:
        """Show what is known of the frame, quickly: it may go by."""
        frame = self.view.navigator.frame
        self._timeline.set_frame(frame)
        self._page.frame.show_frame(self.session.view(frame), self.looking)

    def _show_still(self, event: object = None) -> None:
        """Measure the frame and draw on it what is slow to draw."""
        self._changed_by_others()  # a script that writes into the pixels tells nobody
        view = self.view.beside.view(self.view.navigator.frame)
        if self.looking and view.mask_source is Source.NOBODY:
            self._page.frame.show_moving()  # the model's outline may be on its way
        else:
            self._show_measurement(view)
        self.view.show(view)
        self.criteria.show()
        self.tools.show_calipers()
        analysis = self.session.analysis
        if analysis is not None and analysis.spared[view.frame]:
            self._runner.outline(analysis, self._settings, view.frame)

    def _show_measurement(self, view: FrameView) -> None:
        measured = view.measurement
        growth = self.growth(measured.circumference_mm if measured is not None else None)
        self._page.frame.show_measurement(view, growth)

    def show_measured(self) -> None:
        """Show the frame's measurement anew: its age or its chart is another one now."""
        self._show_still()

    # Analysis ------------------------------------------------------------------------------

    def analyse(self) -> None:
        """Run the networks over the sweep, from the frame being looked at."""
        self._page.analysis.show_error("")
        self.looking = self.session.analysis is None
        self._page.analysis.begin("Opening…" if self.looking else "Loading the models…")
        self._runner.start(self.session.sweep, self._settings, self.view.navigator.frame)

    def _models_loading(self) -> None:
        self._page.analysis.begin("Loading the models…")
        self._looked()

    def _looked(self) -> None:
        """Say at once what is known now, and not once all the frames are painted."""
        if self.looking:
            self.looking = False
            self.view.paint((self.view.navigator.frame,))
            self._show_frame()
            self._show_still()
            self._show_next()
            self.found.emit()

    def _analysis_started(self, analysis: Analysis) -> None:
        self.session.begin_analysis(analysis)
        if analysis.complete and self.view.untouched and self.session.best_frame() >= 0:
            self.view.first_paint.expect()
            self.view.navigator.go(self.session.best_frame())  # nobody looked elsewhere before
        self._looked()
        self._page.analysis.show_setup(analysis.setup)
        self._check_models()

    def _results_came(self, results: FrameResults) -> None:
        self._new_results = True
        self.session.add_results(results)
        if (analysis := self.session.analysis) is not None:
            self._page.analysis.advance(int(analysis.computed.sum()), len(analysis.computed))

    def _frame_outlined(self, analysis: Analysis, results: FrameResults) -> None:
        if analysis is self.session.analysis:
            self.session.add_results(results)
            self._keep()

    def _analysis_ended(self, _complete: bool) -> None:
        analysis = self.session.analysis
        self._looked()
        self._page.analysis.end_analysis(analysis)
        self._show_next()
        self._check_models()
        if analysis is not None and self._new_results:
            self._new_results = False
            self._keep()  # of some frames, too: the next analysis goes on from there

    def _keep(self) -> None:
        worker = KEEPING.worker(keep_analysis, self.session.analysis)
        worker.returned.connect(self._was_kept)
        KEEPING.start(worker)

    def _was_kept(self, written: int | None) -> None:
        if written is not None:
            self.view.changes.written = True
            self.stopped.emit(f"somebody wrote into the pixels of frame {written}")

    def _check_models(self) -> None:
        """Notice where what is on the screen was made with other models than those chosen."""
        analysis = self.session.analysis
        models = models_for(self._settings, self.session.sweep.simulated)
        self._page.stale.check(analysis.setup if analysis else None, models)

    # Corrections and reviewers ---------------------------------------------------------------

    def say(self, line: str) -> None:
        """Say something that is no fault of the store; an empty line takes it away."""
        self._page.analysis.show_error(line)

    def _corrected(self, problem: str | None) -> None:
        self.tools.cine.stop()
        self.view.beside.before = False
        self.tools.show_calipers()
        self.idle_queue.now()
        if problem is not None:
            self.error_occurred.emit(problem)
            if self.view.unseen_because():
                self._page.analysis.show_error(problem, unseen=True)
        elif self._keeper.store.on_disk:
            self._page.analysis.show_error(self._keeper.problem)
        self._show_saved()

    def _not_saved_yet(self, problem: str) -> None:
        if self._page.analysis.error.text() != problem:
            self.error_occurred.emit(problem)

    def _all_is_saved(self) -> None:
        self._corrected(None)

    def _show_saved(self) -> None:
        corrected = len(self.session.corrections())
        self._page.show_saved(self.session.reviewer, corrected, self._keeper.complete)
        compared = self.session.comparison
        self._page.reviewers.show_agreement(compared.agreement if compared else None)

    def _offer_reviewers(self) -> None:
        session = self.session
        try:
            others, reviewed = session.other_reviewers(), session.fully_reviewed
        except StoreError:  # the watcher tells it as soon as the file can be read
            others, reviewed = session.known_others(), False
        self._offer(others)
        self._page.reviewed.setChecked(reviewed)

    def _offer(self, others: list[str]) -> None:
        session, panel = self.session, self._page.reviewers
        panel.offer(session.reviewer, others)
        compared = session.comparison
        panel.show_choice(session.shown, compared.other if compared else None)

    def _news_came(self, news: StoreNews) -> None:
        """Show what was written at another desk."""
        if news.sweep != self.session.sweep.identity:
            return
        self._page.reviewed.setChecked(self.session.fully_reviewed_by(news))
        if self.session.take_note(news):
            self._offer(self.session.known_others())
            self._show_saved()

    def _set_fully_reviewed(self, reviewed: bool) -> None:
        if missing := self.view.first_paint.missing:
            self._page.reviewed.setChecked(not reviewed)
            self.say(f"Nothing was changed: {missing}")
            return
        try:
            self.session.fully_reviewed = reviewed
        except StoreUnwritableError as error:  # it counts, and waits as a correction does
            self._corrected(error.in_window)
        except StoreError as error:
            self.error_occurred.emit(error.in_window)
            self._page.reviewed.setChecked(not reviewed)
        else:
            self._corrected(None)

    def _show_reviewer(self, name: str) -> None:
        self.session.show_reviewer(name)
        self._corrected(None)

    def _compare_with(self, name: str) -> None:
        self.session.compare_with(name)
        self._corrected(None)

    def _settings_changed(self, settings: Settings) -> None:
        self._settings = settings
        self._check_models()
        try:
            self.session.reviewer = settings.reviewer
        except StoreError as error:
            self.error_occurred.emit(error.in_window)
        else:
            self._offer_reviewers()
            self._corrected(None)
