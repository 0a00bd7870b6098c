"""``fetal-iqa-train cascade``: which frames a CLS model leaves to the SEG model."""

from typing import Annotated

import typer

from fetal_iqa_models import resolve_model
from fetal_iqa_models.cascade_bound import BOUND_FILE, save_bound
from fetal_iqa_training.cli.options import (
    Data,
    DeviceOption,
    JsonProgress,
    PartOption,
    SplitOption,
    Weights,
)
from fetal_iqa_training.cli.reporting import reporting
from napari_fetal_iqa.model_library.zero_shot import made


def cascade(
    model: Annotated[
        str, typer.Option(help="CLS model folder, or the name of one.", show_default=False)
    ],
    data: Data,
    split: SplitOption = None,
    part: PartOption = None,
    weights: Weights = None,
    device: DeviceOption = "auto",
    json_progress: JsonProgress = False,
) -> None:
    """Measure from which quality on frames are worth outlining, and lay it beside the CLS model.

    At most one frame in 1,000 that shows an abdomen has a lower quality. `analyse` and the window
    then spare the SEG model the frames below; `analyse --cascade off` outlines all. It is measured
    on the validation part of the model's own split, or of the list of --split, or on all
    annotated sweeps of other data. The model itself stays as it is.
    """
    from fetal_iqa_training.evaluation.cascade_bound import measure_bound

    model = str(made(model))
    with reporting(json_progress) as report:
        bound = measure_bound(
            model,
            data,
            split=split,
            part=part,
            encoder_weights=weights,
            device=device,
            report=report,
        )
    folder = resolve_model(model)
    save_bound(bound, folder)
    typer.echo(
        f"Outlined from quality {bound.bound:.3g} on: {bound.missed} of {bound.positives} frames "
        f"with an abdomen are below, {100 * bound.spared:.1f} % of all frames. "
        f"{folder / BOUND_FILE}"
    )
