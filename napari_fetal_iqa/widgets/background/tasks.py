"""Work that runs off the GUI thread. It yields results and touches no viewer and no widget."""

import importlib
import logging
import threading
from collections.abc import Callable, Iterator
from weakref import WeakKeyDictionary

from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.analysis import cache
from napari_fetal_iqa.analysis.cascade import Cascade
from napari_fetal_iqa.analysis.engine import Engine
from napari_fetal_iqa.analysis.frame_order import FrameQueue
from napari_fetal_iqa.analysis.models import choose_models
from napari_fetal_iqa.analysis.precisions import AskedPrecision
from napari_fetal_iqa.analysis.result import Analysis, FrameResults
from napari_fetal_iqa.analysis.run import begin_analysis
from napari_fetal_iqa.analysis.worker_client import RemoteAnalyser, RemoteModels
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.review.worklist.facts import note
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.sweep import SweepVolume

logger = logging.getLogger(__name__)

_of_all = threading.Lock()
_of_one: WeakKeyDictionary[SweepVolume, threading.Lock] = WeakKeyDictionary()


def import_what_sweeps_need() -> None:
    """Import what takes long and is not needed before a sweep is there."""
    for name in (
        "napari_fetal_iqa.widgets.timeline.widget",
        "scipy.ndimage",
        "skimage.measure.fit",
    ):
        importlib.import_module(name)


def prepare_sweep(sweep: SweepVolume) -> SweepVolume:
    """Compute what takes long of a sweep: its content identity and its field of view.

    Where another thread is at it already, that one is waited for.
    """
    with _of_all:
        being_prepared = _of_one.setdefault(sweep, threading.Lock())
    with being_prepared:
        identity = sweep.identity
        _ = sweep.sums
        _ = sweep.field_of_view
        _ = sweep.fan_box
    if sweep.path is not None:
        try:
            paths.remember_location(identity, sweep.path)
            note(sweep)
        except OSError:
            logger.warning("where the sweep lies could not be noted; training will ask for it")
    return sweep


def is_prepared(sweep: SweepVolume) -> bool:
    """Whether what takes long of a sweep was computed before."""
    return {"identity", "sums", "field_of_view", "fan_box"} <= vars(sweep).keys()


def keep_analysis(analysis: Analysis) -> int | None:
    """Keep an analysis; return instead a frame that somebody wrote into since the sweep was read.

    What was computed from other pixels is no analysis of this sweep.
    """
    sweep = analysis.sweep
    written = next(filter(sweep.was_written, range(len(sweep))), None)
    if written is None:
        cache.save(analysis)
    return written


def analyse(
    analyser: RemoteAnalyser,
    sweep: SweepVolume,
    queue: FrameQueue,
    cls_model: str,
    seg_model: str,
    engine: Engine,
    precision: AskedPrecision,
    cascade: Cascade,
    needs_models: Callable[[], None],
) -> Iterator[Analysis | FrameResults]:
    """Return the analysis and then, unless it is complete, the results of batch after batch.

    The analysis is the window's own from the moment that it is yielded: one that was cached is
    complete, one that was ended early is as far as it came, another is empty. ``needs_models`` is
    called, in this thread, where none is kept that is complete.
    """

    def load() -> RemoteModels:
        needs_models()
        return analyser.models(cls_model, seg_model, "auto", engine, precision)

    try:
        setup = choose_models(cls_model, seg_model, cascade=cascade).setup()
    except ModelError as error:
        raise AnalysisError(str(error), error.in_window) from None
    analysis, results = begin_analysis(
        sweep, setup, load, queue, engine=engine, precision=precision, leave_out=queue.leave_out
    )
    yield analysis
    yield from results


def outline(
    analyser: RemoteAnalyser,
    analysis: Analysis,
    frame: int,
    cls_model: str,
    seg_model: str,
    engine: Engine,
    precision: AskedPrecision,
) -> FrameResults | None:
    """Analyse one frame, and outline it whatever its quality.

    None where the models that are chosen now are not those of the analysis: results of two are
    never mixed.
    """
    sweep = analysis.sweep
    queue = FrameQueue(len(sweep), None)
    queue.leave_out(other for other in range(len(sweep)) if other != frame)
    models = analyser.models(cls_model, seg_model, "auto", engine, precision)
    if models.setup.models != analysis.setup.models:
        return None
    return next(iter(models.run(sweep, queue)), None)
