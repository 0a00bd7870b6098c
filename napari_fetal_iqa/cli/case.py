"""The sweeps of one case, read, analysed and reviewed, for commands that speak of a case."""

from collections.abc import Sequence
from contextlib import suppress

from tqdm import tqdm

from napari_fetal_iqa.analysis import analyse_sweep
from napari_fetal_iqa.analysis.engine import Engine
from napari_fetal_iqa.analysis.result import Thresholds
from napari_fetal_iqa.cli.batch import AnnouncedAnalyser
from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.io.read import read_source
from napari_fetal_iqa.model_library.automatic import suited
from napari_fetal_iqa.review.reviewed_frames import ReviewedFrames
from napari_fetal_iqa.review.worklist.facts import note


def review_case(
    sources: Sequence[SweepSource],
    store: CorrectionStore,
    reviewer: str,
    models: tuple[str, str],
    device: str = "auto",
    engine: Engine = "auto",
    frames_per_sweep: int | None = None,
) -> list[ReviewedFrames]:
    """Read the sweeps of a case, analyse what is not in the cache, and take in the corrections.

    Parameters
    ----------
    sources : sequence of SweepSource
    store : CorrectionStore
        Only read.
    reviewer : str
        Whose corrections count, and whose thresholds.
    models : (str, str)
        CLS and SEG, as for ``analyse``.
    device, engine, frames_per_sweep
        As for ``analyse``.

    Raises
    ------
    SweepError, AnalysisError, fetal_iqa_models.ModelError
        Where one of them cannot be read or analysed: a case with a sweep missing is another case.
    """
    analysers: dict[tuple[str, str], AnnouncedAnalyser] = {}
    volumes = []
    for source in sources:
        sweep = read_source(source, frames_per_sweep)
        if sweep.spacing_note:
            echo(sweep.spacing_note, err=True)
        cls, seg = (
            suited(models[0], "cls", sweep.simulated),
            suited(models[1], "seg", sweep.simulated),
        )
        if (cls, seg) not in analysers:
            analysers[cls, seg] = AnnouncedAnalyser(cls, seg, device, engine=engine)
        with tqdm(desc="Analysing", unit="frame", disable=None, leave=False) as bar:

            def show(done: int, total: int, bar: tqdm = bar) -> None:
                bar.total = total
                bar.update(done - bar.n)

            analysis = analyse_sweep(sweep, analyser=analysers[cls, seg], progress=show)
        bookmark = store.bookmark(sweep.identity, reviewer)
        if bookmark is not None and bookmark.thresholds:
            analysis.set_thresholds(Thresholds(*bookmark.thresholds))
        with suppress(OSError):  # then a later case of this subject has no earlier one to show
            note(sweep)
        reviewed = ReviewedFrames(sweep, store, reviewer)
        reviewed.analysis = analysis
        volumes.append(reviewed)
    return volumes
