"""The one loop of an analysis: from the cache, or batch by batch, and into the cache again."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar, cast

import numpy as np

from napari_fetal_iqa.analysis import cache
from napari_fetal_iqa.analysis.analyser import Analyser
from napari_fetal_iqa.analysis.cascade import Cascade
from napari_fetal_iqa.analysis.engine import Engine
from napari_fetal_iqa.analysis.frame_order import FrameQueue
from napari_fetal_iqa.analysis.precisions import AskedPrecision
from napari_fetal_iqa.analysis.repeats import OnceEach
from napari_fetal_iqa.analysis.result import Analysis, AnalysisSetup, FrameResults
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.model_library.automatic import suited
from napari_fetal_iqa.storage.settings import AUTOMATIC
from napari_fetal_iqa.sweep import SweepVolume

Progress = Callable[[int, int], None]
"""Called with frames done and frames in all."""

_Order = TypeVar("_Order", contravariant=True)


class LoadedModels(Protocol[_Order]):
    """Models that are ready to run, in this process or in another."""

    @property
    def setup(self) -> AnalysisSetup:
        """Who speaks."""

    def run(self, sweep: SweepVolume, order: _Order, /) -> Iterator[FrameResults]:
        """Analyse frames batch by batch."""


class AnalysisInterruptedError(KeyboardInterrupt):
    """Ctrl-C, with what was analysed until then.

    Parameters
    ----------
    analysis : Analysis
        Of some of the frames.
    """

    def __init__(self, analysis: Analysis) -> None:
        super().__init__()
        self.analysis = analysis


def begin_analysis(
    sweep: SweepVolume,
    setup: AnalysisSetup,
    load: Callable[[], LoadedModels[_Order]],
    order: _Order,
    *,
    engine: Engine = "auto",
    precision: AskedPrecision = "auto",
    use_cache: bool = True,
    leave_out: Callable[[Sequence[int]], None] | None = None,
) -> tuple[Analysis, Iterator[FrameResults]]:
    """Look into the cache, or else load the models and let them begin.

    The loop of all who analyse, for those who take in the results themselves, as the window
    does; others call :func:`analyse_sweep`.

    Parameters
    ----------
    sweep : SweepVolume
    setup : AnalysisSetup
        Who shall speak.
    load : callable
        Gives these models, ready to run; called only where the cache does not help.
    order : sequence of int, or FrameQueue
        Frames to analyse, as the models take them.
    engine : "auto", "torch" or "openvino"
        What is kept of another engine than one that is asked for is left where it is.
    precision : "auto", "float32", "bf16" or "int8"
        The same holds of another precision of OpenVINO.
    use_cache : bool
    leave_out : callable, optional
        Given, an analysis that was ended early goes on from what is kept of it: called with the
        frames that ``order`` need not have any more.

    Returns
    -------
    analysis : Analysis
        Complete where it was cached, else empty, or as far as it was kept.
    results : iterator of FrameResults
        Of batch after batch, none where it was cached; closing it cancels.
    """
    if isinstance(order, FrameQueue):
        order.cascade = setup.cascade
    if use_cache and (cached := cache.load(sweep, setup)) is not None:
        if engine in ("auto", cached.setup.engine) and _is_in(precision, cached.setup):
            return cached, iter(())
    elif leave_out is not None and (kept := cache.load_partial(sweep, setup)) is not None:
        return kept, _rest(kept, load, order, leave_out)
    models = load()
    # a process of its own is told at each batch what to outline, and loads models without it
    known = replace(models.setup, cascade=setup.cascade)
    return Analysis(sweep, known), _each_once(sweep, models, order)


def _each_once(
    sweep: SweepVolume, models: LoadedModels[_Order], order: _Order
) -> Iterator[FrameResults]:
    """Run over frames that are neither black nor like another; let the queue learn from each."""
    queue = order if isinstance(order, FrameQueue) else None
    once = OnceEach(sweep, cast(Sequence[int], order) if queue is None else queue.waiting)
    if queue is None:
        order = cast(_Order, once.own)
    else:
        queue.leave_out(once.others)
    stated = once.black_results(models.setup)
    if stated is not None:
        if queue is not None:
            queue.note(stated, models.setup.thresholds)
        yield stated
    running = models.run(sweep, order)
    try:
        for batch in running:
            results = once.with_copies(batch)
            if queue is not None:
                queue.note(results, models.setup.thresholds)
            yield results
    finally:
        if isinstance(running, Generator):
            running.close()


def _rest(
    kept: Analysis,
    load: Callable[[], LoadedModels[_Order]],
    order: _Order,
    leave_out: Callable[[Sequence[int]], None],
) -> Iterator[FrameResults]:
    """Run over the frames that are not computed; over all where another device computes now."""
    # now: results come in while this runs
    known = np.flatnonzero(kept.computed & ~kept.lacking)
    found = kept.results(known)
    models = load()
    if _ran_on(models.setup) == _ran_on(kept.setup):
        leave_out(known.tolist())
        if isinstance(order, FrameQueue):
            order.note(found, kept.setup.thresholds)
    yield from _each_once(kept.sweep, models, order)


def _is_in(precision: AskedPrecision, setup: AnalysisSetup) -> bool:
    """Whether results are in a precision; torch has its own, whatever is asked for."""
    return precision == "auto" or setup.engine != "openvino" or setup.precision == precision


def _ran_on(setup: AnalysisSetup) -> tuple[str, str, str]:
    return setup.device, setup.precision, setup.engine


def analyse_sweep(
    sweep: SweepVolume,
    cls_model: str | Path | None = AUTOMATIC,
    seg_model: str | Path | None = AUTOMATIC,
    *,
    device: str = "auto",
    batch_size: int | None = None,
    frames: Sequence[int] | None = None,
    encoder_weights: Path | None = None,
    engine: Engine = "auto",
    precision: AskedPrecision = "auto",
    cascade: Cascade = "off",
    progress: Progress | None = None,
    found: Callable[[Analysis], None] | None = None,
    use_cache: bool = True,
    overwrite: bool = False,
    cancel: Callable[[], bool] | None = None,
    analyser: Analyser | None = None,
) -> Analysis:
    """Run the networks over a sweep.

    Parameters
    ----------
    sweep : SweepVolume
    cls_model, seg_model, device, batch_size, encoder_weights, engine, precision, cascade
        See :class:`Analyser`; by default the built-in models that suit the sweep.
    frames : sequence of int, optional
        Only these, in this order; by default all of them, as :class:`FrameQueue` gives them.
    progress : callable, optional
        Called with frames done and frames in all, at the beginning and after each batch.
    found : callable, optional
        Called with the analysis as far as it is, after each batch.
    use_cache : bool
        Return what these models found in the whole sweep before, and keep what they find now.
    overwrite : bool
        Compute again what is in the cache.
    cancel : callable, optional
        Called before each batch; where it gives True, the analysis ends with what is there.
    analyser : Analyser, optional
        For one sweep after the other through the same models: instead of naming them.

    Returns
    -------
    Analysis

    Raises
    ------
    AnalysisError
        Without any model, or where a frame number is not of this sweep.
    AnalysisInterruptedError
        At Ctrl-C; it has the frames that were analysed until then.
    fetal_iqa_models.ModelError
        Where a model cannot be loaded.
    """
    wanted = list(range(len(sweep)) if frames is None else frames)
    foreign = [frame for frame in wanted if not 0 <= frame < len(sweep)]
    if foreign:
        raise AnalysisError(f"{sweep.name} has frames 0 to {len(sweep) - 1}, not {foreign[0]}")
    if analyser is None:
        analyser = Analyser(
            suited(cls_model, "cls", sweep.simulated),
            suited(seg_model, "seg", sweep.simulated),
            device,
            batch_size,
            encoder_weights,
            engine,
            precision,
            cascade,
        )
    queue = FrameQueue(len(sweep), None, sweep.bounds)
    order: Sequence[int] | FrameQueue = queue if frames is None else wanted
    analysis, results = begin_analysis(
        sweep,
        analyser.setup,
        analyser.load,
        order,
        engine=analyser.engine,
        precision=analyser.precision,
        use_cache=use_cache and frames is None and not overwrite,
    )
    if not analysis.complete:
        # not a signal handler: Ctrl-C must also end a batch that takes minutes on a slow machine
        try:
            _take_in(results, analysis, len(wanted), progress, cancel, found)
            if use_cache:
                cache.save(analysis)
        except KeyboardInterrupt:
            raise AnalysisInterruptedError(analysis) from None
    elif progress:
        progress(len(wanted), len(wanted))
    return analysis


def _take_in(
    results: Iterator[FrameResults],
    analysis: Analysis,
    total: int,
    progress: Progress | None,
    cancel: Callable[[], bool] | None,
    found: Callable[[Analysis], None] | None,
) -> None:
    done = 0
    if progress:
        progress(done, total)
    while not (cancel and cancel()) and (batch := next(results, None)) is not None:
        analysis.add(batch)
        done += len(batch.frames)
        if progress:
            progress(done, total)
        if found:
            found(analysis)
