"""Where losses are noted: of every run, and a run at a time."""

import importlib.machinery

import pytest

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting import loggers
from fetal_iqa_training.fitting.loggers import (
    EpochLosses,
    Logs,
    check_loggers,
    close_loggers,
    read_losses,
)


def note_an_epoch(logs: Logs, loss: float) -> None:
    made = logs.loggers()
    for logger in made:
        logger.log_metrics({"epoch": 0, "val_loss": loss}, step=1)
        logger.save()
        logger.finalize("success")
    close_loggers(made)


def test_a_run_that_was_cut_off_in_its_first_epoch_keeps_what_it_notes_later(tmp_path):
    logs = Logs(tmp_path / "logs", "run")
    (tmp_path / "logs" / "run").mkdir(parents=True)  # Lightning makes it before the first epoch
    note_an_epoch(logs, 0.5)
    assert read_losses(logs) == [EpochLosses(0, None, 0.5)]


def test_of_an_epoch_made_twice_the_later_counts(tmp_path):
    logs = Logs(tmp_path / "logs", "run")
    note_an_epoch(logs, 0.5)
    note_an_epoch(logs, 0.25)
    assert read_losses(logs) == [EpochLosses(0, None, 0.25)]


def lacking(*missing):
    """What ``find_spec`` says where packages are missing and all others there."""
    return lambda name: (
        None if name in missing else importlib.machinery.ModuleSpec(name, loader=None)
    )


def test_mlflow_without_its_database_is_refused_unless_a_server_keeps_the_runs(monkeypatch):
    monkeypatch.setattr(loggers, "find_spec", lacking("sqlalchemy"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(TrainingError, match="--logger mlflow needs the package mlflow"):
        check_loggers(("mlflow",))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    check_loggers(("mlflow",))


@pytest.mark.parametrize("run", ["seed-0", "tensorboard"])
def test_tensorboard_notes_two_runs_as_two(tmp_path, run):
    pytest.importorskip("tensorboard")
    for name in (run, "other"):
        note_an_epoch(Logs(tmp_path / "logs", name, ("tensorboard",)), 0.5)
    there = {path.parent.name for path in (tmp_path / "logs").rglob("events.*")}
    assert there == {run, "other"}
    assert read_losses(Logs(tmp_path / "logs", run)) == [EpochLosses(0, None, 0.5)]


def test_mlflow_notes_two_runs_as_two(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    for name, loss in (("one", 0.5), ("two", 0.25)):
        note_an_epoch(Logs(tmp_path / "logs", name, ("mlflow",)), loss)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'logs' / 'trackers' / 'mlflow.db'}")
    (experiment,) = (one for one in client.search_experiments() if one.name == tmp_path.name)
    found = client.search_runs([experiment.experiment_id])
    assert {one.info.run_name: one.data.metrics["val_loss"] for one in found} == {
        "one": 0.5,
        "two": 0.25,
    }


def test_weights_and_biases_notes_two_runs_as_two(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("one", "wandb"):
        note_an_epoch(Logs(tmp_path / "logs", name, ("wandb",)), 0.5)
    runs = list((tmp_path / "logs" / "trackers" / "wandb").glob("offline-run-*"))
    assert len(runs) == 2
    assert read_losses(Logs(tmp_path / "logs", "wandb")) == [EpochLosses(0, None, 0.5)]


def test_weights_and_biases_without_an_account_is_refused_before_anything_is_computed(
    tmp_path, monkeypatch
):
    wandb = pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_MODE", "online")
    wandb.teardown()  # it remembers the mode of an earlier run
    with pytest.raises(TrainingError, match="set WANDB_MODE=offline"):
        check_loggers(("wandb",))
