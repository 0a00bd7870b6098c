"""A fit that somebody ends early: the best epoch so far becomes the model, and says so."""

import json
import os
import signal
import subprocess
import sys

import pytest
import torch

from fetal_iqa_models import load_card, load_model
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.fit import fit

from ..conftest import tiny_settings

FEW = {"test_share": 0.5, "validation_share": 0.3}
"""Leaves two subjects to train on: an epoch is four steps."""


def pressing(steps, events, times=1):
    """Report that presses Ctrl-C at these steps."""

    def report(event):
        events.append(event)
        if event.event == "step" and event.done in steps:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    return report


def test_ctrl_c_ends_a_fit_with_the_best_epoch_so_far(data, tmp_path, caplog):
    settings, events = tiny_settings("seg", epochs=50, learning_rate=3e-2, **FEW), []
    before = signal.getsignal(signal.SIGINT)
    card = fit(
        data, tmp_path / "m", settings, report=pressing({10}, events), stop_on_interrupt=True
    )
    assert signal.getsignal(signal.SIGINT) is before
    assert max(e.done for e in events if e.event == "step") == 10
    losses = [e.loss for e in events if e.event == "validation"]
    assert len(losses) == 3, "two epochs, and what there was of the third"
    assert card.metrics["validation"]["loss"] == pytest.approx(min(losses), abs=1e-4)
    assert card.training["stopped"] == {"steps": 10, "of": 200}
    assert "test" in card.metrics
    assert load_card(tmp_path / "m") == card
    assert not list(tmp_path.glob(".m*"))
    assert "the best epoch so far" in caplog.text


def test_ctrl_c_twice_ends_at_once_and_the_same_call_goes_on(data, tmp_path):
    settings, events = tiny_settings("cls", epochs=3, **FEW), []
    report = pressing({6}, events, times=2)
    with pytest.raises(TrainingError, match="no model was written"):
        fit(data, tmp_path / "m", settings, report=report, stop_on_interrupt=True)
    assert not (tmp_path / "m").exists()
    again = []
    card = fit(data, tmp_path / "m", settings, report=again.append, stop_on_interrupt=True)
    assert min(e.done for e in again if e.event == "step") == 5
    assert "stopped" not in card.training


def test_a_row_of_a_table_is_never_a_fit_that_was_stopped(data, tmp_path):
    settings = tiny_settings("cls", epochs=50, **FEW)
    with pytest.raises(TrainingError, match="no model was written"):
        fit(data, tmp_path / "m", settings, report=pressing({2}, []))
    assert not (tmp_path / "m").exists()


def test_a_stop_in_the_last_step_is_none(data, tmp_path):
    settings = tiny_settings("cls", epochs=1, **FEW)
    report = pressing({4}, [])
    card = fit(data, tmp_path / "m", settings, report=report, stop_on_interrupt=True)
    assert "stopped" not in card.training


def fit_words(data, out, *more):
    return [
        *("fit", "--data", data, "--task", "cls", "--encoder", "fetalclip-tiny", "--out", out),
        *("--from-scratch", "--device", "cpu", "--copies", "0", "--validation-share", "0.3"),
        *("--test-share", "0.5", *more),
    ]


def test_a_stop_file_ends_a_fit_and_a_stopped_model_is_no_repeated_run(data, tmp_path, command):
    (tmp_path / "stop").touch()
    stop = "--stop-file", tmp_path / "stop"
    out = tmp_path / "runs" / "seed-0"
    code, said, err = command(*fit_words(data, out, *stop))
    assert code == 0, err
    assert "stopped after 1 of 10 steps: the model is that of the best epoch so far" in err
    assert json.loads(said)["model"] == str(out)
    code, _, err = command(*fit_words(data, tmp_path / "runs", "--repeats", "2"))
    assert code == 1
    assert "seed-0: was stopped before its end" in err
    code, _, err = command(*fit_words(data, tmp_path / "n", "--repeats", "2", *stop))
    assert code == 2
    assert "--stop-file" in err


@pytest.mark.once
@pytest.mark.skipif(os.name == "nt", reason="Windows has no Ctrl-C for a group of processes")
def test_ctrl_c_in_a_terminal_reaches_the_workers_too_and_a_model_is_made(data, tmp_path):
    words = fit_words(data, tmp_path / "m", "--epochs", "500", "--workers", "1", "--json-progress")
    with subprocess.Popen(
        [sys.executable, "-m", "fetal_iqa_training", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        for line in process.stdout:
            if json.loads(line)["event"] == "step":
                break
        os.killpg(process.pid, signal.SIGINT)
        lines, errors = process.stdout.read().splitlines(), process.stderr.read()
    assert process.returncode == 0, errors
    assert json.loads(lines[-1])["event"] == "done"
    assert "Ctrl-C again ends at once" in errors
    assert load_card(tmp_path / "m").training["stopped"]["of"] == 1000


def test_a_fit_that_was_stopped_and_then_cut_off_gives_the_weights_of_one_that_was_neither(
    data, tmp_path
):
    """What the stop leaves behind is of a part of an epoch: nothing to go on with."""
    settings, losses = tiny_settings("seg", epochs=3, **FEW), []
    fit(data, tmp_path / "whole", settings)

    def cut(event):
        pressing({6}, [])(event)
        losses.extend([event.loss] if event.event == "validation" else [])
        if event.event == "evaluating":
            raise TrainingError("cut off")

    with pytest.raises(TrainingError, match="cut off"):
        fit(data, tmp_path / "m", settings, report=cut, stop_on_interrupt=True)
    assert losses[1] < losses[0], "the part of an epoch was the best so far"
    again = []
    card = fit(data, tmp_path / "m", settings, report=again.append)
    assert min(e.done for e in again if e.event == "step") == 5
    assert "stopped" not in card.training
    whole, gone_on = (load_model(tmp_path / name).state_dict() for name in ("whole", "m"))
    assert all(torch.equal(whole[name], gone_on[name]) for name in whole)
