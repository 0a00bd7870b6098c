"""``napari-fetal-iqa analyse``: the main job without a window."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from tqdm import tqdm

from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.analysis import Analyser, Analysis, coarse_to_fine, write_results
from napari_fetal_iqa.analysis.files import named_models, notices, summary
from napari_fetal_iqa.cli.finding import find_sweeps
from napari_fetal_iqa.cli.info import FramesPerSweep
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.sweep import SweepVolume

ClsModel = Annotated[
    str, typer.Option("--cls", help="CLS model: a folder or a built-in name; '' for none.")
]
SegModel = Annotated[
    str, typer.Option("--seg", help="SEG model: a folder or a built-in name; '' for none.")
]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu; auto takes them in this order.")]


def analyse(
    sweeps: Annotated[list[Path], typer.Argument(help="Sweep files, or folders that hold some.")],
    out: Annotated[Path, typer.Option(help="Folder for the results, one folder a sweep.")],
    cls: ClsModel = "demo-cls",
    seg: SegModel = "demo-seg",
    device: Device = "auto",
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
        bool, typer.Option("--overwrite", help="Analyse again what these models did already.")
    ] = False,
) -> None:
    """Score every frame, outline the abdomen, and choose the frame to measure.

    Writes frames.csv, masks.mha, summary.json and timeline.png into OUT/<sweep name>/. A sweep
    that these models have done already is skipped; a bad file is named and the others go on.

    Example: napari-fetal-iqa analyse case_17.mha --out results
    """
    chosen = None if frames is None else parse_frames(frames)
    analyser = Analyser(cls, seg, device, batch_size, weights)
    models = ", ".join(model.id for model in analyser.setup.models)
    typer.echo(f"{models} on {analyser.setup.device}, {analyser.setup.precision}")
    paths = list(find_sweeps(sweeps))
    failed = []
    for path in paths:
        try:
            _analyse_one(path, analyser, out, chosen, frames_per_sweep, overwrite)
        except (FetalIqaError, ModelError) as error:
            if len(paths) == 1:
                raise
            failed.append(path.name)
            typer.echo(f"napari-fetal-iqa: {error}", err=True)
    if failed:
        raise FetalIqaError(
            f"{len(failed)} of {len(paths)} sweeps could not be analysed: {', '.join(failed)}"
        )


def _analyse_one(
    path: Path,
    analyser: Analyser,
    out: Path,
    chosen: list[int] | None,
    frames_per_sweep: int | None,
    overwrite: bool,
) -> None:
    sweep = read_sweep(path, frames_per_sweep=frames_per_sweep)
    folder = result_folder(out, sweep)
    if not overwrite and _is_done(folder, sweep, analyser, chosen):
        typer.echo(f"{sweep.name}: done already, in {folder}")
        return
    analysis = run_with_progress(analyser, sweep, chosen)
    write_results(analysis, folder)
    typer.echo(f"{verdict(analysis)} Results in {folder}")


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


def run_with_progress(
    analyser: Analyser, sweep: SweepVolume, frames: list[int] | None = None
) -> Analysis:
    """Analyse a sweep with a progress bar where standard error is a terminal."""
    order = coarse_to_fine(len(sweep)) if frames is None else frames
    foreign = [frame for frame in order if frame >= len(sweep)]
    if foreign:
        raise FetalIqaError(f"{sweep.name} has frames 0 to {len(sweep) - 1}, not {foreign[0]}")
    analysis = Analysis(sweep, analyser.setup)
    with tqdm(total=len(order), desc=sweep.name, unit="frame", disable=None) as bar:
        for results in analyser.run(sweep, order):
            analysis.add(results)
            bar.update(len(results.frames))
    return analysis


def verdict(analysis: Analysis) -> str:
    """Say the result in one line."""
    facts = summary(analysis)
    best = facts["best_frame"]
    if best < 0:
        said = f"{facts['name']}: no frame shows the abdomen"
    else:
        sweep, frame_in_sweep = analysis.sweep.locate(best)
        said = f"{facts['name']}: best frame {best} (sweep {sweep + 1}, frame {frame_in_sweep})"
        if facts["best_frame_ac_mm"] is not None:
            said += f", AC {facts['best_frame_ac_mm']:.1f} mm"
        if facts["gestational_age"]:
            said += f", {facts['gestational_age']}"
    return f"{said}. {' '.join(notices(analysis))}"


def result_folder(out: Path, sweep: SweepVolume) -> Path:
    """Choose the folder of a sweep; another sweep of the same name keeps its own."""
    folder = out / sweep.name
    other = _summary(folder)
    if other and other.get("content_hash") != sweep.identity:
        folder = out / f"{sweep.name}-{sweep.identity[:8]}"
    return folder


def _is_done(
    folder: Path, sweep: SweepVolume, analyser: Analyser, frames: list[int] | None
) -> bool:
    said = _summary(folder)
    if not said or frames is not None or said.get("frames_analysed") != len(sweep):
        return False
    return bool(said.get("models") == named_models(analyser.setup))


def _summary(folder: Path) -> dict[str, Any] | None:
    try:
        said = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None
