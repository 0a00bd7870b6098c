"""A head over classes: a softmax in the clothes of one logit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

from fetal_iqa_models import (
    FrameClassifier,
    FramePredictor,
    ModelCard,
    ModelError,
    load_card,
    load_encoder,
    load_model,
    preprocess,
    save_model,
    set_strategy,
)
from fetal_iqa_models.class_head import ClassHead
from fetal_iqa_models.classes import FrameClass, prompts_hash

CLASSES = tuple(
    FrameClass(name=name, target=name.startswith("abdomen"))
    for name in ("head", "abdomen, high", "abdomen, low", "nothing")
)
WORDS = tuple(one.model_copy(update={"prompts": (f"a {one.name}",)}) for one in CLASSES)


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    return FrameClassifier(load_encoder("fetalclip-tiny"), CLASSES).eval()


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (5, 40, 60), np.uint8)


def card_of(network, **changes):
    return ModelCard(
        **{
            "name": "planes",
            "task": "cls",
            "encoder": "fetalclip-tiny",
            "encoder_weights": "own",
            "image_size": 56,
            "classes": network.classes,
            **changes,
        }
    )


@pytest.mark.parametrize("classes", [CLASSES, WORDS])
def test_the_quality_is_what_a_softmax_gives_the_targets_together(classes):
    torch.manual_seed(1)
    head = ClassHead(16, classes)
    embeddings = 30 * torch.randn(200, 16)
    with torch.no_grad():
        scores = head.class_scores(embeddings).double().numpy()
        quality = head(embeddings).sigmoid()[:, 0].numpy()
    assert quality == pytest.approx(softmax(scores, axis=1)[:, 1:3].sum(1), abs=1e-5)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(head(embeddings), head(embeddings.clone()))
        assert head(embeddings)[:, 0].sigmoid().numpy() == pytest.approx(quality, abs=1e-6)


def test_with_prompts_only_the_direction_of_an_embedding_counts():
    for classes, same in ((WORDS, True), (CLASSES, False)):
        head = ClassHead(16, classes)
        embeddings = torch.randn(8, 16)
        with torch.no_grad():
            assert torch.allclose(head(embeddings), head(5 * embeddings), atol=1e-5) is same
        assert (head.bias is None) is same


def test_the_predictor_names_the_most_probable_class(classifier, frames, tmp_path):
    save_model(classifier, tmp_path / "model", card_of(classifier, temperature=2.0))
    model = load_model(tmp_path / "model")
    assert model.classes == model.card.classes == CLASSES
    (batch,) = FramePredictor(model, device="cpu", batch_size=8).predict(frames)
    with torch.no_grad():
        scores = classifier.scores(preprocess(frames, 56)).numpy()
    assert batch.plane.tolist() == scores.argmax(1).tolist()
    logit = np.log(np.exp(scores[:, 1:3]).sum(1) / np.exp(scores[:, [0, 3]]).sum(1))
    assert batch.logits == pytest.approx(logit, abs=1e-4)
    assert batch.quality == pytest.approx(1 / (1 + np.exp(-logit / 2)), abs=1e-5)
    (plain,) = FramePredictor(load_model("demo-cls"), device="cpu").predict(frames)
    assert plain.plane is None


def test_all_that_is_to_be_trained_gets_a_gradient(classifier):
    network = FrameClassifier(load_encoder("fetalclip-tiny"), CLASSES)
    set_strategy(network, "lora")
    network.train()
    network(torch.randn(2, 3, 56, 56)).sum().backward()
    trained = {name: p.grad for name, p in network.named_parameters() if p.requires_grad}
    assert {"head.weight", "head.bias"} < trained.keys()
    assert all(grad is not None for grad in trained.values())


def test_a_card_with_other_classes_than_the_network_is_refused(classifier, tmp_path):
    other = (CLASSES[1], CLASSES[0], *CLASSES[2:])
    for classes in (None, other):
        with pytest.raises(ModelError, match="other classes than the network"):
            save_model(classifier, tmp_path / "model", card_of(classifier, classes=classes))
    plain = FrameClassifier(load_encoder("fetalclip-tiny"))
    with pytest.raises(ModelError, match="other classes than the network"):
        save_model(plain, tmp_path / "model", card_of(plain, classes=CLASSES))


ONE, TWO = {"name": "abdomen", "target": True}, {"name": "none"}


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ([ONE], "at least 2"),
        ([ONE, {**TWO, "name": "abdomen"}], "two classes have one name"),
        ([ONE, {**TWO, "target": True}], "one class or more that is none"),
        ([TWO, {**TWO, "name": "more"}], "one target or more"),
        ([{**ONE, "prompts": ["a"]}, TWO], "others have none"),
        ([ONE, TWO, *({"name": str(n)} for n in range(63))], "at most 64"),
        ([{**ONE, "prompts": ["a"] * 65}, TWO], "at most 64"),
        ([{**ONE, "prompts": ["a" * 501]}, TWO], "at most 500"),
        ([{**ONE, "name": "a\x1b[2Jb"}, TWO], "one line of text"),
        ([{**ONE, "name": "a" * 101}, TWO], "at most 100"),
        ([{**ONE, "colour": 1}, TWO], "Extra inputs"),
        ("abdomen", "valid array"),
    ],
)
def test_classes_that_are_none_are_refused_in_one_line(
    classifier, tmp_path: Path, classes: Any, said: str
):
    card = json.loads(card_of(classifier).model_dump_json()) | {"classes": classes}
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=said) as caught:
        load_card(tmp_path)
    assert "\n" not in str(caught.value)


def test_prompts_that_were_edited_are_not_taken_for_those_of_the_head(classifier, tmp_path):
    whole = card_of(classifier, classes=WORDS, prompts_sha256=prompts_hash(WORDS))
    edited = json.loads(whole.model_dump_json())
    (tmp_path / "model.json").write_text(json.dumps(edited))
    assert load_card(tmp_path).classes == WORDS
    edited["classes"][0]["prompts"].append("another")
    (tmp_path / "model.json").write_text(json.dumps(edited))
    with pytest.raises(ModelError, match=r"prompts were edited .*models zero-shot --prompts"):
        load_card(tmp_path)


def test_only_a_classifier_has_classes_and_old_cards_have_none(classifier, tmp_path):
    card = json.loads(card_of(classifier).model_dump_json())
    (tmp_path / "model.json").write_text(json.dumps(card | {"task": "seg"}))
    with pytest.raises(ModelError, match="classes of a seg model"):
        load_card(tmp_path)
    for field in ("classes", "prompts_sha256"):
        del card[field]
    (tmp_path / "model.json").write_text(json.dumps(card))
    assert load_card(tmp_path).classes is None
