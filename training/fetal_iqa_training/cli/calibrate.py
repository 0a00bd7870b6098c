"""``fetal-iqa-train calibrate``: a quality of 0.8 shall mean 80 %."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fetal_iqa_training.cli.options import (
    DeviceOption,
    JsonProgress,
    OptionalData,
    Out,
    PartOption,
    SplitOption,
    Weights,
)
from fetal_iqa_training.cli.reporting import (
    command_line,
    finish,
    report_done,
    reporting,
    warn_of_known_frames,
)
from napari_fetal_iqa.model_library.zero_shot import NAMES, made


def calibrate(
    model: Annotated[
        str, typer.Option(help=f"Model folder, or one of {NAMES}.", show_default=False)
    ],
    out: Out,
    data: OptionalData = None,
    corrections: Annotated[
        list[Path] | None,
        typer.Option(help="Corrections store, instead of --data; may be given several times."),
    ] = None,
    sweeps: Annotated[
        list[Path] | None,
        typer.Option(help="Folder to look for moved sweeps in; may be given several times."),
    ] = None,
    split: SplitOption = None,
    part: PartOption = None,
    weights: Weights = None,
    device: DeviceOption = "auto",
    json_progress: JsonProgress = False,
) -> None:
    """Calibrate a cls model: in the new model, a quality of 0.8 means 80 %.

    The temperature is found on the validation part of the model's own split, or of the list of
    --split, or on all annotated sweeps of other data; if some of these frames taught the model,
    their share is told and in the card. Weights stay as they are, and so does every decision. One
    device is enough: each frame is looked at once and nothing is trained. With --corrections it is
    found on what experts corrected, but for what is held out to judge and what taught the model:
    for models that learnt from none of your frames, such as zero-shot and sononet-cls.
    """
    if (data is None) == (not corrections):
        raise typer.BadParameter("give either --data or --corrections", param_hint="--data")
    if corrections and (split is not None or part is not None):
        raise typer.BadParameter("are of --data", param_hint="--split, --part")
    if data is not None and sweeps:
        raise typer.BadParameter("is of --corrections", param_hint="--sweeps")
    from fetal_iqa_training.evaluation.calibrate_corrections import calibrate_on_corrections
    from fetal_iqa_training.evaluation.calibrate_model import calibrate

    model = str(made(model))
    with reporting(json_progress) as report:
        common: dict[str, Any] = {
            "encoder_weights": weights,
            "device": device,
            "command": command_line(),
            "report": report,
        }
        if data is not None:
            card = calibrate(model, data, out, split=split, part=part, **common)
        else:
            stores = corrections or []
            card = calibrate_on_corrections(
                model, stores, out, sweep_folders=sweeps or (), **common
            )
        warn_of_known_frames(card.training.get("calibrated_on"))
        metrics = {"temperature": round(card.temperature, 4), **card.metrics}
        if json_progress:
            report_done(out, metrics)
        finish({out: metrics}, json_progress)
