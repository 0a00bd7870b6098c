"""``napari-fetal-iqa models compile``: the graph of a model, for OpenVINO."""

from pathlib import Path
from typing import Annotated

import typer

import fetal_iqa_models
from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.model_library.library import ModelLibrary
from napari_fetal_iqa.model_library.wording import plain
from napari_fetal_iqa.model_library.zero_shot import made


def compile_model(
    model: Annotated[
        str,
        typer.Argument(
            help="Id, at least 4 digits of the hash, folder, or the name of a shipped model."
        ),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(help="Pretrained weights of the encoder, where the model holds none."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Compile it although its graph lies ready.")
    ] = False,
) -> None:
    """Compile a model for OpenVINO, which computes without torch; compiling itself takes torch.

    Example: napari-fetal-iqa models compile cls-7f3a
    """
    # here, for the other commands need not wait for what these import
    from napari_fetal_iqa.analysis.graphs import find_graph, make_graph
    from napari_fetal_iqa.analysis.models import choose_models

    entry = ModelLibrary().find(made(model))
    if entry.card is None:
        raise ModelError(entry.damaged or "")
    scores = entry.card.task == "cls"
    both = choose_models(
        entry.reference if scores else None, None if scores else entry.reference, weights
    )
    chosen = both.cls or both.seg
    assert chosen is not None
    ready = None
    if not again:
        try:
            ready = find_graph(chosen)
        except fetal_iqa_models.ModelError:  # damaged: made anew, over what is there
            ready = None
    compiled = ready or make_graph(chosen, weights)
    size = sum(file.stat().st_size for file in compiled.folder.iterdir()) / 1e6
    said = "is compiled already" if ready else "compiled"
    echo(
        f"{entry.id}: {said}, {compiled.compiled.precision}, {size:.1f} MB in "
        f"{plain(str(compiled.folder))}"
    )
