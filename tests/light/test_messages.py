"""What the light installation leaves out says so in one line, with the command that brings it."""

import importlib.util
import sys

import pytest

from fetal_iqa_models.installation import LEFT_OUT
from fetal_iqa_training.cli import main as train
from napari_fetal_iqa.analysis import worker_process

ADVICE = "this light installation leaves out; python3 run.py demo, without --light, installs"


@pytest.mark.parametrize("package", LEFT_OUT.values())
def test_nothing_of_what_is_left_out_is_here(package):
    assert importlib.util.find_spec(package) is None


@pytest.mark.parametrize(
    "words",
    [
        "weights fetch fetalclip --accept-licence",
        "weights import fetalclip model.pt",
        "models import model.pt --task cls",
        "models zero-shot --show-prompts",
        "analyse sweep.mha --out results --device cuda",
    ],
)
def test_a_command_that_takes_more(run, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"model")
    code, _, said = run(*words.split())
    assert code == 1
    assert ADVICE in said
    assert said.startswith("napari-fetal-iqa: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        "fit --data data --task cls --encoder resnet-demo --out out",
        "evaluate --model demo-cls --data data",
        "calibrate --model demo-cls --data data --out out",
        "experiment table1 --data data --out out",
    ],
)
def test_a_training_command(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(sys, "argv", ["fetal-iqa-train", *words.split()])
    with pytest.raises(SystemExit, match="1"):
        train()
    said = capsys.readouterr().err
    assert ADVICE in said
    assert said.count("\n") == 1


def test_the_windows_own_process():
    service = worker_process._Service()
    answer = service.answer(worker_process.Load("demo-cls", "", "cuda"))
    assert isinstance(answer, worker_process.Failure)
    assert ADVICE in answer.message
    assert answer.details is None
