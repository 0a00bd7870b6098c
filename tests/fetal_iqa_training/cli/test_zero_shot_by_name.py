"""``zero-shot`` where the training's commands take a model; made by the first of them."""

import json

import numpy as np
import open_clip
import pytest
import torch
from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from fetal_iqa_models import (
    FramePredictor,
    WeightsStore,
    import_weights,
    load_card,
    load_model,
    model_hash,
)
from napari_fetal_iqa.model_library import zero_shot
from napari_fetal_iqa.storage import paths

from ..conftest import correct, disc_volume


@pytest.fixture
def _fetched(monkeypatch, tmp_path):
    """Small random weights in FetalCLIP's layout."""
    monkeypatch.setattr(zero_shot, "ENCODER", "fetalclip-tiny")
    torch.manual_seed(4)
    vision = CLIPVisionCfg(layers=4, width=64, head_width=32, patch_size=14, image_size=56)
    text = CLIPTextCfg(context_length=117, width=64, heads=1, layers=1)
    clip = open_clip.CLIP(embed_dim=64, vision_cfg=vision, text_cfg=text)
    torch.save(clip.state_dict(), tmp_path / "weights.pt")
    import_weights("fetalclip-tiny", tmp_path / "weights.pt", WeightsStore(paths.weights()))


@pytest.mark.usefixtures("_fetched")
def test_it_is_judged_and_a_base_to_go_on_from(command, data, corrected, tmp_path):
    code, _, err = command("evaluate", "--model", "zero-shot", "--data", data, "--device", "cpu",
                           "--json", tmp_path / "figures.json")  # fmt: skip
    assert code == 0, err
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["hash"] == model_hash(zero_shot.folder())
    assert {"f1", "average_precision", "ece"} <= figures.keys()
    code, _, err = command("finetune", "--base", "zero-shot", "--corrections", corrected[0],
                           "--task", "cls", "--out", tmp_path / "out", "--dry-run")  # fmt: skip
    assert code == 0, err


@pytest.mark.usefixtures("_fetched")
def test_it_is_calibrated_by_what_the_expert_says(command, tmp_path):
    frames, masks = disc_volume(51)
    network = load_model(zero_shot.made("zero-shot"), weights_folder=paths.weights())
    found = FramePredictor(network, device="cpu").predict(frames[:12])
    # of twelve frames it is right in nine, so that some temperature is the best
    shown = (np.concatenate([batch.logits for batch in found]) > 0) ^ (np.arange(12) % 4 == 0)
    store = correct(tmp_path, frames, shown[:, None, None] * masks[3], range(12))
    code, _, err = command("calibrate", "--model", "zero-shot", "--corrections", store,
                           "--device", "cpu", "--out", tmp_path / "calibrated")  # fmt: skip
    assert code == 0, err
    before, after = (load_card(folder) for folder in (zero_shot.folder(), tmp_path / "calibrated"))
    assert before.temperature == 1
    assert after.temperature != 1
    assert after.classes == before.classes  # and so the planes and the prompts


def test_without_its_weights_each_command_says_what_to_fetch(command, data, corrected, tmp_path):
    more = ("--corrections", corrected[0], "--out", tmp_path / "out")
    for arguments in (
        ("evaluate", "--model", "zero-shot", "--data", data),
        ("calibrate", "--model", "zero-shot", *more),
        ("finetune", "--base", "zero-shot", "--task", "cls", *more),
    ):
        code, _, err = command(*arguments)
        assert code == 1
        assert "weights fetch fetalclip" in err.splitlines()[-1]
