"""The experiments' command, at the smallest cost there is."""

import json
import sys
from dataclasses import dataclass

import pytest

from fetal_iqa_training import cli


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def lines(self):
        """Of JSON progress."""
        return [json.loads(line) for line in self.out.splitlines()]


TRIAL = (
    "--encoder", "fetalclip-tiny", "--epochs", "1", "--copies", "0", "--device", "cpu",
    "--test-share", "0.3", "--validation-share", "0.3",
)  # fmt: skip


@pytest.fixture
def experiment(data, tmp_path, monkeypatch, capsys):
    """Run an experiment as a trial in this process, with results in ``tmp_path / "out"``."""

    def run(name, *options, trial=TRIAL):
        place = [] if "--config" in options and not trial else ["--data", data]
        place += ["--out", tmp_path / "out"]
        arguments = [*place, *trial, *options]
        monkeypatch.setattr(sys, "argv", ["fetal-iqa-train", "experiment", name])
        sys.argv += map(str, arguments)
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capsys.readouterr()
        return Ran(end.value.code or 0, captured.out, captured.err)

    return run
