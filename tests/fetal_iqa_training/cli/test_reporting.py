import sys

import pytest

from fetal_iqa_training.cli.reporting import command_line


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
