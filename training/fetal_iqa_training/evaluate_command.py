"""``fetal-iqa-train evaluate``: how well a model does."""

import json
from pathlib import Path
from typing import Annotated

import typer

from fetal_iqa_training.options import Data, DeviceOption, JsonProgress, Weights
from fetal_iqa_training.progress import JsonLines
from fetal_iqa_training.reporting import reporting
from napari_fetal_iqa import places


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
