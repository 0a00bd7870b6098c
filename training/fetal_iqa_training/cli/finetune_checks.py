"""What a fine-tuning would fail at, found before it starts, and without torch where possible."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fetal_iqa_models import load_card
from fetal_iqa_models.cards import ModelCard
from fetal_iqa_models.registry import encoder_spec
from fetal_iqa_models.specs import TRANSFORMER_LORA
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.processes import check_shares
from fetal_iqa_training.settings import FinetuneSettings, Task
from napari_fetal_iqa.model_library.soundness import missing_weights


def check_would_train(
    bases: Mapping[Task, str],
    settings: Mapping[Task, FinetuneSettings],
    outs: Mapping[Task, Path],
    weights: Path | None,
    processes: int,
) -> None:
    """Refuse what the training would refuse: device, batches, layers, weights, place.

    Parameters
    ----------
    bases : dict of task to str
        Model folders or names of shipped models.
    settings : dict of task to FinetuneSettings
    outs : dict of task to Path
        Model folders to make.
    weights : Path, optional
        Pretrained weights of the encoder.
    processes : int
        That train together.

    Raises
    ------
    TrainingError, ModelError
        In the words of the training where it has some.
    """
    for task, base in bases.items():
        card, chosen = load_card(base), settings[task]
        check_shares(chosen.batch_size, processes)
        check_place(outs[task])
        _check_weights(base, card, weights)
        _check_targets(card, chosen)
        if chosen.device not in ("auto", "cpu"):
            from fetal_iqa_models.devices import choose_device

            choose_device(chosen.device)


def check_place(out: Path) -> None:
    """Try whether a folder can be made where the model shall be."""
    parent = out.absolute().parent
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".tried-", dir=parent))
    except OSError as error:
        raise TrainingError(
            f"{out}: cannot be written ({error.strerror}); choose another folder"
        ) from error


def _check_weights(base: str, card: ModelCard, weights: Path | None) -> None:
    if weights is not None:
        if not weights.is_file():
            raise TrainingError(f"{weights}: no such file of weights; check --weights")
    elif lacking := missing_weights(card):
        raise TrainingError(f"{base}: {lacking}")


def _check_targets(card: ModelCard, settings: FinetuneSettings) -> None:
    """Look for layers of the LoRA; the encoder is only built for a name that is not listed."""
    own = encoder_spec(card.encoder).lora_targets
    targets = settings.lora.targets
    if targets is None or own is None or card.lora is not None:
        return  # not used: trained in full, or goes on with the base's
    listed = {*own, *(("attn.qkv",) if own == TRANSFORMER_LORA else ())}
    unlisted = [target for target in targets if target not in listed]
    if unlisted:
        from fetal_iqa_models.encoders import load_encoder
        from fetal_iqa_models.lora import check_targets

        check_targets(card.encoder, load_encoder(card.encoder, None).trunk, unlisted)
