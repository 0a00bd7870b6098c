"""``fetal-iqa-train finetune``: from corrections to a child of the model."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fetal_iqa_models import LoraSettings, load_card, model_hash
from fetal_iqa_models.cards import Taught
from fetal_iqa_models.errors import ModelError
from fetal_iqa_training.cli.config_file import ConfigOption, config_beside, write_config
from fetal_iqa_training.cli.finetune_base import bases
from fetal_iqa_training.cli.finetune_checks import check_would_train
from fetal_iqa_training.cli.finetune_data_checks import check_all, problems_of_data
from fetal_iqa_training.cli.options import (
    DeviceOption,
    JsonProgress,
    PrecisionOption,
    Seed,
    StopFile,
    Weights,
    checked,
)
from fetal_iqa_training.cli.reporting import (
    command_line,
    finish,
    report_done,
    reporting,
    tell_of_folders,
)
from fetal_iqa_training.data.correction_set import CorrectionSet, read_correction_set
from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.processes import rank
from fetal_iqa_training.fitting.work_folder import check_is_free
from fetal_iqa_training.progress import JsonLines
from fetal_iqa_training.settings import FinetuneSettings, Task, preset_of
from napari_fetal_iqa.corrections.sweep_finder import SweepFinder, is_where_it_was
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.fields import help_of
from napari_fetal_iqa.finetuning.events import FrameCounts
from napari_fetal_iqa.finetuning.request import Choice, FinetuningChoices, Preset
from napari_fetal_iqa.model_library.zero_shot import NAMES, made


def finetune(
    corrections: Annotated[
        list[Path], typer.Option(help="Corrections store; may be given several times.")
    ],
    task: Annotated[
        Choice, typer.Option(help=help_of(FinetuningChoices, "task"), show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="Model folder to make; must not exist. With both: OUT-cls and OUT-seg.",
            show_default=False,
        ),
    ],
    base: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Model folder to go on from, or one of {NAMES}; with both, one of each. "
            "By default the models in use; where that is automatic, the built-in one whose answers "
            "were corrected.",
        ),
    ] = None,
    preset: Annotated[Preset, typer.Option(help=help_of(FinetuningChoices, "preset"))] = "quick",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only report what there is to learn from; fails where the training would.",
        ),
    ] = False,
    shapes_only: Annotated[
        bool,
        typer.Option(
            "--shapes-only",
            help="With --dry-run: know sweeps by their place and shape, without reading all of "
            "their frames, nor weights, nor the cases of --reference and --rehearse; what is wrong "
            "with their content is not noticed.",
        ),
    ] = False,
    sweeps: Annotated[
        list[Path] | None,
        typer.Option(help="Folder to look for moved sweeps in; may be given several times."),
    ] = None,
    reviewer: Annotated[
        str | None,
        typer.Option(help="Learn from this reviewer alone; by default from the consensus of all."),
    ] = None,
    negatives: Annotated[
        int,
        typer.Option(
            min=0,
            help="Frames without an abdomen to take from each sweep that was marked as fully "
            "reviewed, among those without a correction.",
        ),
    ] = 0,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Data that the base knew, to see what is forgotten: a folder in the layout of "
            "ACOUSLIC-AI or HC18, all of its cases; of demo models phantoms by default. Of their "
            "frames those with an abdomen are taken, and as many of the others."
        ),
    ] = None,
    rehearse: Annotated[
        Path | None,
        typer.Option(help="The like, to mix into the training so that less is forgotten."),
    ] = None,
    weights: Weights = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Instead of the preset's.")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over all frames, instead of steps.")
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Instead of the preset's.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Instead of the preset's.")] = None,
    rank: Annotated[
        int, typer.Option(min=1, help="Rank of a new LoRA; a base that has one goes on with it.")
    ] = 8,
    alpha: Annotated[int | None, typer.Option(min=1, help="Of the LoRA; twice the rank.")] = None,
    dropout: Annotated[float, typer.Option(min=0, max=0.99, help="Of the LoRA.")] = 0.1,
    targets: Annotated[
        str | None,
        typer.Option(help="Layers of the LoRA, such as attn.proj,mlp.fc1; else the encoder's own."),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that augment.")] = 0,
    seed: Seed = 0,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    devices: Annotated[
        int, typer.Option(min=1, help="Processes on each machine that train together.")
    ] = 1,
    num_nodes: Annotated[
        int, typer.Option(min=1, help="Machines that train together; start it on each.")
    ] = 1,
    stop_file: StopFile = None,
    config: ConfigOption = None,
    json_progress: JsonProgress = False,
) -> None:
    """Fine-tune a model on what experts corrected, and write the child as a new model folder.

    Half the frames of a step are positive and half negative, however few there are of either;
    parent and child are judged on the same held-out sweeps, and the child's model.json has the
    metrics of both. The same command goes on after it was cut off. Under torchrun, or with
    --devices, several processes train one model. The options are kept beside it, in
    OUT.config.json, which --config reads; the file names your folders, the model does not.
    """
    values = dict(locals())
    base = None if base is None else [str(made(one)) for one in base]
    if task == "both" and max(devices, num_nodes) > 1:
        raise typer.BadParameter("several processes train one task at a time", param_hint="--task")
    tasks: tuple[Task, ...] = ("cls", "seg") if task == "both" else (task,)
    based = dict(bases(base, tasks, corrections, reviewer))
    taught = {one: _lineage(of_task, one) for one, of_task in based.items()}
    sets = {
        one: read_correction_set(corrections, one, reviewer, negatives, taught[one])
        for one in tasks
    }
    for one, correction_set in sets.items():
        _report_summary(correction_set, based[one], json_progress)
    outs = {one: out if task != "both" else out.with_name(f"{out.name}-{one}") for one in tasks}
    for into in outs.values():
        check_is_free(into)
    for correction_set in sets.values():
        correction_set.check()
    _check_are_there(sets.values(), sweeps or (), read=dry_run and not shapes_only)
    chosen: dict[str, Any] = {"steps": steps, "learning_rate": lr, "batch_size": batch_size}
    chosen = {key: value for key, value in chosen.items() if value is not None}
    if epochs is not None:
        chosen |= {"epochs": epochs, "steps": None}
    lora: dict[str, Any] = {"rank": rank, "alpha": alpha or 2 * rank, "dropout": dropout}
    if targets is not None:
        lora["targets"] = tuple(targets.split(","))
    settings = {
        one: checked(
            FinetuneSettings,
            **preset_of(preset, one) | chosen,
            task=one,
            lora=checked(LoraSettings, **lora),
            workers=workers,
            seed=seed,
            device=device,
            precision=precision,
        )
        for one in tasks
    }
    deep = dry_run and not shapes_only
    for folder in () if deep else (reference, rehearse):
        if folder is not None:
            list_annotated(folder)
    problems = []
    try:
        check_would_train(based, settings, outs, weights, devices * num_nodes)
    except (FetalIqaError, ModelError) as error:
        problems.append(str(error))
    if deep:
        data = reference, rehearse
        problems += problems_of_data(based, sets, settings, sweeps or (), *data, weights)
    check_all(problems)
    if dry_run:
        return
    from fetal_iqa_training.fitting.finetune import EarlierData, finetune
    from fetal_iqa_training.fitting.trainer import Schedule

    finished: dict[Path, dict[str, Any]] = {}
    for one, of_task in based.items():
        into = outs[one]
        with reporting(json_progress, one) as report:
            card = finetune(
                corrections,
                of_task,
                into,
                settings[one],
                sweep_folders=sweeps or (),
                reviewer=reviewer,
                negatives=negatives,
                encoder_weights=weights,
                earlier_data=EarlierData(reference, rehearse),
                schedule=Schedule(stop_file=stop_file, devices=devices, num_nodes=num_nodes),
                command=command_line(),
                report=report,
            )
            if card is not None:
                finished[into] = card.metrics
                tell_of_folders(card, reference, rehearse)
            if card is not None and json_progress:
                report_done(into, card.metrics, one)
    if finished:
        write_config(config_beside(out), "finetune", values)
    finish(finished, json_progress)


def _lineage(base: str, task: Task) -> Taught:
    """Return what taught a base; refuse one of the other task."""
    card = load_card(base)
    if card.task != task:
        raise TrainingError(
            f"{base}: is a {card.task} model and the task is {task}; choose a base of the task"
        )
    return card.lineage(model_hash(base))


def _check_are_there(sets: Iterable[CorrectionSet], folders: Sequence[Path], read: bool) -> None:
    """Refuse sweeps that are nowhere, all at once; their content only where they are to be read."""
    records = {
        sweep.record.identity: sweep.record
        for one in sets
        for sweep in (*one.split.training, *one.split.hold_out)
    }
    gone = [record for record in records.values() if read or not is_where_it_was(record)]
    SweepFinder(folders).check(gone)


def _report_summary(correction_set: CorrectionSet, base: str, json_progress: bool) -> None:
    if rank():
        return  # the first process says it
    summary = correction_set.summary().model_copy(update={"base": Path(base).name})
    if json_progress:
        JsonLines().write(summary)
        return
    held = summary.hold_out
    typer.echo(
        f"{summary.task}: goes on from {summary.base}; {_counts(summary)}, "
        f"{summary.positives} with an abdomen, by {', '.join(summary.reviewers) or 'nobody'}; "
        f"held out: {_counts(held)}; "
        f"whose they are is unknown of {counted(summary.unknown_subjects, 'sweep')}",
        err=True,
    )
    for remark in (summary.problem, summary.advice, summary.note):
        if remark is not None:
            typer.echo(f"{summary.task}: {remark}", err=True)


def _counts(side: FrameCounts) -> str:
    return f"{counted(side.frames, 'frame')} of {counted(side.sweeps, 'sweep')}"
