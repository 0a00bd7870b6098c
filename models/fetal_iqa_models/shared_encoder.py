"""Whether two model folders have one encoder, so that one pass serves both; torch-free."""

import hashlib
from pathlib import Path

from fetal_iqa_models.cards import (
    ADAPTER_CONFIG_FILE,
    ADAPTER_FILE,
    ENCODER_FILE,
    is_there,
    load_card,
)
from fetal_iqa_models.untrusted.regular import open_regular

_ALIKE = ("encoder", "encoder_weights", "image_size", "lora", "resize")


def folders_share_encoder(cls: Path, seg: Path) -> bool:
    """Return whether a classifier and a segmenter see frames through the same tensors.

    As ``fetal-iqa-train fit --task both`` makes them. The files are compared, not what cards say.

    Parameters
    ----------
    cls, seg : Path
        Model folders.

    Raises
    ------
    ModelError
        Where a folder is missing or damaged.
    """
    cards = load_card(cls), load_card(seg)
    if any(getattr(cards[0], what) != getattr(cards[1], what) for what in _ALIKE):
        return False
    if cards[0].encoder_weights is None:  # nobody recorded which
        return False
    files = (ENCODER_FILE, ADAPTER_FILE, ADAPTER_CONFIG_FILE)
    return all(_digest(cls / name) == _digest(seg / name) for name in files)


def _digest(path: Path) -> str | None:
    if not is_there(path):
        return None
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
