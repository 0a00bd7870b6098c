"""The encoders whose weights are at hand, and what they make of images."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fetal_iqa_models import (
    Encoder,
    choose_device,
    encoder_spec,
    list_encoders,
    load_encoder,
    load_model,
    model_hash,
    preprocess,
    weights_record,
)
from fetal_iqa_models.atomic_file import atomic_file
from fetal_iqa_training.data.planes import PlaneImage, load_frame
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.part_frames import outputs
from fetal_iqa_training.fitting.pretrained import find_pretrained
from fetal_iqa_training.progress import Progress, Report
from napari_fetal_iqa.storage import paths

OF_DEMO_MODELS = {"resnet-demo": "demo-cls", "swin-demo": "demo-seg"}
"""Encoders whose only weights are those of a model that comes with the program."""
RANDOM = "random"


@dataclass(frozen=True)
class Candidate:
    """An encoder to compare.

    Parameters
    ----------
    name : str
        In the table of encoders.
    weights : str
        What they are, for people.
    identity : str
        What tells these weights from others of the encoder.
    load : callable
        Builds it, anew at each call: whoever trains one changes nobody else's.
    """

    name: str
    weights: str
    identity: str
    load: Callable[[], Encoder]


def candidates(
    names: Sequence[str], given: Mapping[str, Path], at_random: bool, seed: int
) -> tuple[list[Candidate], list[str]]:
    """Return the encoders whose weights are here, and the names of those that are skipped.

    Parameters
    ----------
    names : sequence of str
        Empty for all of the table.
    given : mapping of str to Path
        Files of weights by encoder.
    at_random : bool
        Start those at random whose weights are not here.
    seed : int

    Raises
    ------
    ModelError
        Where there is no such encoder.
    TrainingError
        Where none is left.
    """
    found: list[Candidate] = []
    skipped: list[str] = []
    for name in (*names, *given):
        encoder_spec(name)
    for name in names or list_encoders():
        candidate = _pretrained(name, given.get(name))
        if candidate is None and at_random:
            build = partial(_random, name, seed)
            candidate = Candidate(name, "random weights", f"{RANDOM}-{seed}", build)
        if candidate is None:
            skipped.append(name)
        else:
            found.append(candidate)
    if not found:
        raise TrainingError(
            f"the weights of {', '.join(skipped)} are not here: fetch them, name files with "
            "--weights NAME=FILE, or start at random with --from-scratch"
        )
    return found, skipped


def _pretrained(name: str, given: Path | None) -> Candidate | None:
    if name in OF_DEMO_MODELS and given is None:
        model = OF_DEMO_MODELS[name]
        identity = model_hash(model)
        return Candidate(
            name, f"of {model}, trained on phantoms", identity, lambda: load_model(model).encoder
        )
    try:
        path = given or find_pretrained(name, paths.weights())
    except TrainingError:
        return None
    if path is None:
        return None
    record = weights_record(path, paths.weights())
    return Candidate(name, "pretrained", record.sha256, lambda: load_encoder(name, path))


def _random(name: str, seed: int) -> Encoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return load_encoder(name)


def squares(
    images: Sequence[PlaneImage], size: int, mask_text: bool, report: Report
) -> NDArray[np.uint8]:
    """Bring images to the padded square of an encoder: (N, size, size) uint8."""
    made = np.empty((len(images), size, size), np.uint8)
    for number, image in enumerate(images):
        frame = load_frame(image, mask_text)[None]
        grey = preprocess(frame, size, (0.0,) * 3, (1 / 255,) * 3)[0, 0]
        made[number] = grey.round().clamp(0, 255).byte().numpy()
        report(Progress("reading", number + 1, len(images)))
    return made


def features(
    candidate: Candidate,
    images: Sequence[PlaneImage],
    key: str,
    mask_text: bool,
    device: str,
    folder: Path,
    report: Report,
) -> NDArray[np.float32]:
    """Return what a frozen encoder makes of images, (N, D), once made from a file.

    Parameters
    ----------
    key : str
        Hash of the images.
    folder : Path
        Of such files.
    """
    what = f"{candidate.name}\n{candidate.identity}\n{key}\n{mask_text}"
    path = folder / f"{candidate.name}-{hashlib.sha256(what.encode()).hexdigest()[:16]}.npy"
    if not path.is_file():
        choose_device(device)
        encoder = candidate.load().eval()
        frames = squares(images, encoder.spec.image_size, mask_text, report)
        found = []
        for batch in outputs(encoder, encoder.spec, frames, device):
            found.append(batch.numpy())
            report(Progress("encoding", sum(map(len, found)), len(images)))
        with atomic_file(path) as new:
            np.save(new, np.concatenate(found))
    made: NDArray[np.float32] = np.load(path, allow_pickle=False)
    return made
