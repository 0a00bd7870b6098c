"""The command ``fetal-iqa-train``, put together from one module a command."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.installation import naming_what_is_left_out
from fetal_iqa_training.cli import challenge, experiment
from fetal_iqa_training.cli.calibrate import calibrate
from fetal_iqa_training.cli.cascade import cascade
from fetal_iqa_training.cli.criteria import criteria
from fetal_iqa_training.cli.distil import distil
from fetal_iqa_training.cli.evaluate import evaluate
from fetal_iqa_training.cli.finetune import finetune
from fetal_iqa_training.cli.fit import fit
from fetal_iqa_training.cli.options import JsonProgress
from fetal_iqa_training.cli.reporting import reporting
from fetal_iqa_training.data.phantoms import Size
from fetal_iqa_training.data.planes import Part
from fetal_iqa_training.progress import JsonLines
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.finetuning.events import ErrorEvent

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
    texture: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Real standard planes for tissue instead of drawn ones: a folder of "
            "FETAL_PLANES_DB whose annotations.csv splits the subjects.",
        ),
    ] = None,
    part: Annotated[
        Part | None, typer.Option(help="Of the subjects' split, for --texture; by default val.")
    ] = None,
    outlines: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Outlines of the abdomens, for --texture; by default those of the program.",
        ),
    ] = None,
    json_progress: JsonProgress = False,
) -> None:
    """Write phantom cases: simulated sweeps with true masks, in the ACOUSLIC-AI layout.

    With --texture the tissue is that of real standard planes, which a simulated cheap probe
    passes; each case is one subject's, and its scale in mm is drawn.
    """
    if texture is None:
        if part is not None or outlines is not None:
            option = "--part" if part is not None else "--outlines"
            raise typer.BadParameter("is for --texture only", param_hint=option)
        from fetal_iqa_training.data.phantoms import write_phantoms

        with reporting(json_progress) as report:
            write_phantoms(folder, cases, seed, size, shifted, report)
        return
    from fetal_iqa_training.data.outlines import read_outlines
    from fetal_iqa_training.data.textured import write_textured

    ellipses = read_outlines(outlines)
    with reporting(json_progress) as report:
        write_textured(
            folder,
            texture,
            ellipses,
            cases,
            part=part or "val",
            seed=seed,
            size=size,
            shifted=shifted,
            report=report,
        )


app.command(
    epilog="Example: fetal-iqa-train fit --data train-data --task cls --encoder fetalclip "
    "--out my-cls"
)(fit)

app.command(
    epilog="Example: fetal-iqa-train evaluate --model my-cls --data acouslic --split split.json "
    "--json metrics.json, or "
    "fetal-iqa-train evaluate --challenge --cls my-cls --seg my-seg --data acouslic"
)(evaluate)

app.command(
    epilog="Example: fetal-iqa-train calibrate --model my-cls --data acouslic --split split.json "
    "--out my-cls-calibrated"
)(calibrate)

app.command(
    epilog="Example: fetal-iqa-train cascade --model my-cls --data acouslic --split split.json"
)(cascade)

app.command(
    epilog="Example: fetal-iqa-train finetune --corrections review.sqlite --task seg "
    "--base demo-seg --out my-seg"
)(finetune)

app.command(
    epilog="Example: fetal-iqa-train distil --teacher my-cls --teacher my-seg --data sweeps "
    "--student resnet-demo --out small"
)(distil)

app.command(epilog="Example: fetal-iqa-train criteria --model demo-cls --out plane-criteria")(
    criteria
)

challenge.register(app)
experiment.register(app)


def main() -> None:
    """Run the command; what a user can cause ends in one line and exit code 1, bad usage in 2."""
    try:
        with naming_what_is_left_out():
            app()
    except (FetalIqaError, ModelError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}; check the disk")


def _fail(message: str) -> NoReturn:
    # from the words themselves: the error may be older than the reading of the options
    if "--json-progress" in sys.argv:
        JsonLines().write(ErrorEvent(message=message))
    typer.echo(f"Error: {message}", err=True)
    sys.exit(1)
