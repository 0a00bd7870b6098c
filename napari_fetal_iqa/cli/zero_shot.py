"""``napari-fetal-iqa models zero-shot``: a CLS model of words."""

import json
from pathlib import Path
from typing import Annotated

import typer

import fetal_iqa_models
from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.model_library import zero_shot
from napari_fetal_iqa.model_library.library import ModelLibrary
from napari_fetal_iqa.storage import paths


def make_zero_shot(
    out: Annotated[
        str,
        typer.Option(help="Name of the model to make, or a folder; it must not exist yet."),
    ] = zero_shot.NAME,
    prompts: Annotated[
        Path | None,
        typer.Option(help="JSON: a list of classes with prompts, or the model.json of a model."),
    ] = None,
    show_prompts: Annotated[
        bool,
        typer.Option("--show-prompts", help="Only print the usual prompts, to be edited."),
    ] = False,
) -> None:
    """Make a CLS model of FetalCLIP's weights and of planes that are described in words.

    No training: the quality is the probability of the classes marked as target. The model called
    zero-shot is made by itself when it is first used; edit its prompts to make another.

    Example: napari-fetal-iqa models zero-shot --prompts mine.json --out my-zero-shot
    """
    if show_prompts:
        classes = fetal_iqa_models.usual_prompts()
        typer.echo(json.dumps([one.model_dump(mode="json") for one in classes], indent=2))
        return
    if not out.strip() or out == "..":  # neither is a name: they are folders of all models
        raise typer.BadParameter(f"{out!r} is no name; name the model to make", param_hint="--out")
    into = Path(out) if Path(out).name != out else paths.models() / out
    made = zero_shot.make(into, prompts)
    entry = ModelLibrary().find(str(made))
    echo(f"{entry.id} ({entry.hash[:12]}): made in {made}")
