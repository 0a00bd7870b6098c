"""A LoRA that starts as another model's ended, in place of at random."""

from pathlib import Path

from fetal_iqa_models import load_model
from fetal_iqa_models.lora import adapter_state, load_adapter_state
from fetal_iqa_models.networks import Network
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.storage import paths


def take_adapter(network: Network, folder: Path, weights: Path | None = None) -> Network:
    """Start a network's adapter from that of another model, of either task, in place.

    Parameters
    ----------
    network : FrameClassifier or FrameSegmenter
        With an adapter.
    folder : Path
        Model folder.
    weights : Path, optional
        Pretrained weights of the encoder, where the folder does not hold it.

    Returns
    -------
    FrameClassifier or FrameSegmenter
        The other model.

    Raises
    ------
    ModelError
        Where the folder is no model, or was made with other pretrained weights.
    TrainingError
        Where either has no adapter, or the two do not fit.
    """
    if network.lora is None:
        raise TrainingError("there is no LoRA to start from another adapter; choose lora")
    other = load_model(folder, weights, paths.weights())
    if other.lora is None:
        raise TrainingError(f"{folder}: has no adapter to start from")
    shape = {"rank", "alpha", "targets"}
    if other.encoder.spec.name != network.encoder.spec.name or (
        other.lora.model_dump(include=shape) != network.lora.model_dump(include=shape)
    ):
        raise TrainingError(
            f"{folder}: has an adapter of rank {other.lora.rank} of {other.encoder.spec.name}, not "
            f"of rank {network.lora.rank} of {network.encoder.spec.name} with the same targets"
        )
    trains = {name for name, p in network.named_parameters() if p.requires_grad}
    copies = {key: value.clone() for key, value in adapter_state(other.encoder.trunk).items()}
    load_adapter_state(network.encoder.trunk, copies)
    for name, parameter in network.named_parameters():  # new tensors train as those before them
        parameter.requires_grad_(name in trains)
    return other
