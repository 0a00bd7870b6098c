"""``napari-fetal-iqa weights``: pretrained weights of the encoders on this machine."""

from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

import fetal_iqa_models
from fetal_iqa_models import StoredWeights, WeightsStore
from fetal_iqa_models.errors import WeightsError
from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.model_library.command import print_progress
from napari_fetal_iqa.model_library.weights_overview import in_words, weights_rows
from napari_fetal_iqa.storage import paths as places

app = typer.Typer(
    help="Pretrained weights of the encoders: what there is, get it, check it.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Encoder, as weights list names it.")]


@app.command("list")
def list_weights() -> None:
    """List the encoders with their licences, and whose weights are here.

    Example: napari-fetal-iqa weights list
    """
    for row in weights_rows():
        echo(f"{row.name:20}{row.licence:16}{row.size:>12}  {row.origin}")
        echo(f"    {row.state}")


@app.command()
def fetch(
    name: Name,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You have read the licence and accept it.")
    ] = False,
    json_progress: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Download an encoder's published weights, check them and keep them.

    A broken download goes on where it stopped when the command is given again. Where the
    publisher wants a login, log in before with: hf auth login

    Example: napari-fetal-iqa weights fetch fetalclip --accept-licence
    """
    with tqdm(desc=name, unit="B", unit_scale=True, disable=json_progress or None) as bar:

        def show(done: int, total: int) -> None:
            if json_progress:
                print_progress(done, total)
            bar.total = total
            bar.update(done - bar.n)

        stored = fetal_iqa_models.fetch_weights(name, _store(), accept_licence, show)
    _report(stored)


@app.command("import")
def import_(
    name: Name,
    file: Annotated[Path, typer.Argument(help="Checkpoint: .pt, .bin or .safetensors.")],
) -> None:
    """Check a checkpoint that you have, convert it to safetensors and keep it.

    Nothing in the file is run. A file that is not the published one is taken too, and
    reported as such.

    Example: napari-fetal-iqa weights import fetalclip FetalCLIP_weights.pt
    """
    _report(fetal_iqa_models.import_weights(name, file, _store()))


@app.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="Only this encoder's; all by default.")] = None,
) -> None:
    """Check that the weights here are still, bit by bit, what was imported.

    Example: napari-fetal-iqa weights verify
    """
    store = _store()
    paths = store.files(fetal_iqa_models.encoder_spec(name).name) if name else store.files()
    if not paths:
        raise WeightsError(f"{store.folder}: no weights of {name or 'any encoder'} are here")
    damaged = 0
    for path in paths:
        try:
            stored = fetal_iqa_models.verify_weights(path)
            echo(f"{stored.header.encoder}: intact, {in_words(stored)}")
        except WeightsError as error:
            damaged += 1
            echo(f"napari-fetal-iqa: {error}", err=True)
    if damaged:
        raise WeightsError(f"{damaged} of {len(paths)} weights files are damaged")


def _store() -> WeightsStore:
    return WeightsStore(places.weights())


def _report(stored: StoredWeights) -> None:
    header = stored.header
    echo(f"{header.encoder}: {in_words(stored)}")
    echo(f"sha256 {header.source_sha256}")
    if stored.published:
        echo(f"licence {fetal_iqa_models.encoder_spec(header.encoder).terms}")
    echo(f"kept as {stored.path}")
