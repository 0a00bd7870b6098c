import pytest

from fetal_iqa_models import ModelError
from fetal_iqa_models.weights.store import WeightsStore
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.pretrained import find_pretrained


def test_an_encoder_without_published_weights_starts_at_random(tmp_path):
    assert find_pretrained("swin-demo", tmp_path) is None


def test_published_weights_that_are_not_here_are_requested(tmp_path):
    with pytest.raises(TrainingError, match=r"weights fetch vit_s.*--from-scratch"):
        find_pretrained("vit_s", tmp_path)


def test_weights_of_the_store_are_found(tmp_path, monkeypatch):
    class Stored:
        path = tmp_path / "vit_s-0123.safetensors"

    monkeypatch.setattr(WeightsStore, "entries", lambda self, encoder: [Stored])
    assert find_pretrained("vit_s", tmp_path) == Stored.path


def test_an_unknown_encoder_is_named(tmp_path):
    with pytest.raises(ModelError, match="'vit_x'"):
        find_pretrained("vit_x", tmp_path)
