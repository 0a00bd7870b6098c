"""``fetal-iqa-train fit``: a model from annotated sweeps, or several from several seeds."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from fetal_iqa_models import LoraSettings, ModelCard
from fetal_iqa_training.cli.config_file import ConfigOption, config_beside, write_config
from fetal_iqa_training.cli.options import (
    ClassWeights,
    Data,
    DeviceOption,
    FreshCopies,
    JsonProgress,
    LoggerOption,
    Out,
    PrecisionOption,
    Seed,
    SplitOption,
    StopFile,
    Weights,
    checked,
    read_class_weights,
    read_loggers,
    refuse_idle,
)
from fetal_iqa_training.cli.reporting import (
    command_line,
    finish,
    report_done,
    reporting,
    tell_of_stop,
    warn_of_frames_that_teach,
)
from fetal_iqa_training.fitting.loggers import Logs
from fetal_iqa_training.fitting.processes import under_torchrun
from fetal_iqa_training.progress import JsonLines
from fetal_iqa_training.settings import (
    AugmentationName,
    FitSettings,
    RateSchedule,
    Recipe,
    Strategy,
    Task,
)
from napari_fetal_iqa.finetuning.request import Choice
from napari_fetal_iqa.storage import paths


def fit(
    data: Data,
    task: Annotated[
        Choice,
        typer.Option(
            help="cls scores a frame's quality, seg outlines it; both: one encoder with two heads, "
            "so that one pass does both, into OUT-cls and OUT-seg.",
            show_default=False,
        ),
    ],
    encoder: Annotated[str, typer.Option(help="Name of the encoder.", show_default=False)],
    out: Out,
    weights: Weights = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Start the encoder at random.")
    ] = False,
    start_from: Annotated[
        Path | None,
        typer.Option(
            help="Model folder to start from: its encoder and, of the same task, its head."
        ),
    ] = None,
    adapter_from: Annotated[
        Path | None,
        typer.Option(help="Model folder, of either task, whose adapter the LoRA starts from."),
    ] = None,
    strategy: Annotated[
        Strategy | None,
        typer.Option(
            help="Train LoRA and head, the head alone (linear), or everything. By default lora "
            "where the encoder takes it and has weights, else full."
        ),
    ] = None,
    recipe: Annotated[
        Recipe,
        typer.Option(
            help="published: as in the paper's own code, to compare with it: its decoder, frozen "
            "encoder and loss (seg), LoRA without effect, resizing without antialiasing."
        ),
    ] = "ours",
    rank: Annotated[
        int | None,
        typer.Option(min=1, help="Rank of the LoRA, 8 by default; alpha is twice that."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 5,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    lr: Annotated[float, typer.Option(help="Learning rate of AdamW.")] = 3e-4,
    head_rate: Annotated[
        float, typer.Option(help="Learning rate of the head, as a multiple of --lr.")
    ] = 1.0,
    cross_entropy: Annotated[
        float, typer.Option(help="Weight of cross-entropy beside the Dice loss (seg).")
    ] = 0.0,
    schedule: Annotated[RateSchedule, typer.Option(help="Of the learning rate.")] = "constant",
    gradient_clip: Annotated[
        float | None, typer.Option(help="Largest norm of the gradient.")
    ] = None,
    copies: Annotated[int, typer.Option(min=0, help="Augmented copies of each frame.")] = 2,
    fresh_copies: FreshCopies = False,
    balanced: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="N",
            help="Samples of an epoch, half with an abdomen and most of them changed, instead of "
            "every frame and its copies; with --fresh-copies.",
        ),
    ] = None,
    augmentation: Annotated[
        AugmentationName,
        typer.Option(
            help="What copies look like: as in the paper, or (cheap-probe, with --fresh-copies) "
            "what a cheap probe makes of a clean scanner's image."
        ),
    ] = "paper",
    class_weights: ClassWeights = None,
    logger: LoggerOption = None,
    config: ConfigOption = None,
    split: SplitOption = None,
    prepared: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="What fetal-iqa-train prepare acouslic --build wrote: frames at the network's "
            "size and their split, which are then not made again.",
        ),
    ] = None,
    validation_share: Annotated[
        float, typer.Option(help="Of the subjects; of no use with --split or --prepared.")
    ] = 0.1,
    test_share: Annotated[
        float,
        typer.Option(help="Of the subjects; may be 0; of no use with --split or --prepared."),
    ] = 0.2,
    workers: Annotated[int, typer.Option(min=0, help="Processes that augment.")] = 0,
    seed: Seed = 0,
    repeats: Annotated[
        int,
        typer.Option(
            min=1,
            help="Runs with one seed after the other, on one split; with several, OUT gets a "
            "model folder each and a summary: mean and standard deviation.",
        ),
    ] = 1,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    devices: Annotated[
        int, typer.Option(min=1, help="Processes that train the model together, a GPU each.")
    ] = 1,
    demo: Annotated[
        bool, typer.Option("--demo", help="Mark as a demo model: not for clinical use.")
    ] = False,
    half_precision: Annotated[
        bool, typer.Option("--half-precision", help="Store the weights as float16.")
    ] = False,
    stop_file: StopFile = None,
    json_progress: JsonProgress = False,
) -> None:
    """Fit a network to annotated sweeps, by the recipe of arXiv 2507.22802.

    The split is by subject, drawn by the seed or read from a list; the epoch with the lowest
    validation loss is kept and judged on the test subjects. A cls model is calibrated on the
    validation subjects. The same command goes on after it was cut off. Ctrl-C ends the training
    early and makes the model of the best epoch so far, but for --repeats. With --devices, or under
    torchrun, several processes train one model. The options are kept beside it, in
    OUT.config.json, which --config reads; the file names your folders, the model does not.
    """
    values = dict(locals())
    refuse_idle("--weights", weights, "--from-scratch" if from_scratch else None)
    refuse_idle("--start-from", start_from, "--from-scratch" if from_scratch else None)
    refuse_idle("--cross-entropy", cross_entropy, "--task cls" if task == "cls" else None)
    refuse_idle("--class-weights", class_weights, "--task seg" if task == "seg" else None)
    if repeats > 1 and (devices > 1 or under_torchrun()):
        raise typer.BadParameter(
            "several processes train one model at a time; leave it away", param_hint="--repeats"
        )
    if task == "both":
        beside = "--task both, which begins from the encoder alone, in one process, by one seed"
        refuse_idle("--start-from", start_from, beside)
        refuse_idle("--adapter-from", adapter_from, beside)
        refuse_idle("--recipe", recipe == "published", beside)
        refuse_idle("--repeats", repeats > 1, beside)
        refuse_idle("--devices", devices > 1 or under_torchrun(), beside)
    refuse_idle("--stop-file", stop_file, "--repeats" if repeats > 1 else None)
    from fetal_iqa_training.data.split import SPLIT, read_split
    from fetal_iqa_training.fitting.basis import basis
    from fetal_iqa_training.fitting.fit import fit
    from fetal_iqa_training.fitting.fit_both import fit_both
    from fetal_iqa_training.fitting.pretrained import find_pretrained
    from fetal_iqa_training.fitting.repeat import repeat_fit

    settings = checked(
        FitSettings,
        task="seg" if task == "both" else task,
        encoder=encoder,
        strategy=strategy,
        recipe=recipe,
        lora=LoraSettings(rank=rank or 8, alpha=2 * (rank or 8)),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=lr,
        head_rate=head_rate,
        cross_entropy=cross_entropy,
        class_weights=read_class_weights(class_weights),
        schedule=schedule,
        gradient_clip=gradient_clip,
        copies=copies,
        fresh_copies=fresh_copies,
        balanced=balanced,
        augmentation=augmentation,
        validation_share=validation_share,
        test_share=test_share,
        workers=workers,
        seed=seed,
        device=device,
        precision=precision,
    )
    kinds = read_loggers(logger)
    with reporting(json_progress) as report:
        if weights is None and start_from is None and not from_scratch:
            weights = find_pretrained(encoder, paths.weights())
        trained = settings.strategy_with(weights is not None)
        without_lora = f"the strategy {trained}, which has no LoRA" if trained != "lora" else None
        refuse_idle("--rank", rank, without_lora)
        fit_logged = partial(
            fit,
            data,
            weights=weights,
            start_from=start_from,
            adapter_from=adapter_from,
            split=split,
            prepared=prepared,
            demo=demo,
            half_precision=half_precision,
            command=command_line(),
            report=report,
            devices=devices,
        )

        def logs_of(folder: Path) -> Logs:
            return Logs(folder.parent / "logs", folder.name, kinds)

        def fit_one(folder: Path, settings: FitSettings) -> ModelCard:
            card = fit_logged(folder, settings, logs=logs_of(folder))
            assert card is not None  # of one process
            warn_of_frames_that_teach(card.training)
            return card

        if task == "both":
            outs: dict[Task, Path] = {
                "cls": out.with_name(f"{out.name}-cls"),
                "seg": out.with_name(f"{out.name}-seg"),
            }
            cards = fit_both(
                data,
                outs,
                settings,
                weights=weights,
                split=split,
                prepared=prepared,
                demo=demo,
                half_precision=half_precision,
                command=command_line(),
                report=report,
                logs=logs_of(out),
                stop_file=stop_file,
                stop_on_interrupt=True,
            )
            warn_of_frames_that_teach(cards["seg"].training)
            tell_of_stop(cards["seg"].training)
            write_config(config_beside(out), "fit", values)
            for one, into in outs.items():
                if json_progress:
                    report_done(into, cards[one].metrics, one)
            finish({into: cards[one].metrics for one, into in outs.items()}, json_progress)
            return
        if repeats == 1:
            card = fit_logged(
                out, settings, logs=logs_of(out), stop_file=stop_file, stop_on_interrupt=True
            )
            if card is None:
                return
            warn_of_frames_that_teach(card.training)
            tell_of_stop(card.training)
            write_config(config_beside(out), "fit", values)
            if json_progress:
                report_done(out, card.metrics)
            finish({out: card.metrics}, json_progress)
            return
        listed = split or (prepared and prepared / SPLIT)
        summary = repeat_fit(
            fit_one,
            out,
            settings,
            repeats,
            partial(basis, data, settings, weights, start_from or adapter_from, split, prepared),
            bool(read_split(listed).test) if listed else settings.test_share > 0,
        )
        write_config(config_beside(out), "fit", values)
        if json_progress:
            JsonLines().line(event="done", **summary)
        else:
            typer.echo(json.dumps(summary, indent=2))
