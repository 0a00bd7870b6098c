"""The model card: what a model folder records of itself; torch-free."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.classes import Classes, prompts_hash
from fetal_iqa_models.errors import ModelError, shown
from fetal_iqa_models.taught import Taught
from fetal_iqa_models.thresholds import AREA_THRESHOLD, MASK_THRESHOLD, QUALITY_THRESHOLD
from fetal_iqa_models.untrusted.bounds import LARGEST_CARD, LARGEST_MODEL_FILE
from fetal_iqa_models.untrusted.regular import check_regular, open_regular

CARD_FILE = "model.json"
ADAPTER_CONFIG_FILE = "adapter_config.json"
ADAPTER_FILE = "adapter_model.safetensors"
HEAD_FILE = "head.safetensors"
ENCODER_FILE = "encoder.safetensors"
MODEL_FILES = tuple(sorted((CARD_FILE, ADAPTER_CONFIG_FILE, ADAPTER_FILE, HEAD_FILE, ENCODER_FILE)))
"""The files of a model folder; nothing else in the folder is ever read."""

_LARGEST_JSON = 1_000_000  # others' folders are read into memory
_SHA256 = r"^[0-9a-f]{64}$"


LayerName = Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=200)]

Task = Literal["cls", "seg"]
"""What a network does: score a frame's quality, or outline its abdomen."""

DecoderName = Literal["ours", "published"]
"""Which decoder a segmenter has: ours, or that of the published FetalCLIP-IQA code."""

Resize = Literal["antialiased", "published"]
"""How frames become a network's input: FetalCLIP's own way, or the published FetalCLIP-IQA code's,
OpenCV's bicubic without antialiasing."""


def _with_numbers_that_can_be_written(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Refuse integers beyond 64 bits; Python writes none of more than 4,300 digits."""
    waiting: list[JsonValue] = [value]
    while waiting:
        match waiting.pop():
            case dict() as inner:
                waiting.extend(inner.values())
            case list() as items:
                waiting.extend(items)
            case int() as number if abs(number) >= 2**63:
                raise ValueError("holds a number of more than 64 bits")
    return value


class LoraSettings(BaseModel):
    """Low-rank adaptation of an encoder's linear layers.

    Parameters
    ----------
    rank : int
    alpha : int
        The adapter's output is scaled by ``alpha / rank``.
    dropout : float
        On the adapter's input, in training.
    targets : tuple of str or None
        Layers of the encoder's trunk, by the ends of their names: ``"attn.proj"`` is that layer
        of every block. None for the encoder's own setting.

    References
    ----------
    Hu et al., LoRA, ICLR 2022; the defaults are those of arXiv 2507.22802.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(default=8, ge=1, le=1024)
    alpha: int = Field(default=16, ge=1, le=65536)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    targets: tuple[LayerName, ...] | None = Field(default=None, min_length=1, max_length=16)


class EncoderWeights(BaseModel):
    """Which pretrained weights an encoder has.

    Parameters
    ----------
    name : str
        Of the file, for people.
    sha256 : str
        Of the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=500)
    sha256: str = Field(pattern=_SHA256)


class ModelCard(BaseModel):
    """What a model is, how it was made and how well it does; ``model.json`` of its folder.

    Parameters
    ----------
    schema_version : 1
    name : str
        For people.
    task : "cls" or "seg"
        Scores a frame's quality, or outlines its abdomen.
    encoder : str
        Name in the table of encoders.
    encoder_weights : EncoderWeights, "own" or None
        The pretrained weights to be had elsewhere; ``"own"`` where the folder holds the
        encoder; None where nobody recorded it, so that the loader must be given a file.
    image_size : int
        Side of the square input in pixels.
    decoder : "ours" or "published"
        Of a segmenter; the published one is that of the FetalCLIP-IQA code.
    decoder_width : int or None
        Of a segmenter; None for the encoder's own setting.
    taps : four ints or None
        Of a segmenter's feature maps; None for the encoder's own setting.
    lora : LoraSettings or None
    resize : "antialiased" or "published"
        How its frames are resized, in training and in prediction.
    classes : tuple of FrameClass or None
        What the classifier tells apart, where that is more than good and not: the probability
        of the targets among them is the quality (cls).
    prompts_sha256 : str or None
        Of the prompts that the head was made of, where classes have prompts.
    temperature : float
        Divides the logit before it becomes a probability (cls): 1 as it was trained, above 1
        less sure, below 1 surer.
    quality_threshold : float
        A frame whose probability, at that temperature, is higher counts as good (cls).
    mask_threshold : float
        A pixel whose probability is higher belongs to the abdomen (seg).
    area_threshold : float
        A frame whose mask covers at least this share of the padded square counts as good
        (seg; 1 % in arXiv 2507.22802).
    labels : tuple of str
        What 0 and 1 mean.
    licence : str
    parent : str or None
        Hash of the model that this one was fine-tuned from.
    training_data : str or None
        Hash of the data that it was trained on.
    training : dict
        Settings of the training: command, seed, epochs and so on.
    taught : Taught or None
        What it and its ancestors learnt from, by identity; None where nobody recorded it.
    metrics : dict
        What was measured, on what.
    demo : bool
        Trained on phantoms for show; not for clinical use.
    tool_version : str
        Of the distribution that wrote the folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_version: Literal[1] = 1
    name: str = Field(min_length=1, max_length=500)
    task: Task
    encoder: str = Field(min_length=1, max_length=200)
    encoder_weights: EncoderWeights | Literal["own"] | None = None
    image_size: int = Field(ge=16, le=4096)
    decoder: DecoderName = "ours"
    decoder_width: int | None = Field(default=None, ge=1, le=512)
    taps: tuple[int, int, int, int] | None = None
    lora: LoraSettings | None = None
    resize: Resize = "antialiased"
    classes: Classes | None = None
    prompts_sha256: str | None = Field(default=None, pattern=_SHA256)
    temperature: float = Field(default=1.0, gt=0, le=1000)
    quality_threshold: float = Field(default=QUALITY_THRESHOLD, ge=0, le=1)
    mask_threshold: float = Field(default=MASK_THRESHOLD, ge=0, le=1)
    area_threshold: float = Field(default=AREA_THRESHOLD, ge=0, le=1)
    labels: tuple[str, str] = ("not measurable", "fetal abdomen, measurable")
    licence: str = "unknown"
    parent: str | None = Field(default=None, pattern=_SHA256)
    training_data: str | None = Field(default=None, pattern=_SHA256)
    training: Annotated[dict[str, JsonValue], AfterValidator(_with_numbers_that_can_be_written)] = (
        Field(default_factory=dict)
    )
    taught: Taught | None = None
    metrics: Annotated[dict[str, JsonValue], AfterValidator(_with_numbers_that_can_be_written)] = (
        Field(default_factory=dict)
    )
    demo: bool = False
    tool_version: str = ""

    @model_validator(mode="after")
    def _only_a_quality_has_a_temperature(self) -> Self:
        if self.task != "cls" and self.temperature != 1.0:
            raise ValueError(f"temperature {self.temperature} of a {self.task} model: only cls has")
        return self

    @model_validator(mode="after")
    def _the_head_is_of_these_prompts(self) -> Self:
        if self.classes is not None and self.task != "cls":
            raise ValueError(f"classes of a {self.task} model: only cls has some")
        prompted = self.classes is not None and bool(self.classes[0].prompts)
        found = prompts_hash(self.classes) if self.classes is not None and prompted else None
        if found != self.prompts_sha256:
            raise ValueError(
                "the prompts were edited since the model was made of them; make another of this "
                "file with napari-fetal-iqa models zero-shot --prompts"
            )
        return self

    def lineage(self, model: str) -> Taught:
        """Return what taught this model, for the card of a child to go on with.

        Parameters
        ----------
        model : str
            Hash of this model.
        """
        if self.taught is not None:
            return self.taught
        begun = Taught.salted(model)
        if self.parent is None and (self.demo or self.prompts_sha256 is not None):
            return begun  # of phantoms alone, or of words: no data of anybody's
        # a parent that is nowhere recorded may have been fine-tuned on any corrections
        return begun.model_copy(update={"complete": self.parent is None, "unrecorded": (model,)})


def resolve_model(folder_or_name: Path | str) -> Path:
    """Return the folder of a model: a shipped model's by its name, else the path as it is.

    Parameters
    ----------
    folder_or_name : path or str
        A model folder, or the name of a shipped model: one of ``BUILT_IN``.

    Returns
    -------
    Path
        An existing folder; what is in it is not looked at.

    Raises
    ------
    ModelError
        Where there is no such folder.
    """
    row = BUILT_IN.get(str(folder_or_name))
    folder = Path(folder_or_name) if row is None else row.folder
    if not folder.is_dir():
        *names, last = BUILT_IN
        known = f"{', '.join(names)} or {last}"
        raise ModelError(f"{folder_or_name}: no such model folder; give a folder, or {known}")
    return folder


def load_card(folder_or_name: Path | str) -> ModelCard:
    """Read and validate the card of a model folder.

    Parameters
    ----------
    folder_or_name : path or str
        As :func:`resolve_model` takes it.

    Returns
    -------
    ModelCard

    Raises
    ------
    ModelError
        Where the folder or its card is missing, oversize, or not a model card.
    """
    path = resolve_model(folder_or_name) / CARD_FILE
    try:
        return ModelCard.model_validate_json(read_small(path, LARGEST_CARD))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = shown([".".join(map(str, first["loc"])) or "the file"])
        raise ModelError(f"{path}: not a model card: {where}: {first['msg']}") from error


def read_small(path: Path, largest: int = _LARGEST_JSON) -> bytes:
    """Read a side file of a model folder; refuse one of more bytes, by default a megabyte."""
    try:
        with open_regular(path) as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > largest:
        size = "a megabyte" if largest == _LARGEST_JSON else f"{largest // 1_000_000} megabytes"
        raise ModelError(f"{path}: larger than {size}, so not of a model folder")
    return content


def model_hash(folder_or_name: Path | str) -> str:
    """Hash a model folder: sha256 over the name and sha256 of each file, sorted by name.

    Only the files of a model count: a note or a thumbnail beside them changes nothing.

    Parameters
    ----------
    folder_or_name : path or str
        As :func:`resolve_model` takes it.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ModelError
        Where the folder is missing or a file cannot be read.
    """
    digest = hashlib.sha256()
    folder = resolve_model(folder_or_name)
    for name in MODEL_FILES:
        path = folder / name
        if not is_there(path):
            continue
        try:
            with open_regular(path) as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
        digest.update(f"{name}\n{content}\n".encode())
    return digest.hexdigest()


def is_there(path: Path) -> bool:
    """Return whether a model folder has a file, which must be one that ends.

    Raises
    ------
    ModelError
        Where it is a FIFO, a device or a folder, or larger than any of a model.
    """
    try:
        size = check_regular(path).st_size
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    if size > LARGEST_MODEL_FILE:
        raise ModelError(f"{path}: larger than {LARGEST_MODEL_FILE >> 30} GiB, so not of a model")
    return True


def model_id(task: str, full_hash: str) -> str:
    """Name a model for people: its task and the start of its hash, ``cls-7f3a``.

    Parameters
    ----------
    task : "cls" or "seg"
    full_hash : str
        As :func:`model_hash` computes it.

    Returns
    -------
    str
    """
    return f"{task}-{full_hash[:4]}"
