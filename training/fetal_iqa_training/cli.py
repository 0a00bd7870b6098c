"""The command ``fetal-iqa-train``: phantoms, fit, evaluate, finetune."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from fetal_iqa_models import LoraSettings
from fetal_iqa_models.errors import ModelError
from fetal_iqa_training import challenge_commands
from fetal_iqa_training.finetune_command import finetune
from fetal_iqa_training.options import (
    Data,
    DeviceOption,
    JsonProgress,
    Out,
    PrecisionOption,
    Seed,
    TaskOption,
    Weights,
    checked,
)
from fetal_iqa_training.phantom_cases import Size
from fetal_iqa_training.progress import JsonLines
from fetal_iqa_training.reporting import command_line, finish, reporting
from fetal_iqa_training.settings import (
    FitSettings,
    Schedule,
    Strategy,
)
from napari_fetal_iqa import places
from napari_fetal_iqa.errors import FetalIqaError

app = typer.Typer(
    help="Train the networks that score and outline the fetal abdomen.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command(
    epilog="Example: fetal-iqa-train phantoms train-data --cases 120 --seed 1000 --size training"
)
def phantoms(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made where it is missing.")],
    cases: Annotated[int, typer.Option(min=1, help="Fetuses to simulate.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Of the first case; the next has one more.")] = 0,
    size: Annotated[
        Size,
        typer.Option(
            help="small: quick, for tests; demo: as the demo; acouslic: 840 full frames with "
            "little abdomen; training: many sizes, much abdomen."
        ),
    ] = "training",
    shifted: Annotated[
        bool, typer.Option("--shifted", help="As seen by another scanner, to show a domain shift.")
    ] = False,
    json_progress: JsonProgress = False,
) -> None:
    """Write phantom cases: simulated sweeps with true masks, in the ACOUSLIC-AI layout."""
    from fetal_iqa_training.phantom_cases import write_phantoms

    with reporting(json_progress) as report:
        write_phantoms(folder, cases, seed, size, shifted, report)


@app.command(
    epilog="Example: fetal-iqa-train fit --data train-data --task cls --encoder fetalclip "
    "--out my-cls"
)
def fit(
    data: Data,
    task: TaskOption,
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
    strategy: Annotated[
        Strategy | None,
        typer.Option(
            help="Train LoRA and head, the head alone (linear), or everything. By default lora "
            "where the encoder takes it and has weights, else full."
        ),
    ] = None,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the LoRA; alpha is twice that.")] = 8,
    epochs: Annotated[int, typer.Option(min=1)] = 5,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    lr: Annotated[float, typer.Option(help="Learning rate of AdamW.")] = 3e-4,
    head_rate: Annotated[
        float, typer.Option(help="Learning rate of the head, as a multiple of --lr.")
    ] = 1.0,
    cross_entropy: Annotated[
        float, typer.Option(help="Weight of cross-entropy beside the Dice loss (seg).")
    ] = 0.0,
    schedule: Annotated[Schedule, typer.Option(help="Of the learning rate.")] = "constant",
    gradient_clip: Annotated[
        float | None, typer.Option(help="Largest norm of the gradient.")
    ] = None,
    copies: Annotated[int, typer.Option(min=0, help="Augmented copies of each frame.")] = 2,
    validation_share: Annotated[float, typer.Option(help="Of the subjects.")] = 0.1,
    test_share: Annotated[float, typer.Option(help="Of the subjects; may be 0.")] = 0.2,
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
    demo: Annotated[
        bool, typer.Option("--demo", help="Mark as a demo model: not for clinical use.")
    ] = False,
    half_precision: Annotated[
        bool, typer.Option("--half-precision", help="Store the weights as float16.")
    ] = False,
    json_progress: JsonProgress = False,
) -> None:
    """Fit a network to annotated sweeps, by the recipe of arXiv 2507.22802.

    The split is by subject; the epoch with the lowest validation loss is kept and judged on the
    test subjects. The same command goes on after it was cut off.
    """
    from fetal_iqa_training.fitting import basis, fit
    from fetal_iqa_training.pretrained import find_pretrained
    from fetal_iqa_training.repeating import repeat_fit

    settings = checked(
        FitSettings,
        task=task,
        encoder=encoder,
        strategy=strategy,
        lora=LoraSettings(rank=rank, alpha=2 * rank),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=lr,
        head_rate=head_rate,
        cross_entropy=cross_entropy,
        schedule=schedule,
        gradient_clip=gradient_clip,
        copies=copies,
        validation_share=validation_share,
        test_share=test_share,
        workers=workers,
        seed=seed,
        device=device,
        precision=precision,
    )
    with reporting(json_progress) as report:
        if weights is None and start_from is None and not from_scratch:
            weights = find_pretrained(encoder, places.weights())
        fit_one = partial(
            fit,
            data,
            weights=weights,
            start_from=start_from,
            demo=demo,
            half_precision=half_precision,
            command=command_line(),
            report=report,
        )
        if repeats == 1:
            finish(out, fit_one(out, settings).metrics, json_progress)
            return
        begin_with = partial(basis, data, settings, weights, start_from)
        summary = repeat_fit(fit_one, out, settings, repeats, begin_with)
        if json_progress:
            JsonLines().line(event="done", **summary)
        else:
            typer.echo(json.dumps(summary, indent=2))


@app.command(
    epilog="Example: fetal-iqa-train evaluate --model my-cls --data test-data --json figures.json"
)
def evaluate(
    model: Annotated[str, typer.Option(help="Model folder, demo-cls or demo-seg.")],
    data: Data,
    weights: Weights = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file.")
    ] = None,
    device: DeviceOption = "auto",
    json_progress: JsonProgress = False,
) -> None:
    """Judge a model on all annotated sweeps of a data set, as it is in use.

    Accuracy, F1, precision, recall and average precision of its frame decision; for seg, which
    decides by the area of its mask, also Dice and the error of the circumference in mm over the
    positive frames. The file of --json holds the curve of precision over recall, too.
    """
    from fetal_iqa_models import load_card, model_hash
    from fetal_iqa_training.evaluation import evaluate

    demo = load_card(model).demo
    if demo:
        typer.echo("Demo model: not for clinical use", err=True)
    with reporting(json_progress) as report:
        evaluation = evaluate(model, data, encoder_weights=weights, device=device, report=report)
        named = {"model": model, "hash": model_hash(model), "demo": demo}
        figures = {**named, **evaluation.as_metrics()}
        if json_file is not None:
            whole = {**figures, "curve": evaluation.curve}
            places.write_atomically(json_file, json.dumps(whole, indent=2) + "\n")
        if json_progress:
            JsonLines().line(event="done", **figures)
        else:
            typer.echo(json.dumps(figures, indent=2))


app.command(
    epilog="Example: fetal-iqa-train finetune --corrections review.sqlite --task seg "
    "--base demo-seg --out my-seg"
)(finetune)

challenge_commands.register(app)


def main() -> None:
    """Run the command; what a user can cause ends in one line and exit code 1, bad usage in 2."""
    try:
        app()
    except (FetalIqaError, ModelError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}; check the disk")


def _fail(message: str) -> NoReturn:
    if "--json-progress" in sys.argv:
        JsonLines().line(event="error", message=message)
    typer.echo(f"Error: {message}", err=True)
    sys.exit(1)
