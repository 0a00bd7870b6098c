"""Whether a model can be used on this machine, found out before it is chosen."""

import json
from pathlib import Path

import fetal_iqa_models
from fetal_iqa_models.cards import (
    ADAPTER_CONFIG_FILE,
    ADAPTER_FILE,
    ENCODER_FILE,
    HEAD_FILE,
    MODEL_FILES,
    ModelCard,
    is_there,
    load_card,
    read_small,
    resolve_model,
)
from fetal_iqa_models.errors import ModelError, shown
from fetal_iqa_models.installation import is_whole
from fetal_iqa_models.registry import encoder_spec
from fetal_iqa_models.untrusted.bounds import LARGEST_MODEL_FILE
from fetal_iqa_models.untrusted.tensor_header import read_tensor_header
from fetal_iqa_models.untrusted.verdicts import DamagedError, RefusedError
from fetal_iqa_models.weights.store import WeightsStore
from napari_fetal_iqa.model_library.graphs import NOT_COMPILED, check_graph, find_graph
from napari_fetal_iqa.storage import paths


def sound_card(reference: Path | str) -> ModelCard:
    """Read the card of a folder in which no file is missing; the weights are not read.

    Raises
    ------
    ModelError
        Where the folder, the card or a file is missing or damaged.
    """
    try:
        folder = resolve_model(reference)
        card = load_card(folder)
        there = [name for name in MODEL_FILES if is_there(folder / name)]
        missing = [name for name in needed_files(card) if name not in there]
    except OSError as error:
        raise ModelError(f"{reference}: cannot be read ({error.strerror})") from error
    if missing:
        raise ModelError(f"{folder}: damaged, {missing[0]} is missing; get the folder anew")
    return card


def needed_files(card: ModelCard) -> list[str]:
    """Return the files beside the card that a model must have."""
    needed = [HEAD_FILE]
    needed += [ENCODER_FILE] if card.encoder_weights == "own" else []
    needed += [ADAPTER_CONFIG_FILE, ADAPTER_FILE] if card.lora else []
    return needed


def check_files(reference: Path | str) -> ModelCard:
    """Check the files of a model as far as that goes without torch: in milliseconds.

    Raises
    ------
    ModelError
        Where the folder is damaged, or its encoder is none that this version knows.
    """
    card = sound_card(reference)
    folder = resolve_model(reference)
    try:
        spec = encoder_spec(card.encoder)
    except ModelError:
        raise ModelError(
            f"{reference}: of the encoder {shown([card.encoder])}, which this version does not "
            "know; update napari-fetal-iqa, or have the model trained on another encoder"
        ) from None
    if card.image_size != spec.image_size:
        raise ModelError(
            f"{reference}: for images of {card.image_size} pixels, and {card.encoder} takes "
            f"{spec.image_size}; get the folder anew"
        )
    for name in needed_files(card):
        try:
            if name == ADAPTER_CONFIG_FILE:
                json.loads(read_small(folder / name))
            else:
                read_tensor_header(folder / name, LARGEST_MODEL_FILE)
        except (OSError, ValueError, RecursionError, DamagedError, RefusedError) as error:
            raise ModelError(f"{folder / name}: damaged; get the folder anew") from error
    return card


def missing_weights(card: ModelCard) -> str | None:
    """Say which pretrained weights a model needs that are not here; None where it has all."""
    wanted = card.encoder_weights
    if wanted == "own":
        return None
    if wanted is None:
        return (
            f"needs pretrained weights of {card.encoder}, and its card does not say which; "
            "ask for the model's own, or have it trained anew"
        )
    if WeightsStore(paths.weights()).find(wanted.sha256) is not None:
        return None
    source = encoder_spec(card.encoder).source
    how = "fetch or import" if source is not None and source.page is None else "import"
    return (
        f"needs the pretrained weights of {card.encoder} ({shown([wanted.name])}), which are not "
        f"here; {how} them first"
    )


def lacking(reference: Path | str, card: ModelCard) -> str | None:
    """Say what a model needs that is not here: weights, or without torch a graph."""
    if is_whole():
        return missing_weights(card)
    return None if find_graph(reference) is not None else NOT_COMPILED


def check_usable(reference: Path | str, task: str | None = None) -> ModelCard:
    """Check, without torch, that a model can be used on this machine, and for its task.

    Raises
    ------
    ModelError
        One line on what is wrong and what to do.
    """
    card = check_files(reference)
    if task is not None and card.task != task:
        raise ModelError(f"{reference}: is a {card.task} model where a {task} model is needed")
    if lacks := lacking(reference, card):
        raise ModelError(f"{reference}: {lacks}")
    return card


def load_whole(reference: Path | str) -> None:
    """Load a model as an analysis does, and let it go again: the last doubt about its tensors.

    Imports torch; where that is not installed, its graph computes once instead. For commands and
    processes of their own, never for the window's.

    Raises
    ------
    ModelError
        Where it cannot be loaded.
    """
    if is_whole():
        fetal_iqa_models.load_model(reference, weights_folder=paths.weights())
    else:
        check_graph(reference)
