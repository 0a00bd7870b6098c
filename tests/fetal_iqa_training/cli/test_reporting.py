import json
import sys

import pytest

from fetal_iqa_training.cli.reporting import command_line, reporting
from fetal_iqa_training.progress import Progress


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("--task seg --lr 1e-3 --json-progress", "--task seg --lr 1e-3 --json-progress"),
        ("--corrections /scans/doe/c.sqlite --epochs 2", "--corrections CORRECTIONS --epochs 2"),
        ("--out=new/doe", "--out=OUT"),
        ("--data doe --base demo-seg", "--data DATA --base demo-seg"),
        (r"--data C:\scans\doe", "--data DATA"),
        ("--reviewer Doe --seed 1", "--reviewer REVIEWER --seed 1"),
        ("--reviewer=Doe", "--reviewer=REVIEWER"),
        ("doe", "PATH"),
    ],
)
def test_a_card_holds_the_command_without_places_and_people(given, shown, tmp_path, monkeypatch):
    (tmp_path / "doe").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fetal-iqa-train", "finetune", *given.split()])
    assert command_line() == f"fetal-iqa-train finetune {shown}"


def test_what_a_command_prints_is_one_json_document_or_json_lines(bases, data, tmp_path, command):
    """Whatever else there is to say goes to standard error."""
    fit = ["fit", "--data", data, "--task", "cls", "--encoder", "fetalclip-tiny", "--epochs", "1"]
    fit += ["--copies", "0", "--device", "cpu"]
    evaluate = ["evaluate", "--model", bases / "cls", "--data", data, "--device", "cpu"]
    calibrate = ["calibrate", *evaluate[1:], "--out", tmp_path / "calibrated", "--part", "all"]
    for words in (
        [*fit, "--out", tmp_path / "one"],
        [*fit, "--out", tmp_path / "two", "--repeats", "2"],
        evaluate,
        calibrate,
        ["prepare", "acouslic", data, "--json"],
    ):
        code, out, _ = command(*words)
        if code == 0:  # a temperature cannot always be found
            assert isinstance(json.loads(out), dict)
        else:
            assert (words[0], out) == ("calibrate", "")
    for words in ([*fit, "--out", tmp_path / "three"], evaluate):
        code, out, _ = command(*words, "--json-progress")
        assert code == 0
        assert all(json.loads(line)["event"] for line in out.splitlines())
        assert json.loads(out.splitlines()[-1])["event"] == "done"


def test_of_several_processes_the_first_alone_reports(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    with reporting(json_progress=True) as report:
        report(Progress("reading", 1, 2))
    assert capsys.readouterr().out == ""


def test_a_device_that_is_not_there_is_refused_before_anything_is_read(
    data, tmp_path, command, monkeypatch
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("fetal_iqa_training.fitting.fit.choose_data", None)
    code, out, err = command("fit", "--data", data, "--task", "cls", "--encoder", "fetalclip-tiny",
        "--out", tmp_path / "m", "--device", "cuda",
    )  # fmt: skip
    assert (code, out) == (1, "")
    assert "this machine has no cuda device" in err
    assert list(tmp_path.iterdir()) == []
