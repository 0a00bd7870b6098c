"""What a fit begins with beside its settings: two fits of one basis and settings are the same."""

from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_models import ModelCard, model_hash, weights_record
from fetal_iqa_training.data.fit_data import choose_data
from fetal_iqa_training.settings import FitSettings
from napari_fetal_iqa.storage import paths


def basis(
    data: Path,
    settings: FitSettings,
    weights: Path | None = None,
    start_from: Path | None = None,
    split: Path | None = None,
    prepared: Path | None = None,
) -> dict[str, JsonValue]:
    """Return what a fit begins with beside its settings, to compare with :func:`basis_of` a model.

    Reads all frames, unless they were built ahead.

    Returns
    -------
    dict
        The :meth:`~fetal_iqa_training.data.fit_data.FitData.identity` of the data, and hashes of
        the pretrained ``"weights"`` and of the ``"start_from"`` model; None where there is none.
    """
    chosen = choose_data(data, settings, split, prepared)
    return {
        **chosen.identity(),
        "weights": weights_sha256(weights),
        "start_from": None if start_from is None else model_hash(start_from),
    }


def basis_of(card: ModelCard) -> dict[str, JsonValue]:
    """Return what the fit of a model began with, as :func:`basis` does."""
    noted = ("split", "weights", "validation_data", "test_data", "copies_seed")
    return {
        "data": card.training_data,
        "start_from": card.parent,
        **{name: card.training.get(name) for name in noted},
    }


def resume_note(
    data: Path,
    settings: FitSettings,
    weights: Path | None,
    start_from: Path | None,
    split: str | None,
) -> str:
    """Describe what checkpoints come from; only the very same training may go on with them."""
    begun_from = None if start_from is None else model_hash(start_from)
    begun_with = f"{data.resolve()}\n{split}\n{weights_sha256(weights)}\n{begun_from}\n"
    return f"{begun_with}{settings.model_dump_json()}\n"


def weights_sha256(weights: Path | None) -> str | None:
    """Return the hash of an encoder's pretrained weights; None where it starts at random."""
    return None if weights is None else weights_record(weights, paths.weights()).sha256
