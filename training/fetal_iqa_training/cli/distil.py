"""``fetal-iqa-train distil``: a small model learns what a large one says."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fetal_iqa_models import encoder_spec, load_card
from fetal_iqa_training.cli.config_file import ConfigOption, config_beside, write_config
from fetal_iqa_training.cli.finetune_checks import check_place
from fetal_iqa_training.cli.options import (
    DeviceOption,
    JsonProgress,
    LoggerOption,
    PrecisionOption,
    Seed,
    StopFile,
    checked,
    read_loggers,
    refuse_idle,
)
from fetal_iqa_training.cli.reporting import (
    command_line,
    finish,
    report_done,
    reporting,
    tell_of_stop,
)
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.work_folder import check_is_free
from fetal_iqa_training.progress import JsonLines
from fetal_iqa_training.settings import DistilSettings, Strategy, Task
from napari_fetal_iqa.model_library.soundness import missing_weights
from napari_fetal_iqa.model_library.zero_shot import made
from napari_fetal_iqa.storage import paths


def distil(
    teacher: Annotated[
        list[str],
        typer.Option(
            help="Model to learn from, a folder or a built-in name; given twice, a CLS and a SEG "
            "model, it makes one student of each.",
            show_default=False,
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(
            help="Folder of sweeps, which need no labels, in any format that opens in the window; "
            "or a data set, whose annotations only judge.",
            show_default=False,
        ),
    ],
    student: Annotated[
        str,
        typer.Option(
            help="Encoder of the small model: mobilefetalclip, sononet16, swin-demo, resnet-demo "
            "or another of the table.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="Model folder to make; must not exist. Of two teachers: OUT-cls and OUT-seg.",
            show_default=False,
        ),
    ],
    rehearse: Annotated[
        Path | None,
        typer.Option(
            help="Annotated data that the student learns as annotated, as many frames of it as of "
            "the teacher's; of demo models phantoms by default."
        ),
    ] = None,
    corrections: Annotated[
        list[Path] | None,
        typer.Option(
            help="Corrections store that knows whose sweeps these are, so that a subject who is "
            "held out stays so; may be given several times."
        ),
    ] = None,
    every: Annotated[
        int,
        typer.Option(min=1, help="Ask of every so manieth frame alone: a large teacher is slow."),
    ] = 1,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="File of pretrained weights of the student's encoder; else those fetched before."
        ),
    ] = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Start the student's encoder at random.")
    ] = False,
    strategy: Annotated[
        Strategy, typer.Option(help="Train everything, LoRA and head, or the head alone.")
    ] = "full",
    epochs: Annotated[int, typer.Option(min=1)] = 10,
    samples: Annotated[
        int,
        typer.Option(
            min=2, help="Of an epoch: as many of frames with an abdomen as without, most changed."
        ),
    ] = 2000,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    lr: Annotated[float, typer.Option(help="Learning rate of AdamW.")] = 1e-3,
    embedding: Annotated[
        float,
        typer.Option(
            help="Weight of the distance to the teacher's embeddings, where both have one length "
            "(cls)."
        ),
    ] = 1.0,
    validation_share: Annotated[
        float,
        typer.Option(help="Of the subjects, to choose the epoch, where none chose the teacher's."),
    ] = 0.1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that augment.")] = 0,
    seed: Seed = 0,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    half_precision: Annotated[
        bool, typer.Option("--half-precision", help="Store the weights as float16.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only read the sweeps and report who teaches, chooses and judges; fails where the "
            "training would.",
        ),
    ] = False,
    stop_file: StopFile = None,
    logger: LoggerOption = None,
    config: ConfigOption = None,
    json_progress: JsonProgress = False,
) -> None:
    """Teach a small model what a large one says, so that it is quick without a graphics card.

    The teacher looks at each frame once; the student learns its probabilities, its masks and, where
    both have embeddings of one length, these. Labels are not needed. Who was held out stays so: the
    test part of the teacher's split, whoever publishes the data holds back, and one subject in five
    by hash, as of corrections. Those judge how far the student agrees with the teacher and, where
    they are annotated, both against the truth. The student is a model folder as any other; its card
    names the teacher and all that taught either.

    The same command goes on after it was cut off. Ctrl-C ends the training early and makes the
    model of the best epoch so far. The options are kept beside it, in OUT.config.json.
    """
    values = dict(locals())
    refuse_idle("--weights", weights, "--from-scratch" if from_scratch else None)
    kinds = read_loggers(logger)
    teachers = _by_task([str(made(one)) for one in teacher])
    outs = {
        task: out if len(teachers) == 1 else out.with_name(f"{out.name}-{task}")
        for task in teachers
    }
    refuse_idle("--embedding", embedding != 1.0, "seg alone" if "cls" not in teachers else None)
    settings = {
        task: checked(
            DistilSettings,
            task=task,
            encoder=student,
            strategy=strategy,
            epochs=epochs,
            balanced=samples,
            batch_size=batch_size,
            learning_rate=lr,
            embedding=embedding,
            every=every,
            validation_share=validation_share,
            workers=workers,
            seed=seed,
            device=device,
            precision=precision,
        )
        for task in teachers
    }
    encoder_spec(student)
    for task, into in outs.items():
        check_is_free(into)
        check_place(into)
        if lacking := missing_weights(load_card(teachers[task])):
            raise TrainingError(f"{teachers[task]}: {lacking}")
    from fetal_iqa_training.data.any_sweeps import list_sweeps
    from fetal_iqa_training.data.datasets import list_annotated
    from fetal_iqa_training.fitting.distilling.distil import distil, prepare
    from fetal_iqa_training.fitting.distilling.sides import known
    from fetal_iqa_training.fitting.loggers import Logs
    from fetal_iqa_training.fitting.pretrained import find_pretrained

    if weights is None and not from_scratch:
        weights = find_pretrained(student, paths.weights())
    if rehearse is not None:
        list_annotated(rehearse)
    with reporting(json_progress) as report:
        sweeps = known(list_sweeps(data, corrections or ()), report)
    finished: dict[Path, dict[str, Any]] = {}
    for task, of_task in teachers.items():
        into = outs[task]
        sides = prepare(of_task, sweeps, settings[task])
        _tell(task, of_task, sides.in_words(), json_progress)
        if dry_run:
            continue
        with reporting(json_progress, task) as report:
            card = distil(
                of_task,
                sides,
                into,
                settings[task],
                weights=weights,
                rehearse=rehearse,
                half_precision=half_precision,
                command=command_line(),
                report=report,
                logs=Logs(into.parent / "logs", into.name, kinds),
                stop_file=stop_file,
                stop_on_interrupt=True,
            )
        finished[into] = card.metrics
        tell_of_stop(card.training)
        if json_progress:
            report_done(into, card.metrics, task)
    if finished:
        write_config(config_beside(out), "distil", values)
    finish(finished, json_progress)


def _by_task(given: list[str]) -> dict[Task, str]:
    found: dict[Task, str] = {}
    for one in given:
        task = load_card(one).task
        if task in found:
            raise TrainingError(f"two teachers for {task}: give one of each task at most")
        found[task] = one
    return found


def _tell(task: Task, teacher: str, words: str, json_progress: bool) -> None:
    if json_progress:
        JsonLines().line(event="summary", task=task, base=Path(teacher).name, note=words)
    else:
        typer.echo(f"{task}: learns from {Path(teacher).name}; {words}", err=True)
