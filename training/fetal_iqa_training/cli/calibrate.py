"""``fetal-iqa-train calibrate``: a quality of 0.8 shall mean 80 %."""

from typing import Annotated

import typer

from fetal_iqa_training.cli.options import (
    Data,
    DeviceOption,
    JsonProgress,
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


def calibrate(
    model: Annotated[str, typer.Option(help="Model folder, or demo-cls.", show_default=False)],
    data: Data,
    out: Out,
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
    device is enough: each frame is looked at once and nothing is trained.
    """
    from fetal_iqa_training.evaluation.calibrate_model import calibrate

    with reporting(json_progress) as report:
        card = calibrate(
            model,
            data,
            out,
            split=split,
            part=part,
            encoder_weights=weights,
            device=device,
            command=command_line(),
            report=report,
        )
        warn_of_known_frames(card.training.get("calibrated_on"))
        metrics = {"temperature": round(card.temperature, 4), **card.metrics}
        if json_progress:
            report_done(out, metrics)
        finish({out: metrics}, json_progress)
