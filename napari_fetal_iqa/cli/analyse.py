"""``napari-fetal-iqa analyse``: the main job without a window."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import fetal_iqa_models
from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.cli.folders import find_sweeps
from napari_fetal_iqa.cli.info import FramesPerSweep
from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.errors import AnalysisError, FetalIqaError
from napari_fetal_iqa.fields import help_of
from napari_fetal_iqa.io.read import read_source
from napari_fetal_iqa.model_library.in_use import Task, locate, reference_in_use
from napari_fetal_iqa.model_library.zero_shot import made
from napari_fetal_iqa.storage.settings import AUTOMATIC, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_fetal_iqa.criteria import Verdicts

ClsModel = Annotated[
    str | None,
    typer.Option(
        "--cls",
        help=f"{help_of(Settings, 'cls_model')} By default the model in use.",
    ),
]
SegModel = Annotated[
    str | None,
    typer.Option(
        "--seg",
        help=f"{help_of(Settings, 'seg_model')} By default the model in use.",
    ),
]
Device = Annotated[
    Literal["auto", "cuda", "mps", "cpu"], typer.Option(help="auto takes them in this order.")
]
EngineName = Annotated[
    Literal["auto", "torch", "openvino"],
    typer.Option(
        help="What computes. auto: torch with a graphics card, else OpenVINO, which starts "
        "sooner and is faster on the CPU; a model that is not compiled yet is compiled once."
    ),
]
PrecisionName = Annotated[
    Literal["auto", "float32", "bf16", "int8"],
    typer.Option(
        help="Of OpenVINO's arithmetic. auto: the fastest on this processor of those that agreed "
        "with float32 on held-out frames (models compile --precision)."
    ),
]

CascadeBy = Annotated[
    str,
    typer.Option(
        "--cascade",
        metavar="auto|off|QUALITY",
        help="Which frames are outlined. off: all; a quality from 0 to 1: those of that quality or "
        "more; auto: from the quality on that was measured for the CLS model, all where none "
        "was. frames.csv says which were not.",
    ),
]


def analyse(
    sweeps: Annotated[list[Path], typer.Argument(help="Sweep files, or folders that hold some.")],
    out: Annotated[Path, typer.Option(help="Folder for the results, one folder a sweep.")],
    cls: ClsModel = None,
    seg: SegModel = None,
    device: Device = "auto",
    engine: EngineName = "auto",
    precision: PrecisionName = "auto",
    cascade: CascadeBy = "auto",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Frames at a time; found by itself by default.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="Pretrained weights of the encoder, where the model holds none."),
    ] = None,
    frames: Annotated[
        str | None, typer.Option(help="Only these frames: 3,17,40-60 (0-based, ends included).")
    ] = None,
    frames_per_sweep: FramesPerSweep = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Analyse again, and replace what is there.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Only the I-th of N shares of the sweeps, from 1/N to N/N: one share for each "
            "job of an array on a cluster, all with the same --out.",
        ),
    ] = None,
    reviewer: Annotated[
        str | None,
        typer.Option(
            help="Whose words on the six criteria count for plane_score in frames.csv; by default "
            "nobody's, and only the two that the outline tells."
        ),
    ] = None,
) -> None:
    """Score every frame, outline the abdomen, and choose the frame to measure.

    Writes frames.csv, masks.mha, summary.json and timeline.png into OUT/<sweep name>/. A sweep
    that these models have done already is skipped; a bad file is named and the others go on.
    Ctrl-C stops, and writes the frames analysed so far.

    Example: napari-fetal-iqa analyse case_17.mha --out results
    """
    # here, for the other commands need not wait for what these import
    from napari_fetal_iqa.analysis.cascade import parse_cascade
    from napari_fetal_iqa.analysis.files import try_folder
    from napari_fetal_iqa.cli.batch import AnalysisJob, AnnouncedAnalyser
    from napari_fetal_iqa.cli.shards import Shard
    from napari_fetal_iqa.cli.suited_jobs import SuitedJobs
    from napari_fetal_iqa.review.worklist.facts import note

    try:
        by = parse_cascade(cascade)
    except AnalysisError as error:
        raise typer.BadParameter(str(error), param_hint="--cascade") from None
    share = None if shard is None else Shard.parse(shard)
    chosen = None if frames is None else parse_frames(frames)
    words_of = None if reviewer is None else partial(_words_of, reviewer)
    cls_model, seg_model = given_or_in_use(cls, "cls"), given_or_in_use(seg, "seg")
    jobs = SuitedJobs(
        cls_model,
        seg_model,
        lambda cls, seg: AnnouncedAnalyser(
            cls, seg, device, batch_size, weights, engine, precision, by
        ),
        lambda analyser: AnalysisJob(analyser, out, overwrite, words_of),
        announce=cls is None or seg is None,
    )
    try_folder(out)
    if device in ("cuda", "mps"):
        fetal_iqa_models.choose_device(device)  # takes seconds: loads torch
    sources = list(find_sweeps(sweeps))
    if share is not None:
        every = len(sources)
        sources = [source for source in sources if share.holds(source.name)]
        echo(f"Share {shard}: {counted(len(sources), 'sweep')} of {every}", err=True)
    failed = []
    for source in sources:
        sweep = None
        try:
            sweep = read_source(source, frames_per_sweep)
            if sweep.spacing_note:
                echo(f"{sweep.name}: {sweep.spacing_note}", err=True)
            jobs.job(sweep).run(sweep, chosen)
            if frames_per_sweep is None:  # else the window would split the frames otherwise
                with suppress(OSError):  # only time is lost: a worklist will not know it
                    note(sweep)
        except (FetalIqaError, ModelError, OSError, MemoryError, RuntimeError) as error:
            explained = _explained(error, source.name)
            unloaded = sweep is not None and not jobs.analyser(sweep).loaded
            if len(sources) == 1 or (isinstance(error, ModelError) and unloaded):
                raise explained from error
            failed.append(source.name)
            echo(f"napari-fetal-iqa: {explained}", err=True)
    if failed:
        raise FetalIqaError(
            f"{len(failed)} of {len(sources)} sweeps could not be analysed: {', '.join(failed)}"
        )


def _words_of(reviewer: str, sweep: str) -> "Mapping[int, Verdicts]":
    """Return what a reviewer says of the criteria of a sweep in the window's store."""
    from napari_fetal_iqa.cli.case_options import opened_store

    with opened_store(None) as store:
        return store.verdicts(sweep, reviewer)


def given_or_in_use(given: str | None, task: Task) -> str:
    """Return the model that was requested, or else the one in use for the task, or "automatic".

    Raises
    ------
    ModelError
        Where the folder of the model in use is gone: no other may speak in its stead.
    """
    if given is not None:
        return made(given)
    reference = made(reference_in_use(task))
    if reference not in ("", AUTOMATIC) and not locate(reference).is_dir():
        raise ModelError(
            f"{reference}: the {task} model in use is not there any more; go back with "
            f"napari-fetal-iqa models rollback {task}, or choose one with --{task}"
        )
    return reference


def _explained(error: Exception, name: str) -> Exception:
    """Return an error in the words of this tool."""
    if isinstance(error, FetalIqaError | ModelError):
        return error
    from napari_fetal_iqa.cli.batch import in_one_line

    return AnalysisError(
        f"{name}: the analysis failed ({in_one_line(error)}); free memory and disk, check "
        "the file, and try again"
    )


def parse_frames(text: str) -> list[int]:
    """Read ``"3,17,40-60"`` as frame numbers, ends included."""
    frames: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        try:
            start = int(first)
            stop = int(last) if dash else start
        except ValueError:
            raise typer.BadParameter(f"expected frames as 3,17,40-60, not {text!r}") from None
        if stop < start or stop - start > 1_000_000:
            raise typer.BadParameter(f"{part.strip()} is no range of frames")
        frames.extend(range(start, stop + 1))
    return frames
