"""The result of the case at the desk: keeps the age by dates, makes the report and DICOM."""

import logging
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QStandardPaths, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QWidget

from napari_fetal_iqa.errors import FetalIqaError, StoreError, words_in_window
from napari_fetal_iqa.growth.charts import Author, OutOfChartError, find_chart
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.review.examination.snapshot import ReviewSnapshot
from napari_fetal_iqa.widgets.background.threads import RESULTS
from napari_fetal_iqa.widgets.result.dialogs import DicomDialog, PlaceDialog, ReportDialog
from napari_fetal_iqa.widgets.result.jobs import ReportWish, Steps, dicom_steps, report_steps
from napari_fetal_iqa.widgets.result.panel import ResultPanel
from napari_fetal_iqa.widgets.shortcuts import Action, with_key

if TYPE_CHECKING:
    from napari_fetal_iqa.widgets.presenter import SweepPresenter

logger = logging.getLogger(__name__)

_BUSY = "A result is being made; wait for it, or cancel it"


class ResultDesk(QObject):
    """Ties the section to the sweep on the screen; what is being made goes on without it.

    Parameters
    ----------
    panel : ResultPanel
    parent : QWidget
        Over which the dialogs open.
    """

    failed = Signal(str)

    def __init__(self, panel: ResultPanel, parent: QWidget) -> None:
        super().__init__(parent)
        self._panel, self._window = panel, parent
        self._presenter: SweepPresenter | None = None
        self._worker: Any = None
        self._saved: Path | None = None
        self._folder = Path(
            QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
            or Path.home()
        )
        self.dialog: PlaceDialog | None = None
        self.handlers: dict[Action, Callable[[], None]] = {
            Action.MAKE_REPORT: self.ask_report,
            Action.EXPORT_DICOM: self.ask_dicom,
        }
        panel.age_entered.connect(self._enter)
        panel.age_forgotten.connect(self._forget)
        panel.chart_chosen.connect(self._show_again)
        panel.cancel_requested.connect(self.cancel)
        panel.open_requested.connect(self._open)

    # The sweep on the screen ---------------------------------------------------------------

    def follow(self, presenter: "SweepPresenter") -> None:
        """Speak of this sweep from now on."""
        self._presenter = presenter
        presenter.growth = self.show_frame
        self._panel.show_age(presenter.session.age)
        self.look()

    def leave(self) -> None:
        """Speak of no sweep."""
        self._presenter = None
        self._leave_dialog()
        self._panel.show_age(None)
        self._panel.show_growth("")
        self.look()

    def look(self) -> None:
        """Offer what can be made now."""
        self._panel.offer(self._missing())

    def _missing(self) -> str:
        """Say why nothing can be made; empty where it can."""
        if self._presenter is None:
            return "Open a sweep first"
        session = self._presenter.session
        if session.analysis is None and not session.corrections():
            return f"Nothing to report yet: {with_key('analyse the sweep first', Action.ANALYSE)}"
        if session.analysis is not None and not session.analysis.complete:
            return "Wait until every frame is analysed"
        return ""

    @property
    def chart(self) -> Author:
        """By which chart circumferences are ranked."""
        return "hadlock" if self._panel.chart.currentData() == "hadlock" else "intergrowth"

    def growth(self, circumference_mm: float | None) -> tuple[str, str]:
        """Return where a circumference lies on the chart, in few words and in full.

        Both are empty where there is no circumference, or no age by dates.
        """
        dating = self._presenter.session.age if self._presenter is not None else None
        chart = find_chart("AC", self.chart)
        if circumference_mm is None or dating is None or chart is None:
            return "", ""
        whole, days = divmod(dating.days, 7)
        age = f"{whole}w{days}d"
        try:
            standing = chart.standing(circumference_mm, dating.weeks)
        except OutOfChartError as error:
            return f"no centile at {age}", f"No centile: {error}"
        return (
            f"{standing} at {age}",
            f"AC {circumference_mm:.1f} mm of this frame: {standing} (z {standing.z:+.2f}) by "
            f"{chart.title} at {age}; age by dates",
        )

    def show_frame(self, circumference_mm: float | None) -> str:
        """Show where the frame on the screen lies; return it in few words."""
        short, full = self.growth(circumference_mm)
        self._panel.show_growth(full)
        self.look()
        return short

    def _show_again(self) -> None:
        if self._presenter is not None:
            self._presenter.show_measured()

    # The age by dates ----------------------------------------------------------------------

    def _enter(self, way: str, typed: str, examined: str) -> None:
        try:
            dating = read_dating(way, typed, examined)
        except ValueError as error:
            self._panel.show_doing(f"The age was not kept: {error}")
            return
        self._set(dating)

    def _forget(self) -> None:
        self._set(None)

    def _set(self, dating: Dating | None) -> None:
        if self._presenter is None:
            return
        session = self._presenter.session
        try:
            session.age = dating
        except StoreError as error:
            self.failed.emit(error.in_window)
        self._panel.show_age(session.age)
        self._panel.show_doing("")
        self._show_again()

    # Report and DICOM ----------------------------------------------------------------------

    def _may_begin(self) -> bool:
        reason = _BUSY if self._worker is not None else self._missing()
        if reason:
            self._panel.expand(animate=False)
            if self._worker is None:
                self._panel.show_doing(reason)
        return not reason

    def ask_report(self) -> None:
        """Ask where the report shall go, then make it."""
        if self._presenter is None or not self._may_begin():
            return
        name = f"report-{self._presenter.session.sweep.identity[:8]}.pdf"
        dialog = ReportDialog(self._folder / name, self._window)
        dialog.answered.connect(self.make_report)
        self._show_dialog(dialog)

    def ask_dicom(self) -> None:
        """Ask for a folder, then export into it."""
        if self._presenter is None or not self._may_begin():
            return
        sweep = self._presenter.session.sweep
        folder = self._folder / f"dicom-{sweep.identity[:8]}"
        dialog = DicomDialog(folder, sweep.source_format.startswith("DICOM"), self._window)
        dialog.answered.connect(self.make_dicom)
        self._show_dialog(dialog)

    def _show_dialog(self, dialog: PlaceDialog) -> None:
        self._leave_dialog()
        self.dialog = dialog
        dialog.finished.connect(lambda: self._left(dialog))
        dialog.show()

    def _left(self, dialog: PlaceDialog) -> None:
        if dialog is self.dialog:
            self.dialog = None

    def _leave_dialog(self) -> None:
        if self.dialog is not None:
            self.dialog.reject()

    def make_report(self, wish: ReportWish) -> None:
        """Make a report of the sweep as it is reviewed now."""
        self._make(wish.out, lambda snapshot: report_steps(snapshot, wish, self.chart))

    def make_dicom(self, folder: Path) -> None:
        """Make DICOM objects of the sweep as it is reviewed now."""
        self._make(folder, lambda snapshot: dicom_steps(snapshot, folder, self.chart))

    def _make(self, place: Path, steps: Callable[[ReviewSnapshot], Steps]) -> None:
        if self._presenter is None or not self._may_begin():
            return
        self._presenter.view.overlay.report_strokes()
        snapshot = ReviewSnapshot.of(self._presenter.session, self._presenter.session.age)

        def work() -> Steps:
            return (yield from made)

        made = steps(snapshot)

        self._folder = place.parent
        worker = RESULTS.worker(work)
        worker.yielded.connect(lambda words: self._advance(worker, words))
        worker.returned.connect(lambda words: self._end(worker, words, place))
        worker.errored.connect(lambda error: self._fail(worker, error))
        self._worker = worker
        self._panel.expand(animate=False)
        self._panel.show_doing("Begins…", running=True)
        RESULTS.start(worker)

    def _advance(self, worker: object, words: str) -> None:
        if worker is self._worker:
            self._panel.show_doing(words, running=True)

    def _end(self, worker: object, words: str | None, place: Path) -> None:
        if worker is self._worker and words is not None:
            self._worker, self._saved = None, place
            self._panel.show_doing(words, saved=True)

    def _fail(self, worker: object, error: Exception) -> None:
        if worker is not self._worker:
            return
        self._worker = None
        foreseen = isinstance(error, FetalIqaError)
        if not foreseen:
            logger.error("the result could not be made", exc_info=error)
        why = words_in_window(error) if foreseen else f"{type(error).__name__}: {error}"
        self._panel.show_doing(f"Nothing was saved: {why}")

    def cancel(self) -> None:
        """Make no result after all; the step that is under way ends unheard."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.quit()
            self._panel.show_doing("Cancelled, nothing was saved")

    def _open(self) -> None:
        if self._saved is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._saved)))

    def when_closed(self) -> str:
        """Say what becomes of a result when the window is closed; empty where none is made."""
        if self._worker is None:
            return ""
        return "A result is being made. Closing waits some seconds for it."

    def close(self) -> None:
        """Ask nothing more, and say nothing more."""
        self._leave_dialog()
        self._presenter = None
        self._worker = None


def read_dating(way: str, typed: str, examined: str) -> Dating:
    """Read an age by dates as it was typed.

    Parameters
    ----------
    way : "weeks", "LMP" or "EDD"
    typed, examined : str
        Weeks and days, or a date as YYYY-MM-DD; the day of the examination.

    Raises
    ------
    ValueError
        Says what to write instead.
    """
    if way == "weeks":
        return Dating.from_weeks(typed)
    if not examined:
        raise ValueError("the day of the examination is missing: the age on that day counts")
    first, day = (_read_date(text) for text in (typed, examined))
    return (Dating.from_lmp if way == "LMP" else Dating.from_edd)(first, day)


def _read_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r}: write a date as 2026-11-30") from None
