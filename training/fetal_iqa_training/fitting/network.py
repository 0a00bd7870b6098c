"""The network that a fit begins with: its first weights, its strategy, its recipe."""

from pathlib import Path

import torch

from fetal_iqa_models import FrameClassifier, FrameSegmenter, load_encoder, set_strategy
from fetal_iqa_models.networks import Network
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.published_recipe import hold_back_as_published, tap_as_published
from fetal_iqa_training.settings import FitSettings


def build_network(
    settings: FitSettings, weights: Path | None, parent: Network | None = None
) -> Network:
    """Build a network whose first weights depend on the seed alone, ready to be trained.

    Parameters
    ----------
    settings : FitSettings
    weights : Path, optional
        Pretrained weights of the encoder.
    parent : FrameClassifier or FrameSegmenter, optional
        Model to start from.

    Raises
    ------
    ModelError
        Where there is no such encoder, or the weights or the strategy do not fit it.
    TrainingError
        Where the parent has another encoder, carries an adapter, or has a head of another size.
    """
    published = settings.recipe == "published"
    strategy = settings.strategy_with(weights is not None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        encoder = load_encoder(settings.encoder, weights)
        if published:
            tap_as_published(encoder)
        network: Network
        if settings.task == "cls":
            network = FrameClassifier(encoder)
        else:
            network = FrameSegmenter(encoder, decoder="published" if published else "ours")
        network.resize = "published" if published else "antialiased"
        if parent is not None:
            take_weights(network, parent)
        set_strategy(network, strategy, settings.lora)
        if published:
            hold_back_as_published(network)
    return network


def take_weights(network: Network, other: Network) -> None:
    """Start from another model, in place: its encoder and, of the same task, its head.

    Raises
    ------
    TrainingError
        Where its encoder is another one, or carries an adapter.
    """
    if other.encoder.spec.name != network.encoder.spec.name or other.lora is not None:
        raise TrainingError(
            f"the model to start from has the encoder {other.encoder.spec.name}"
            f"{' with LoRA' if other.lora else ''}, not a plain {network.encoder.spec.name}"
        )
    network.encoder.load_state_dict(other.encoder.state_dict())
    if other.task == network.task:
        try:
            network.head.load_state_dict(other.head.state_dict())
        except RuntimeError:
            raise TrainingError("the model to start from has a head of another size") from None
