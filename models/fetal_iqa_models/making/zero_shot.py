"""FetalCLIP as a CLS model without any training: planes described in words.

The words are embedded once, by the text side of the checkpoint, and become the head; afterwards
only the image encoder is needed. The prompts are in the card, with a hash that tells whether they
are still those of the head.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from fetal_iqa_models.cards import ModelCard, read_small
from fetal_iqa_models.classes import Classes, FrameClass, prompts_hash
from fetal_iqa_models.encoders import blank_encoder
from fetal_iqa_models.errors import ModelError, WeightsError, shown
from fetal_iqa_models.folders import save_model
from fetal_iqa_models.networks import FrameClassifier
from fetal_iqa_models.weights.recording import weights_record
from fetal_iqa_models.zero_shot import SHARPNESS, embed_prompts

_CLASSES: TypeAdapter[tuple[FrameClass, ...]] = TypeAdapter(Classes)


def _described(name: str, *what: str, target: bool = False) -> FrameClass:
    """Describe a standard plane in the several ways in which captions of ultrasound do."""
    prompts = [
        text
        for one in what
        for text in (
            f"Ultrasound image of the {one}.",
            f"Fetal ultrasound at 20 to 40 weeks of gestation, showing the {one}.",
            f"Standard plane of the {one}.",
        )
    ]
    return FrameClass(name=name, target=target, prompts=tuple(prompts))


PROMPTS: tuple[FrameClass, ...] = (
    _described(
        "abdomen",
        "fetal abdomen, with stomach bubble, umbilical vein and liver",
        "transverse section of the fetal abdomen, to measure its circumference",
        target=True,
    ),
    _described(
        "brain",
        "fetal brain, with midline echo, thalami and cavum septi pellucidi",
        "transverse section of the fetal head, to measure its circumference",
    ),
    _described(
        "thorax",
        "fetal thorax, with the heart between the lungs",
        "four chambers of the fetal heart",
    ),
    _described("femur", "fetal femur, to measure its length", "fetal thigh bone"),
    _described("spine", "fetal spine, with its vertebrae", "fetal kidneys beside the spine"),
    _described("face", "fetal face in profile, with nose and chin", "fetal lips and nostrils"),
    _described("cervix", "maternal cervix, with the cervical canal"),
    FrameClass(
        name="no standard plane",
        prompts=(
            "Ultrasound image without any standard plane.",
            "Blurred ultrasound image, taken while the probe is moved.",
            "Ultrasound image of amniotic fluid, without the fetus.",
            "Ultrasound image of the placenta.",
            "Ultrasound image of the uterine wall and maternal tissue.",
            "Ultrasound image of fetal arms and legs, cut obliquely.",
            "Dark ultrasound image with acoustic shadow, in which nothing is recognised.",
        ),
    ),
)
"""What a model is made from by default: the abdomen, other planes, and none."""


def usual_prompts() -> tuple[FrameClass, ...]:
    """Return what a model is made from by default."""
    return PROMPTS


def read_classes(path: Path) -> tuple[FrameClass, ...]:
    """Read classes with their prompts from a JSON file: a list of them, or a model card.

    Raises
    ------
    ModelError
        Where it cannot be read, is larger than a megabyte, or holds no classes with prompts.
    """
    try:
        content = json.loads(read_small(path))
        if isinstance(content, dict):
            content = content.get("classes")
        classes = _CLASSES.validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = shown([".".join(map(str, first["loc"])) or "the list"])
        raise ModelError(f"{path}: no classes with prompts: {where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: no JSON; give a list of classes, or a model.json") from error
    _check_prompts(classes, path)
    return classes


def _check_prompts(classes: Sequence[FrameClass], path: Path | str) -> None:
    if not all(one.prompts for one in classes):
        raise ModelError(f"{path}: its classes have no prompts; describe each in words")


def make_zero_shot(
    folder: Path | str,
    weights: Path,
    classes: Sequence[FrameClass] = PROMPTS,
    encoder: str = "fetalclip",
    weights_folder: Path | str | None = None,
    tool_version: str = "",
) -> Path:
    """Make a CLS model of words and of a pretrained encoder that has a text side.

    Parameters
    ----------
    folder : path
        Model folder to make; must not exist yet.
    weights : Path
        As :func:`~fetal_iqa_models.zero_shot` takes them.
    classes : sequence of FrameClass
        With prompts; each is the mean of what its prompts embed to.
    encoder : str
        Name of the encoder that the weights are of.
    weights_folder : path, optional
        Of the store that the weights lie in.
    tool_version : str
        Noted in the card.

    Returns
    -------
    Path
        The folder. The scores of its classes are 100 times the cosines of frame and words, as in
        :func:`~fetal_iqa_models.zero_shot`.

    Raises
    ------
    ModelError
        Where the folder exists or cannot be written, or a class has no prompts.
    WeightsError
        Where the weights are damaged, not of this encoder, or have no such text side.
    """
    _check_prompts(classes, "zero-shot")
    network = FrameClassifier(blank_encoder(encoder), classes)
    spec = network.encoder.spec
    words = embed_prompts({one.name: one.prompts for one in classes}, weights)
    if words.shape[1] != network.encoder.embedding_dim:
        raise WeightsError(
            f"{weights}: words of {words.shape[1]} numbers, and frames of "
            f"{network.encoder.embedding_dim}; not the weights of {encoder}"
        )
    network.head.load_state_dict({"weight": SHARPNESS * words}, assign=True)
    card = ModelCard(
        name=f"{encoder} in words, zero-shot",
        task="cls",
        encoder=encoder,
        encoder_weights=weights_record(weights, weights_folder),
        image_size=spec.image_size,
        classes=tuple(classes),
        prompts_sha256=prompts_hash(classes),
        labels=("another plane or none", "plane of the abdomen, as its prompts describe it"),
        licence=spec.licence,
        training={"by": "nobody: its classes are described in words (zero-shot)"},
        tool_version=tool_version,
    )
    return save_model(network, folder, card)
