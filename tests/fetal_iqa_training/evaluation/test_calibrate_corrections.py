"""The temperature by what experts said of frames, for models that learnt from none of them."""

import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from fetal_iqa_models import (
    FrameClassifier,
    ModelCard,
    load_card,
    load_encoder,
    load_model,
    model_hash,
    preprocess,
    save_model,
)
from fetal_iqa_models.classes import FrameClass
from fetal_iqa_training.data.hold_out import is_held_out
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.calibrate_corrections import calibrate_on_corrections
from fetal_iqa_training.evaluation.calibration import fit_temperature
from napari_fetal_iqa.sweep import SweepVolume

from ..conftest import correct, disc_volume

CLASSES = tuple(FrameClass(name=name, target=name == "abdomen") for name in ("abdomen", "head"))
SURER = 6.0


@pytest.fixture
def unsure(bases, tmp_path):
    """A classifier of two classes that tells discs apart, and is far too sure; taught by nobody."""
    fitted = load_model(bases / "cls")
    model = FrameClassifier(load_encoder("fetalclip-tiny"), CLASSES)
    model.encoder = fitted.encoder
    weight, bias = fitted.head.weight.data, fitted.head.bias.data
    halves = torch.tensor([SURER / 2, -SURER / 2])
    model.head.weight.data = halves[:, None] * weight
    model.head.bias.data = halves * bias
    card = ModelCard(
        name="discs",
        task="cls",
        encoder="fetalclip-tiny",
        encoder_weights="own",
        image_size=56,
        classes=CLASSES,
        quality_threshold=0.6,
        lora=fitted.lora,
    )
    save_model(model, tmp_path / "unsure", card)
    return tmp_path / "unsure"


def reviewed(tmp_path, seed, name, wrong=5):
    """A corrected sweep; the expert calls one frame in some what it is not, of both kinds."""
    frames, masks = disc_volume(seed)
    for number in range(0, len(masks), wrong):
        shown = masks[number].any()
        masks[number] = 0
        masks[number, 10:30, 10:30] = not shown
    return correct(tmp_path, frames, masks, range(len(frames)), name), frames, masks


def test_the_temperature_is_that_of_the_corrected_frames(unsure, tmp_path):
    store, frames, masks = reviewed(tmp_path, 51, "training")
    held = next(
        seed
        for seed in range(60, 200)
        if is_held_out(SweepVolume(disc_volume(seed)[0], (1.0, 1.0)).identity)
    )
    reviewed(tmp_path, held, "held", wrong=2)  # held out: it would give another temperature
    out = tmp_path / "calibrated"
    card = calibrate_on_corrections(unsure, [store], out, device="cpu", command="as shown")
    logits = load_model(unsure)(preprocess(frames, 56)).detach().numpy()[:, 0]
    positive = masks.any(axis=(1, 2))
    assert card.temperature == pytest.approx(fit_temperature(logits, positive), rel=0.02)
    assert abs(np.log(card.temperature)) > 0.1
    assert card == load_card(out)
    assert card.classes == CLASSES
    assert card.parent == model_hash(unsure)
    assert card.training["calibrated_on"]["what"].startswith("corrected frames of 1 sweeps")
    assert logit(card.quality_threshold) * card.temperature == pytest.approx(logit(0.6))
    before = expit(logits) > 0.6
    assert (expit(logits / card.temperature) > card.quality_threshold).tolist() == before.tolist()


def test_what_taught_the_model_does_not_calibrate_it(bases, tmp_path, command):
    store, frames, _ = reviewed(tmp_path, 51, "training")
    card = load_card(bases / "cls")
    identity = SweepVolume(frames, (1.0, 1.0)).identity
    model = load_model(bases / "cls")
    taught = card.lineage("0" * 64).having([("sweep", identity)])
    save_model(model, tmp_path / "taught", card.model_copy(update={"taught": taught}))
    with pytest.raises(TrainingError, match="all corrected frames taught the model"):
        calibrate_on_corrections(tmp_path / "taught", [store], tmp_path / "out", device="cpu")
    arguments = ["calibrate", "--model", bases / "cls", "--out", tmp_path / "out"]
    for more in ([], ["--data", tmp_path, "--corrections", store]):
        code, _, err = command(*arguments, *more)
        assert code == 2
        assert "give either --data or --corrections" in err
    code, _, err = command(*arguments, "--corrections", store, "--device", "cpu")
    assert (code, load_card(tmp_path / "out").task) == (0, "cls"), err
