"""SonoNet16 with its own classifier, as it is shipped: a CLS model like any other."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fetal_iqa_models import (
    WeightsStore,
    load_card,
    load_encoder,
    load_model,
    preprocess,
    resolve_model,
    set_strategy,
)
from fetal_iqa_models.cards import HEAD_FILE
from fetal_iqa_models.making.sononet_planes import make_sononet_cls
from fetal_iqa_models.sononet import PLANES


@pytest.fixture(scope="module")
def model():
    return load_model("sononet-cls")


def test_what_is_shipped_is_what_its_command_makes(tmp_path: Path):
    again, shipped = make_sononet_cls(tmp_path / "again"), resolve_model("sononet-cls")
    assert (again / HEAD_FILE).read_bytes() == (shipped / HEAD_FILE).read_bytes()
    card = load_card("sononet-cls")
    assert card == load_card(again)
    assert not card.demo
    assert card.licence == "Apache-2.0"
    assert [one.name for one in card.classes] == list(PLANES)
    assert [one.name for one in card.classes if one.target] == ["Abdominal"]


def test_its_planes_are_the_published_networks_own(model):
    (stored,) = WeightsStore("nowhere").entries("sononet16")
    published = load_encoder("sononet16", stored.path).trunk
    frames = np.random.default_rng(2).integers(0, 256, (3, 90, 120)).astype(np.uint8)
    frames[1, :, :50] //= 5
    frames[2] = 0
    spec = model.encoder.spec
    images = preprocess(frames, spec.image_size, spec.mean, spec.std)
    with torch.no_grad():
        expected = published.plane_probabilities(images)
        scores = model.scores(images)
        quality = model(images).sigmoid()[:, 0]
    assert torch.allclose(scores.softmax(1), expected, atol=1e-5)
    assert torch.allclose(quality, expected[:, PLANES.index("Abdominal")], atol=1e-5)
    assert model.encoder(images).shape == (3, 64)


def test_it_is_fine_tuned_like_any_other(model):
    set_strategy(model, "lora")
    model.eval()
    model(torch.rand(2, 3, 288, 288) * 2 - 1).sum().backward()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert (
        len(trained) == 2 * 14 + 2
    )  # of every convolution but the published last, which is the head
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
