"""``fetal-iqa-train experiment planes``: encoders on fetal planes, as arXiv 2605.27796 has them."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from fetal_iqa_training.cli.config_file import ConfigOption, united, write_config
from fetal_iqa_training.cli.experiment_devices import is_one_of_several, run_on_devices
from fetal_iqa_training.cli.options import DeviceOption, JsonOut, JsonProgress, refuse_idle
from fetal_iqa_training.cli.reporting import command_line
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.counted import counted


def planes(
    data: Annotated[
        Path,
        typer.Option(
            help="Folder of FETAL_PLANES_DB, or of another set of planes with its list.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of results.", show_default=False)],
    external: Annotated[
        Path | None, typer.Option(help="Folder of the other domain: the African cohort.")
    ] = None,
    external_machine: Annotated[
        str | None,
        typer.Option(help="Instead: the other domain is the images of this machine."),
    ] = None,
    encoders: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these encoders; by default all whose weights are here. May be given several "
            "times."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(metavar="linear|full", help="Only this setting; by default both."),
    ] = None,
    folds: Annotated[int, typer.Option(min=1, max=5, help="To run, of five.")] = 5,
    epochs: Annotated[int, typer.Option(min=1, help="Of full fine-tuning.")] = 5,
    batch_size: Annotated[int, typer.Option(min=2)] = 32,
    lr: Annotated[float, typer.Option(help="Of the encoder; the head's is ten times that.")] = 1e-4,
    class_weights: Annotated[
        bool, typer.Option("--class-weights", help="Rare planes count more.")
    ] = False,
    mask_text: Annotated[
        bool, typer.Option(help="Blacken where scanners burn in text, which names the plane.")
    ] = True,
    weights: Annotated[
        list[str] | None, typer.Option(metavar="NAME=FILE", help="Weights of an encoder.")
    ] = None,
    from_scratch: Annotated[
        bool,
        typer.Option("--from-scratch", help="Start at random those whose weights are not here."),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the folds and of the training.")] = 0,
    device: DeviceOption = "auto",
    devices: Annotated[
        int,
        typer.Option(
            min=1, help="Processes that share encoders and folds, a GPU each; a fold is the same."
        ),
    ] = 1,
    runs_only: Annotated[bool, typer.Option("--runs-only", hidden=True)] = False,
    config: ConfigOption = None,
    json_out: JsonOut = False,
    json_progress: JsonProgress = False,
) -> None:
    """Linear probing and full fine-tuning of every encoder, five folds by subject.

    Macro F1 on the held-out fold and on another domain, beside the figures of arXiv 2605.27796.
    Encoders whose weights are not here are named and skipped. The same command goes on where it
    was, and several may share a folder.
    """
    values = dict(locals())
    from fetal_iqa_training.cli.experiment_options import files_by_name
    from fetal_iqa_training.cli.experiment_progress import experiment_progress
    from fetal_iqa_training.data.planes import image_content, read_planes
    from fetal_iqa_training.experiments.planes.encoders import candidates
    from fetal_iqa_training.experiments.planes.learning import TrainingOptions
    from fetal_iqa_training.experiments.planes.plan import (
        SETTINGS,
        PlanesPlan,
        Setting,
        external_of_machine,
    )
    from fetal_iqa_training.experiments.planes.report import planes_files, write_planes
    from fetal_iqa_training.experiments.planes.results import read_rows
    from fetal_iqa_training.experiments.planes.study import run_planes
    from fetal_iqa_training.experiments.tables.locks import lock_of
    from fetal_iqa_training.progress import Report

    refuse_idle("--weights", weights, "--from-scratch" if from_scratch else None)
    if external is not None and external_machine is not None:
        raise typer.BadParameter("give one of the two", param_hint="--external-machine")
    if wrong := [name for name in settings or () if name not in SETTINGS]:
        raise typer.BadParameter(f"{wrong[0]!r} is not linear or full", param_hint="--settings")
    if not lr > 0:
        raise typer.BadParameter("is a number above 0", param_hint="--lr")
    images = read_planes(data)
    other = () if external is None else read_planes(external)
    if external_machine is not None:
        images, other = external_of_machine(images, external_machine)
    if shared := {i.subject for i in images} & {i.subject for i in other}:
        raise TrainingError(
            f"{external}: subject {min(shared)[:50]!r} is in both data sets; they must share nobody"
        )
    if both := set(map(image_content, images)) & set(map(image_content, other)):
        name = next(image.path.name for image in other if image_content(image) in both)
        raise TrainingError(
            f"{external}: shares {counted(len(both), 'image')} with {data}, such as {name[:50]!r}; "
            "the other domain must share none"
        )
    options = TrainingOptions(epochs, batch_size, lr, class_weights, device, seed)
    chosen: tuple[Setting, ...] = tuple(s for s in SETTINGS if not settings or s in settings)
    plan = PlanesPlan(images, other, out, options, chosen, folds, mask_text)
    found, skipped = candidates(encoders or (), files_by_name(weights or []), from_scratch, seed)
    read_rows(plan, found)  # what cannot stand beside is refused before anything is written
    with experiment_progress(json_progress, json_out) as progress:
        if skipped:
            progress.note(f"skipped, their weights are not here: {', '.join(skipped)}")

        def begin(encoder: str, setting: Setting, fold: int) -> Report:
            return progress.begin_named(encoder, setting, fold + 1)

        if not is_one_of_several():
            with lock_of(out, "planes"):
                path = out / "planes.config.json"
                add: dict[str, Callable[[Any, Any], Any]]
                add = {"encoders": united, "settings": united, "folds": max}
                if not write_config(path, "planes", {**values, "devices": None}, add):
                    progress.note(f"{path.name}: earlier jobs had other options, and are not in it")
        if devices > 1:
            run_on_devices(devices, device, failures_are_noted=False)
        for _ in run_planes(plan, found, begin):
            with lock_of(out, "planes"):  # read now: so the last to write has seen all
                write_planes(plan, read_rows(plan, found), skipped, command_line())
        progress.done(planes_files(out))
