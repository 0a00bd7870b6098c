"""``fetal-iqa-train evaluate``: how well a model does, by frames or as the challenge counts."""

import json
from pathlib import Path
from typing import Annotated

import typer

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.challenge.rules import Rules
from fetal_iqa_training.cli.challenge import RULES, VIEW, print_scores, report_scores
from fetal_iqa_training.cli.options import (
    Data,
    DeviceOption,
    JsonProgress,
    PartOption,
    SplitOption,
    Weights,
)
from fetal_iqa_training.cli.reporting import reporting, warn_of_known_frames
from fetal_iqa_training.progress import JsonLines
from fetal_iqa_training.settings import Device, OwnPart
from napari_fetal_iqa.model_library.zero_shot import NAMES, made


def evaluate(
    data: Data,
    model: Annotated[
        str | None, typer.Option(help=f"Model folder, or one of {NAMES}.", show_default=False)
    ] = None,
    split: SplitOption = None,
    part: PartOption = None,
    weights: Weights = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the metrics to this file.")
    ] = None,
    reliability: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw how far quality is a probability (cls)."),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write confusion matrix, PR and ROC curves, tables by case and by frame there.",
        ),
    ] = None,
    challenge: Annotated[
        bool,
        typer.Option(
            "--challenge",
            help="Analyse whole cases and score the best frame of each as the ACOUSLIC-AI "
            "challenge does; with --cls and --seg, or one of them.",
        ),
    ] = False,
    cls: Annotated[
        str | None, typer.Option(help="Model that chooses the frame, for --challenge.")
    ] = None,
    seg: Annotated[
        str | None, typer.Option(help="Model that outlines it, for --challenge.")
    ] = None,
    rules: Annotated[Rules | None, RULES] = None,
    field_of_view: Annotated[Path | None, VIEW] = None,
    device: DeviceOption = "auto",
    json_progress: JsonProgress = False,
) -> None:
    """Judge a model as it is in use, on the test part of its own split or on other data.

    Of a data set that holds none of its split, on all annotated sweeps. How many of the frames
    taught the model, or chose its epoch, is told beside the figures and in the picture.
    Accuracy, F1, precision, recall and average precision of its frame decision; for cls also the
    expected calibration error (ece) and the Brier score of its quality; for seg, which decides by
    the area of its mask, also Dice and the error of the circumference in mm over the positive
    frames. The file of --json holds the curve of precision over recall, too. With --challenge the
    two models are scored together, case by case, on the test cases of their own splits that taught
    neither; stdout has a table for people, with --json the scores as JSON. A folder of results is
    scored by `fetal-iqa-train score`. One device is enough: nothing is trained.
    """
    model, cls = made(model), made(cls)
    if challenge:
        alone = model, reliability, figures
        if any(given is not None for given in alone) or (cls is None and seg is None):
            raise typer.BadParameter(
                "takes --cls and --seg, or one of them, and no --model, --reliability or --figures",
                param_hint="--challenge",
            )
        _challenge(
            data,
            cls,
            seg,
            split,
            part,
            weights,
            rules or "corrected",
            field_of_view,
            json_file,
            device,
            json_progress,
        )
        return
    if model is None or cls is not None or seg is not None:
        raise typer.BadParameter(
            "expected one model, or --challenge with --cls and --seg", param_hint="--model"
        )
    if rules is not None:
        raise typer.BadParameter("are the challenge's: give --challenge, too", param_hint="--rules")
    if field_of_view is not None:
        raise typer.BadParameter(
            "is the challenge's: give --challenge, too", param_hint="--field-of-view"
        )
    from fetal_iqa_models import load_card, model_hash
    from fetal_iqa_training.errors import TrainingError
    from fetal_iqa_training.evaluation.evaluate import draw_quality, evaluate
    from fetal_iqa_training.evaluation.figures import write_figures

    card = load_card(model)
    if card.demo:
        typer.echo("Demo model: not for clinical use", err=True)
    if reliability is not None and card.task != "cls":
        raise TrainingError(
            f"{model}: outlines frames; --reliability is of frame quality, task cls"
        )
    with reporting(json_progress) as report:
        evaluation = evaluate(
            model,
            data,
            split=split,
            part=part,
            encoder_weights=weights,
            device=device,
            report=report,
        )
        named = {"model": model, "hash": model_hash(model), "demo": card.demo}
        metrics = {**named, **evaluation.as_metrics()}
        if missing := evaluation.not_measurable:
            metrics["not_measurable"] = list(missing)
            typer.echo(
                f"no frame shows an abdomen: {', '.join(missing)} are not measurable", err=True
            )
        if evaluation.judged_on is not None:
            judged_on = evaluation.judged_on.as_json()
            metrics["judged_on"] = judged_on
            typer.echo(f"judged on {judged_on['what']}", err=True)
            warn_of_known_frames(judged_on)
        if reliability is not None:
            draw_quality(evaluation, reliability)
        if figures is not None:
            remark = evaluation.judged_on.remark if evaluation.judged_on else None
            title = "\n".join([card.name, *([remark] if remark else [])])
            write_figures(evaluation.outcomes, title, figures)
        if json_file is not None:
            whole = {**metrics, "curve": evaluation.curve}
            write_atomically(json_file, json.dumps(whole, indent=2) + "\n")
        if json_progress:
            JsonLines().line(event="done", **metrics)
        else:
            typer.echo(json.dumps(metrics, indent=2))


def _challenge(
    data: Path,
    cls: str | None,
    seg: str | None,
    split: Path | None,
    part: OwnPart | None,
    weights: Path | None,
    rules: Rules,
    field_of_view: Path | None,
    json_file: Path | None,
    device: Device,
    json_progress: bool,
) -> None:
    from fetal_iqa_training.challenge.from_models import score_models
    from fetal_iqa_training.challenge.known_cases import challenge_cases
    from fetal_iqa_training.challenge.scored_folder import read_field_of_view

    only, judged_on = challenge_cases(data, [one for one in (cls, seg) if one], split, part)
    typer.echo(f"judged on {judged_on.what}", err=True)
    warn_of_known_frames(judged_on.as_json())
    view = None if field_of_view is None else read_field_of_view(field_of_view)
    with reporting(json_progress) as report:
        scored, setup = score_models(
            data,
            cls,
            seg,
            rules,
            only=only,
            device=device,
            encoder_weights=weights,
            report=report,
            field_of_view=view,
        )
    if setup.demo:
        typer.echo("Demo models: not for clinical use", err=True)
    whole = scored.as_json()
    whole["judged_on"] = judged_on.as_json()
    whole["models"] = [{"id": one.id, "hash": one.hash, "demo": one.demo} for one in setup.models]
    if json_progress:
        JsonLines().line(event="done", **whole)
    else:
        print_scores(scored, whole, json_file)
    report_scores(scored, whole, json_file)
