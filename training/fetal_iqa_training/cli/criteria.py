"""``fetal-iqa-train criteria``: a head that judges the six criteria of the plane."""

from pathlib import Path
from typing import Annotated

import typer

from fetal_iqa_training.cli.options import DeviceOption, Seed
from napari_fetal_iqa.model_library.zero_shot import made
from napari_fetal_iqa.storage import paths


def criteria(
    model: Annotated[
        str,
        typer.Option(help="CLS model folder, or the name of one, whose encoder is used."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the head; made where it is missing.")],
    corrections: Annotated[
        list[Path] | None,
        typer.Option(
            help="Corrections store; may be given several times. By default the window's."
        ),
    ] = None,
    sweeps: Annotated[
        list[Path] | None,
        typer.Option(help="Folder to look for moved sweeps in; may be given several times."),
    ] = None,
    reviewer: Annotated[
        str | None, typer.Option(help="Only what this reviewer judged; by default the majority.")
    ] = None,
    seed: Seed = 0,
    device: DeviceOption = "auto",
) -> None:
    """Learn the six criteria of the abdominal plane from what reviewers judged in the window.

    A head with six outputs learns, each from the frames of which somebody judged that criterion,
    and with it an encoder of at most 30 million parameters; a larger one stays as it is. A fifth of
    the subjects teaches nothing and judges: the table says how well each criterion is told on them.
    """
    from fetal_iqa_models import FrameClassifier, load_model
    from fetal_iqa_training.data.judged_frames import read_judged
    from fetal_iqa_training.errors import TrainingError
    from fetal_iqa_training.fitting.criteria import learn_criteria, save_criteria

    judged = read_judged(corrections or [paths.default_store()], sweeps or [], reviewer)
    name = str(made(model))
    network = load_model(name, None, paths.weights())
    if not isinstance(network, FrameClassifier):
        raise TrainingError(f"{model}: is no CLS model, whose encoder is needed")
    judge, results = learn_criteria(judged, network, seed, device)
    save_criteria(judge, results, out, name)
    typer.echo(f"{'criterion':34}{'taught':>8}{'met':>6}{'judged':>8}{'right':>8}{'AUC':>7}")
    for one in results:
        right = "-" if one.accuracy is None else f"{one.accuracy:.0%}"
        auc = "-" if one.auc is None else f"{one.auc:.2f}"
        typer.echo(
            f"{one.criterion.words:34}{one.taught:8}{one.met:6}{one.judged:8}{right:>8}{auc:>7}"
        )
    typer.echo(f"The head is in {out}")
