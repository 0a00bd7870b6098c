"""What is known of a sweep without reading its frames: header, cached analysis, corrections."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.analysis import cache
from napari_fetal_iqa.analysis.result import Analysis, AnalysisSetup, Thresholds
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.corrections.review_states import ReviewStates
from napari_fetal_iqa.errors import FetalIqaError, StoreError, SweepError
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.io.read import read_source
from napari_fetal_iqa.review.reviewed_frames import ReviewedFrames
from napari_fetal_iqa.review.worklist.listing import files_of
from napari_fetal_iqa.review.worklist.subjects import Subject, SubjectFinder
from napari_fetal_iqa.storage.known_sweeps import KnownSweep, KnownSweeps, remember
from napari_fetal_iqa.sweep import SweepVolume

logger = logging.getLogger(__name__)

HEADERS = (".mha", ".mhd", ".nii", ".nii.gz", ".nrrd", ".nhdr")
"""Endings of files that are opened by their header; of others, opening reads the frames."""

_PIECE_S = 0.1
"""A piece is shown as soon as it took so long."""
_BREATH_S = 0.001
"""After each sweep: a thread that computes makes the window's thread wait for 5 ms at a time."""

_STORE_AT_MOST = 500
"""Sweeps asked of one open store, which keeps the history of each in memory."""


@dataclass(frozen=True)
class SweepFacts:
    """What a list shows of one sweep; None where it is not known.

    Parameters
    ----------
    frames, sweeps : int or None
    identity : str or None
        Content identity; None where its frames were never read on this machine.
    analysed : float or None
        Share of the frames that the models in use have seen, 0 to 1.
    best_frame : int or None
        -1 where no frame shows the abdomen.
    ac_mm : float or None
        Of the best frame.
    corrected : int or None
        Frames that this reviewer corrected.
    corrected_by : dict of str to int
        Frames that each reviewer corrected.
    reviewed : bool or None
        Whether this reviewer looked at every frame.
    reviewed_by : tuple of str
    disagreements : int
        Frames of which two reviewers say otherwise.
    subject : Subject or None
        Whose sweep it is.
    failed : str
        Why it cannot be read, in one line; empty where it can.
    store_unread : bool
        Whether the corrections could not be asked for: nothing is known of them.
    """

    frames: int | None = None
    sweeps: int | None = None
    identity: str | None = None
    analysed: float | None = None
    best_frame: int | None = None
    ac_mm: float | None = None
    corrected: int | None = None
    corrected_by: dict[str, int] = field(default_factory=dict)
    reviewed: bool | None = None
    reviewed_by: tuple[str, ...] = ()
    disagreements: int = 0
    subject: Subject | None = None
    failed: str = ""
    store_unread: bool = False

    def after(self, before: "SweepFacts | None", reviewer: str) -> "SweepFacts":
        """Return these facts; of corrections that could not be asked for, what was known before."""
        if not self.store_unread or before is None or before.identity != self.identity:
            return self
        return replace(
            before,
            analysed=self.analysed,
            corrected=before.corrected_by.get(reviewer, 0),
            reviewed=reviewer in before.reviewed_by,
            store_unread=True,
        )

    def with_corrected(self, reviewer: str, frames: int) -> "SweepFacts":
        """Return these facts with what a reviewer corrected, on disk or not yet."""
        if self.identity is None or frames == (self.corrected or 0):
            return self
        others = {name: count for name, count in self.corrected_by.items() if name != reviewer}
        mine = {reviewer: frames} if frames else {}
        return replace(self, corrected=frames, corrected_by={**others, **mine})


class FactFinder:
    """Gathers the facts of one sweep after the other; a context, of one thread.

    Parameters
    ----------
    store : Path
        The corrections store; where there is none yet, nothing is corrected.
    reviewer : str
        Whose review it is.
    setup : callable
        Whose analyses count of a real sweep (False) and of a phantom (True); None where the models
        cannot be told.
    """

    def __init__(
        self, store: Path, reviewer: str, setup: Callable[[bool], AnalysisSetup | None]
    ) -> None:
        self._path = store
        self._reviewer = reviewer
        self._setup = setup
        self._known = KnownSweeps()
        self._subjects = SubjectFinder()
        self._opened: tuple[CorrectionStore, ReviewStates] | None = None
        self._asked = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ExitStack() as closing:
            closing.callback(self._known.close)
            closing.callback(self._close_store)

    def facts(self, source: SweepSource, analysis: Analysis | None = None) -> SweepFacts:
        """Gather what is known of a sweep.

        Parameters
        ----------
        source : SweepSource
        analysis : Analysis, optional
            Of the sweep as it is under review, of which the cache may know less.
        """
        facts = self._of_files(source, analysis)
        if facts.subject is None:
            facts = replace(facts, subject=self._subjects.by_table(source))
        return facts

    def _of_files(self, source: SweepSource, analysis: Analysis | None) -> SweepFacts:
        try:
            files = files_of(source)
            known = self._known.find(source.path, files) if files else None
            if known is not None:
                return self._of_known(known, source, analysis)
            if not source.path.name.lower().endswith(HEADERS):
                source.path.stat()
                return SweepFacts()
            sweep = read_source(source)
            return SweepFacts(frames=len(sweep), sweeps=len(sweep.bounds))
        except SweepError as error:
            return SweepFacts(failed=error.in_window)
        except OSError as error:
            return SweepFacts(failed=f"{source.name}: cannot be read ({error.strerror})")

    def _of_known(
        self, known: KnownSweep, source: SweepSource, analysis: Analysis | None
    ) -> SweepFacts:
        try:
            sweep = known.without_frames(source.name)
        except (SweepError, ValueError):
            return SweepFacts()
        facts = SweepFacts(len(sweep), len(sweep.bounds), sweep.identity)
        from_cache = analysis is None
        if from_cache and (setup := self._setup(sweep.simulated)) is not None:
            analysis = cache.load(sweep, setup) or cache.load_partial(sweep, setup)
        facts = replace(facts, analysed=float(analysis.computed.mean()) if analysis else 0.0)
        try:
            store, states = self._store()
            state = states.of(sweep.identity)
            facts = replace(
                facts,
                corrected=state.corrected.get(self._reviewer, 0),
                corrected_by=state.corrected,
                reviewed=self._reviewer in state.reviewed_by,
                reviewed_by=state.reviewed_by,
                disagreements=state.disagreements,
                subject=self._subjects.of(source, store.subject(sweep.identity)),
            )
            if analysis is not None and analysis.computed.any():
                bookmark = store.bookmark(sweep.identity, self._reviewer)
                if from_cache and bookmark is not None and bookmark.thresholds:
                    analysis.set_thresholds(Thresholds(*bookmark.thresholds))
                best, ac_mm = self._to_measure(analysis, store)
                facts = replace(facts, best_frame=best, ac_mm=ac_mm)
        except StoreError as error:
            logger.info("%s", error)  # the review itself shows it
            facts = replace(facts, store_unread=True)
        return facts

    def _to_measure(self, analysis: Analysis, store: CorrectionStore) -> tuple[int, float | None]:
        """Return the frame to measure and its AC, as the review of the sweep shows them."""
        reviewed = ReviewedFrames(analysis.sweep, store, self._reviewer)
        reviewed.analysis = analysis
        best = reviewed.best_frame()
        measured = reviewed.view(best).measurement if best >= 0 else None
        return best, measured.circumference_mm if measured else None

    def _store(self) -> tuple[CorrectionStore, ReviewStates]:
        if self._opened is not None and self._asked >= _STORE_AT_MOST:
            self._close_store()
        if self._opened is None:
            there = self._path.exists()
            store = CorrectionStore(self._path, "ro" if there else "memory")
            self._opened, self._asked = (store, ReviewStates(store)), 0
        self._asked += 1
        return self._opened

    def _close_store(self) -> None:
        if self._opened is not None:
            store, self._opened = self._opened[0], None
            store.close()


def note(sweep: SweepVolume) -> None:
    """Note what was learnt of a sweep that was read, so that a list need not read it again.

    Raises
    ------
    OSError
        Where it cannot be noted.
    """
    if sweep.path is not None and (files := files_of(SweepSource(sweep.path))):
        remember(sweep.path, files, sweep)


def gather(
    sources: Sequence[tuple[int, SweepSource]],
    store: Path,
    reviewer: str,
    models: Callable[[bool], AnalysisSetup],
    analysis: Analysis | None = None,
) -> Iterator[dict[int, SweepFacts]]:
    """Gather the facts of numbered sweeps in small pieces, which leave the machine to others.

    Parameters
    ----------
    sources : sequence of (int, SweepSource)
    store, reviewer, analysis
        See :class:`FactFinder`.
    models : callable
        Gives whose analyses count of a phantom (True) or a real sweep (False); called once for
        either, for it reads the models' folders.
    """

    @lru_cache
    def setup(simulated: bool) -> AnalysisSetup | None:
        try:
            return models(simulated)
        except (FetalIqaError, ModelError) as error:
            logger.info("%s", error)  # the review itself shows it
            return None

    with FactFinder(store, reviewer, setup) as finder:
        piece: dict[int, SweepFacts] = {}
        since = time.monotonic()
        for number, source in sources:
            piece[number] = finder.facts(source, analysis)
            if time.monotonic() - since > _PIECE_S:
                yield piece
                piece, since = {}, time.monotonic()
            time.sleep(_BREATH_S)
        yield piece
