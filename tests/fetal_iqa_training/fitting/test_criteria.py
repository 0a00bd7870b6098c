"""Six criteria learnt from what reviewers judged: told on subjects that did not teach them."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from fetal_iqa_models import load_model
from fetal_iqa_training.cli.app import app
from fetal_iqa_training.data.judged_frames import JudgedFrames, majority, read_judged
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.criteria import CARD, ENCODER, learn_criteria, load_criteria
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.phantom import PhantomSettings
from napari_fetal_iqa.phantom.simulation import Simulation

STOMACH = Criterion.STOMACH


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory):
    """Sweeps of which a reviewer judged the stomach, a black hole in every other frame."""
    folder = tmp_path_factory.mktemp("judged")
    (folder / "sweeps").mkdir()
    with CorrectionStore(folder / "store.sqlite") as store:
        for seed in range(5):
            random = np.random.default_rng(seed)
            frames = random.integers(80, 160, (10, 64, 80), dtype=np.uint8)
            for frame in range(0, 10, 2):
                row, column = random.integers(10, 30, 2)
                frames[frame, row : row + 20, column : column + 20] = 0
            path = folder / "sweeps" / f"{seed}.mha"
            write_volume(path, frames, (1.0, 1.0))
            sweep = read_sweep(path)
            store.add_sweep(sweep)
            for frame in range(10):
                store.judge(sweep.identity, frame, STOMACH, frame % 2 == 0, "AK")
    return folder


def test_what_reviewers_judged_is_told_on_another_subject(reviewed, tmp_path, monkeypatch):
    monkeypatch.setattr("fetal_iqa_training.fitting.criteria._EPOCHS", 5)
    out = tmp_path / "head"
    options = ["--model", "demo-cls", "--out", out, "--corrections", reviewed / "store.sqlite"]
    options += ["--sweeps", reviewed / "sweeps", "--device", "cpu"]
    ran = CliRunner().invoke(app, ["criteria", *map(str, options)])
    assert ran.exit_code == 0, ran.output
    card = json.loads((out / CARD).read_text())
    assert card["task"] == "criteria"
    results = {one["criterion"]: one for one in card["criteria"]}
    assert results[STOMACH]["taught"] == 40
    assert results[STOMACH]["judged"] == 10
    assert results[STOMACH]["auc"] > 0.9
    assert results[Criterion.SYMMETRICAL]["taught"] == 0  # nobody judged it
    assert results[Criterion.SYMMETRICAL]["accuracy"] is None
    assert "stomach bubble visible" in ran.output.lower()

    judge = load_criteria(out, "cpu")  # with the encoder that was taught
    frames = np.asarray(read_sweep(reviewed / "sweeps" / "0.mha").frames[:])
    chances = judge.probabilities(frames)
    assert chances.shape == (10, len(Criterion))
    stomach = chances[:, list(Criterion).index(STOMACH)]
    assert stomach[::2].min() > stomach[1::2].max()
    again = CliRunner().invoke(app, ["criteria", *map(str, options)])
    assert again.exit_code != 0  # nothing is overwritten
    (out / ENCODER).unlink()
    with pytest.raises(TrainingError, match=ENCODER):
        load_criteria(out, "cpu")


def test_a_large_encoder_stays_as_it_is(monkeypatch):
    monkeypatch.setattr("fetal_iqa_training.fitting.criteria._LEARNS_WHOLE", 0)
    model = load_model("demo-cls", None, None)
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    frames = np.zeros((4, 64, 80), np.uint8)
    frames[::2] = 200
    met = np.full((4, len(Criterion)), np.nan, np.float32)
    met[:, 1] = [1, 0, 1, 0]
    sweeps = [JudgedFrames(subject, frames, met) for subject in "abc"]
    judge, results = learn_criteria(sweeps, model, device="cpu")
    assert results[1].auc == 1
    after = judge.model.encoder.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_phantom_knows_what_is_drawn_in_it():
    settings = PhantomSettings.small()
    simulation = Simulation(settings, 3)
    said = [simulation.criteria(index) for index in range(settings.n_frames)]
    labels = [simulation.render(index).label for index in range(settings.n_frames)]
    for verdicts, label in zip(said, labels, strict=True):
        assert bool(verdicts) == (label > 0)
        if label == 1:  # the standard plane has all that is asked for
            assert all(verdicts.values())
        elif label == 2:  # and another lacks something
            assert not all(verdicts.values())


def test_most_reviewers_decide_and_a_draw_says_nothing():
    sinus = Criterion.PORTAL_SINUS
    said = [{3: {STOMACH: True, sinus: True}}, {3: {STOMACH: True, sinus: False}}, {4: {}}]
    assert majority(said) == {3: {STOMACH: True}}


def test_without_judged_frames_or_another_subject_nothing_is_learnt(tmp_path):
    with CorrectionStore(tmp_path / "empty.sqlite"):
        pass
    with pytest.raises(TrainingError, match="judge some in the window"):
        read_judged([tmp_path / "empty.sqlite"])
    with pytest.raises(TrainingError, match="no corrections store"):
        read_judged([tmp_path / "none.sqlite"])
    one = JudgedFrames("a", np.zeros((2, 64, 80), np.uint8), np.ones((2, 6), np.float32))
    with pytest.raises(TrainingError, match="all of one subject"):
        learn_criteria([one, one], load_model("demo-cls", None, None), device="cpu")
