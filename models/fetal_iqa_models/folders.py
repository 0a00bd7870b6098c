"""Model folders: save a network, load it again, believe nothing that is not checked."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from fetal_iqa_models.atomic_file import atomic_folder
from fetal_iqa_models.cards import (
    ADAPTER_CONFIG_FILE,
    ADAPTER_FILE,
    CARD_FILE,
    ENCODER_FILE,
    HEAD_FILE,
    MODEL_FILES,
    EncoderWeights,
    LoraSettings,
    ModelCard,
    is_there,
    load_card,
    model_hash,
    read_small,
    resolve_model,
)
from fetal_iqa_models.checkpoints import load_pretrained
from fetal_iqa_models.encoders import blank_encoder
from fetal_iqa_models.errors import ModelError, shown
from fetal_iqa_models.half_precision import halved
from fetal_iqa_models.lora import (
    adapter_state,
    add_lora,
    base_state,
    load_adapter_state,
    peft_config,
)
from fetal_iqa_models.networks import FrameClassifier, FrameNetwork, FrameSegmenter
from fetal_iqa_models.untrusted.bounds import LARGEST_MODEL_FILE
from fetal_iqa_models.untrusted.tensor_bytes import opened_tensors
from fetal_iqa_models.untrusted.tensor_header import TensorEntry
from fetal_iqa_models.untrusted.tensors import read_named
from fetal_iqa_models.untrusted.verdicts import DamagedError, RefusedError
from fetal_iqa_models.weights.recording import bytes_record, weights_record
from fetal_iqa_models.weights.store import SHIPPED, WeightsStore

_FLOATS = ("F16", "BF16", "F32")
_INTEGERS = ("I64",)
_OF_THE_NETWORK = (
    "task",
    "encoder",
    "encoder_weights",
    "image_size",
    "decoder",
    "decoder_width",
    "taps",
    "lora",
    "resize",
    "classes",
)
"""Fields of a card that the files beside it must fit."""


def save_model(
    model: FrameNetwork, folder: Path | str, card: ModelCard, half_precision: bool = False
) -> Path:
    """Write a network to a new model folder, whole or not at all.

    Parameters
    ----------
    model : FrameClassifier or FrameSegmenter
    folder : path
        Must not exist yet.
    card : ModelCard
        Must be of this network; with ``encoder_weights="own"`` the encoder is stored too.
    half_precision : bool
        Store encoder, head and adapter as float16, half the size, but for what is too large for
        it; they are loaded as float32.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ModelError
        Where the folder exists, the card is of another network, or the disk refuses.
    """
    folder = Path(folder)
    with _new_folder(folder) as temporary:
        card = _completed(card, model)
        _write(temporary, model, card, half_precision)
    return folder


def save_with_card(model: Path | str, folder: Path | str, card: ModelCard) -> Path:
    """Write a model anew with another card; its tensors stay as they are, byte by byte.

    Parameters
    ----------
    model : path or str
        Model folder, or the name of a shipped one.
    folder : path
        Must not exist yet.
    card : ModelCard
        Must be of the same network.

    Returns
    -------
    Path
        The new folder.

    Raises
    ------
    ModelError
        Where the folder exists, the card is of another network, or the disk refuses.
    """
    source, folder = resolve_model(model), Path(folder)
    old = load_card(source)
    for what in _OF_THE_NETWORK:
        if getattr(card, what) != getattr(old, what):
            raise ModelError(f"{source}: the new card has another {what.replace('_', ' ')}")
    with _new_folder(folder) as temporary:
        for name in MODEL_FILES:
            if name != CARD_FILE and is_there(source / name):
                shutil.copyfile(source / name, temporary / name)
        _write_card(temporary, card)
    return folder


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Return a folder to write to that takes its name only when all is written."""
    if folder.exists():
        raise ModelError(f"{folder}: exists already; models are never overwritten, choose another")
    try:
        with atomic_folder(folder, flush=True) as temporary:
            yield temporary
    except (OSError, SafetensorError) as error:  # safetensors reports a full disk by its own
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{folder}: cannot be written ({reason})") from error


def _completed(card: ModelCard, model: FrameNetwork) -> ModelCard:
    """Check that a card is of this network, and note the settings it may leave open."""
    spec = model.encoder.spec
    for what, of_card, of_model in (
        ("task", card.task, model.task),
        ("encoder", card.encoder, spec.name),
        ("image size", card.image_size, spec.image_size),
    ):
        if of_card != of_model:
            raise ModelError(f"the card's {what} is {of_card}, the network's is {of_model}")
    settings: dict[str, object] = {"lora": model.lora, "resize": model.resize}
    if isinstance(model, FrameSegmenter):
        settings |= {"decoder_width": model.decoder_width, "taps": spec.taps}
        settings["decoder"] = model.decoder
    elif card.classes != getattr(model, "classes", None):
        raise ModelError("the card has other classes than the network")
    return card.model_copy(update=settings)


def _write(folder: Path, model: FrameNetwork, card: ModelCard, half_precision: bool) -> None:
    trunk = model.encoder.trunk
    _write_card(folder, card)
    tensors = {HEAD_FILE: model.head.state_dict()}
    if card.encoder_weights == "own":
        tensors[ENCODER_FILE] = base_state(trunk)
    if card.lora is not None:
        peft_config(card.lora).save_pretrained(str(folder))
        tensors[ADAPTER_FILE] = adapter_state(trunk)
    for name, state in tensors.items():
        stored = {
            key: (halved(value) if half_precision else _whole(value)).cpu().contiguous()
            for key, value in state.items()
        }
        save_file(stored, folder / name, metadata={"format": "pt"})


def _whole(value: Tensor) -> Tensor:
    return value.to(torch.float32) if value.is_floating_point() else value


def _write_card(folder: Path, card: ModelCard) -> None:
    (folder / CARD_FILE).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load_model(
    folder_or_name: Path | str,
    encoder_weights: Path | str | None = None,
    weights_folder: Path | str | None = None,
) -> FrameClassifier | FrameSegmenter:
    """Load a network from a model folder.

    Parameters
    ----------
    folder_or_name : path or str
        A model folder, or the name of a shipped model, such as ``"demo-cls"``.
    encoder_weights : path, optional
        The encoder's pretrained weights, where the folder does not hold them; they must be
        those that the card names.
    weights_folder : path, optional
        Of the store of pretrained weights, where those that the card names are looked for if
        no file is given; those that come with the package are always found.

    Returns
    -------
    FrameClassifier or FrameSegmenter
        float32, on the CPU, in evaluation mode, with its ``card`` and ``hash``.

    Raises
    ------
    ModelError
        Where the folder is missing, damaged, foreign, or needs weights that were not given.
    """
    folder = resolve_model(folder_or_name)
    card = load_card(folder)
    model = _build(folder, card, _weights(folder, card, encoder_weights, weights_folder))
    _load_into(model.head, folder / HEAD_FILE)
    if card.lora is not None:
        _load_adapter(model, card.lora, folder)
    model.resize = card.resize
    model.card = card
    model.hash = model_hash(folder)
    return model.eval()


def _build(folder: Path, card: ModelCard, weights: Path | None) -> FrameClassifier | FrameSegmenter:
    """Build the network of a card with its encoder's weights; its head is still blank."""
    with _naming_card(folder):
        encoder = blank_encoder(card.encoder, card.taps)
    size = encoder.spec.image_size
    if card.image_size != size:
        raise ModelError(
            f"{folder / CARD_FILE}: image size {card.image_size}, but {card.encoder} takes {size}"
        )
    if weights is None:
        _load_into(encoder.trunk, folder / ENCODER_FILE)
    else:
        load_pretrained(encoder.trunk, weights)
    with torch.device("meta"), _naming_card(folder):
        if card.task == "cls":
            return FrameClassifier(encoder, card.classes)
        return FrameSegmenter(encoder, card.decoder_width, card.decoder)


@contextmanager
def _naming_card(folder: Path) -> Iterator[None]:
    """Name the card where what it asks for cannot be built."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{folder / CARD_FILE}: {error}") from error


def _weights(
    folder: Path, card: ModelCard, given: Path | str | None, store: Path | str | None
) -> Path | None:
    """Find and check the pretrained weights that a card needs; None for a model with its own."""
    wanted = card.encoder_weights
    if wanted == "own":
        return None
    weights = None if given is None else Path(given)
    if weights is None and wanted is not None:
        store = SHIPPED if store is None else store
        weights = WeightsStore(store).find(wanted.sha256)
    if weights is None:
        name = "which it does not name" if wanted is None else wanted.name
        raise ModelError(
            f"{folder}: needs the pretrained weights of {card.encoder} ({name}); "
            "fetch or import them first"
        )
    if wanted is not None and _record(weights, store).sha256 != wanted.sha256:
        raise ModelError(
            f"{weights}: not the weights that {folder} was trained on ({wanted.name}, "
            f"sha256 {wanted.sha256[:12]}…)"
        )
    return weights


def _record(weights: Path, store: Path | str | None) -> EncoderWeights:
    return bytes_record(weights) if store is None else weights_record(weights, store)


def _load_adapter(model: FrameNetwork, lora: LoraSettings, folder: Path) -> None:
    """Build the adapter from the card alone; PEFT's own file must only agree with it."""
    with torch.device("meta"), _naming_card(folder):
        lora = add_lora(model, lora)
    expected = peft_config(lora).to_dict()
    path = folder / ADAPTER_CONFIG_FILE
    try:
        found = json.loads(read_small(path))
        for key in ("peft_type", "r", "lora_alpha"):
            if found[key] != expected[key]:
                raise ModelError(f"{path}: {key} does not agree with {CARD_FILE} beside it")
        if sorted(found["target_modules"]) != sorted(expected["target_modules"]):
            raise ModelError(f"{path}: target_modules does not agree with {CARD_FILE} beside it")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{path}: not an adapter configuration of PEFT") from error
    trunk = model.encoder.trunk
    load_adapter_state(trunk, _read_tensors(folder / ADAPTER_FILE, adapter_state(trunk)))


def _load_into(module: nn.Module, path: Path) -> None:
    module.load_state_dict(_read_tensors(path, module.state_dict()), assign=True)


def _read_tensors(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read tensors of exactly these names and shapes; nothing is allocated before the check."""
    try:
        with opened_tensors(path, LARGEST_MODEL_FILE) as file:
            _check_entries(file.header.tensors, expected, path)
            tensors = {
                name: read_named(file, [name])[name].to(own.dtype) for name, own in expected.items()
            }
    except (OSError, DamagedError, RefusedError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        ending = f" ({reason})" if str(reason) else ""
        raise ModelError(f"{path}: missing or damaged{ending}; get the folder anew") from error
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ModelError(f"{path}: {name} holds values that are no numbers")
    return tensors


def _check_entries(
    found: Mapping[str, TensorEntry], expected: Mapping[str, Tensor], path: Path
) -> None:
    if odd := sorted(found.keys() ^ expected.keys()):
        raise ModelError(
            f"{path}: {len(odd)} tensors are missing or foreign, such as {shown(odd[:1])}"
        )
    for name, own in expected.items():
        shape, dtype = found[name].shape, found[name].dtype
        if shape != tuple(own.shape):
            raise ModelError(f"{path}: {name} has shape {list(shape)}, expected {list(own.shape)}")
        if dtype not in (_FLOATS if own.is_floating_point() else _INTEGERS):
            raise ModelError(f"{path}: {name} holds {dtype}, expected {own.dtype}")
