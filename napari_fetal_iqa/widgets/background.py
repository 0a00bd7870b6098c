"""Work that runs off the GUI thread. It yields results and touches no viewer and no widget."""

from collections.abc import Iterator

from napari_fetal_iqa import places
from napari_fetal_iqa.analysis.order import FrameQueue
from napari_fetal_iqa.analysis.remote import RemoteAnalyser
from napari_fetal_iqa.analysis.result import Analysis, FrameResults
from napari_fetal_iqa.sweep import SweepVolume


def get_to_know(sweep: SweepVolume) -> SweepVolume:
    """Compute what takes long of a sweep: its content identity and its field of view."""
    identity = sweep.identity
    _ = sweep.field_of_view
    if sweep.path is not None:
        places.remember_location(identity, sweep.path)
    return sweep


def analyse(
    analyser: RemoteAnalyser, sweep: SweepVolume, queue: FrameQueue, cls_model: str, seg_model: str
) -> Iterator[Analysis | FrameResults]:
    """Load the models, give the empty analysis, then the results of batch after batch.

    The analysis is the window's own from the moment that it is yielded.
    """
    yield Analysis(sweep, analyser.load(cls_model, seg_model))
    yield from analyser.run(sweep, queue)
