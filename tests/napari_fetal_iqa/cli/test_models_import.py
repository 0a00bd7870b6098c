"""Importing a published checkpoint, as a person types it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fetal_iqa_models import ModelError, load_card, registry
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.storage import paths

from ...fetal_iqa_models.published_reference import tower


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """A CLS checkpoint without LoRA, of an encoder as FetalCLIP's is built, but tiny."""
    row = registry.encoder_spec("fetalclip-tiny")
    monkeypatch.setitem(registry._TABLE, "fetalclip-tiny", replace(row, licence="CC-BY-NC-4.0"))
    state = {f"encoder.{k}": v for k, v in tower(64, 4, 2, 56, 64).state_dict().items()}
    head = torch.nn.Linear(64, 1)
    state |= {f"classifier.{name}": value for name, value in head.state_dict().items()}
    path = tmp_path / "epoch=4.ckpt"
    torch.save({"state_dict": state, "epoch": 4, "optimizer_states": []}, path)
    return path


def test_a_checkpoint_becomes_a_model_that_is_listed_used_and_predicts(run, checkpoint, tmp_path):
    given = "models", "import", checkpoint, "--task", "cls", "--encoder", "fetalclip-tiny"
    code, out, err = run(*given)
    assert (code, err) == (0, "")
    first, kept, good, note, use = out.splitlines()
    assert first.endswith("fetalclip-tiny cls, imported from FetalCLIP-IQA): imported")
    (folder,) = paths.models().glob("cls-*")
    assert kept == f"Kept as {folder}"
    assert "somebody trained it on" in good
    assert good.endswith("licence CC-BY-NC-4.0")
    assert "its encoder is not among the pretrained weights here" in note
    assert load_card(folder).training["imported"]["file"] == "epoch=4.ckpt"
    assert "is here already" in run(*given)[1]
    assert not [path for path in paths.models().iterdir() if path.name.startswith(".")]

    identity = first.split()[0]
    assert use.endswith(f"models use {identity}")
    assert run("models", "use", identity)[0] == 0
    assert "imported:   epoch=4.ckpt of the published" in run("models", "show", identity)[1]
    frames = np.random.default_rng(0).integers(0, 256, (3, 60, 80), np.uint8)
    sweep = write_volume(tmp_path / "sweep.mha", frames, (0.5, 0.5))
    code, _, err = run("analyse", sweep, "--out", tmp_path / "out", "--seg", "demo-seg")
    assert code == 0, err
    assert len((tmp_path / "out" / "sweep" / "frames.csv").read_text().splitlines()) == 4


def test_it_goes_to_the_folder_that_was_asked_for(run, checkpoint, tmp_path):
    given = "models", "import", checkpoint, "--task", "cls", "--encoder", "fetalclip-tiny"
    code, out, _ = run(*given, "--out", tmp_path / "mine")
    assert code == 0
    assert load_card(tmp_path / "mine").resize == "published"
    assert out.splitlines()[-1].endswith(f"models use {tmp_path / 'mine'}")
    code, _, err = run(*given, "--out", tmp_path / "mine")
    assert code == 1
    assert "exists already" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (("--task", "seg"), 1, "too few for the published taps"),
        ((), 2, "--task"),
        (("--task", "click"), 2, "click"),
    ],
)
def test_what_cannot_be_is_told_and_leaves_nothing(run, checkpoint, given, code, message):
    found, _, err = run("models", "import", checkpoint, "--encoder", "fetalclip-tiny", *given)
    assert found == code
    assert message in err
    assert not paths.models().exists() or not any(paths.models().iterdir())


def test_a_checkpoint_of_another_size_is_one_line(run, checkpoint):
    code, _, err = run("models", "import", checkpoint, "--task", "cls")
    assert code == 1
    assert "epoch=4.ckpt: not a checkpoint of the published FetalCLIP-IQA code; missing:" in err
    assert err.count("\n") == 1


def test_values_that_float32_cannot_hold_are_refused_and_leave_nothing(run, checkpoint, tmp_path):
    held = torch.load(checkpoint)
    held["state_dict"]["classifier.weight"] = torch.full((1, 64), 1e300, dtype=torch.float64)
    torch.save(held, checkpoint)
    given = "models", "import", checkpoint, "--task", "cls", "--encoder", "fetalclip-tiny"
    for out in ((), ("--out", tmp_path / "mine")):
        code, _, err = run(*given, *out)
        assert code == 1
        assert "epoch=4.ckpt: classifier.weight holds values that are no numbers" in err
        assert err.count("\n") == 1
    assert not (tmp_path / "mine").exists()
    assert not paths.models().exists() or not any(paths.models().iterdir())


def test_a_model_that_does_not_load_leaves_no_folder(run, checkpoint, tmp_path, monkeypatch):
    def refuse(folder):
        raise ModelError(f"{folder}: broken")

    monkeypatch.setattr("napari_fetal_iqa.model_library.importing.load_whole", refuse)
    given = "models", "import", checkpoint, "--task", "cls", "--encoder", "fetalclip-tiny"
    code, _, err = run(*given, "--out", tmp_path / "mine")
    assert code == 1
    assert "epoch=4.ckpt: broken" in err
    assert not (tmp_path / "mine").exists()


def test_an_alpha_without_lora_is_one_line(run, checkpoint):
    given = "models", "import", checkpoint, "--task", "cls", "--encoder", "fetalclip-tiny"
    code, _, err = run(*given, "--alpha", "16")
    assert code == 1
    assert "epoch=4.ckpt: holds no LoRA" in err
    assert err.count("\n") == 1
