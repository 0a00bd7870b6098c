import csv
import json
import os
import signal
import subprocess
import sys
from importlib.metadata import entry_points
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from fetal_iqa_training import cli
from fetal_iqa_training.cli.app import app
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.acouslic import list_cases, write_case
from napari_fetal_iqa.sweep import SweepVolume

from ..conftest import disc_volume

FIT = ["--encoder", "fetalclip-tiny", "--epochs", "1", "--copies", "0", "--device", "cpu"]


@pytest.mark.parametrize("command", ["phantoms", "fit", "evaluate", "calibrate", "finetune"])
def test_help_of_each_command_shows_an_example(command):
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert f"Example: fetal-iqa-train {command}" in " ".join(shown.output.split())


def test_help_names_the_commands():
    shown = CliRunner().invoke(app, ["--help"])
    for command in ("phantoms", "fit", "evaluate", "calibrate", "finetune"):
        assert command in shown.output


@pytest.mark.slow
def test_help_is_quick_because_it_imports_no_torch():
    code = "import sys; import fetal_iqa_training.cli; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


@pytest.mark.once
def test_the_whole_way_by_commands(data, tmp_path, command):
    model, child = tmp_path / "seg", tmp_path / "child"
    code, out, err = command("fit", "--data", data, "--task", "seg", "--out", model, *FIT,
        "--json-progress", "--demo",
    )  # fmt: skip
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert {line["event"] for line in lines} == {
        "reading", "step", "validation", "evaluating", "done",
    }  # fmt: skip
    assert lines[-1]["model"] == str(model)
    assert lines[-1]["metrics"]["test"]["frames"] == 60

    metrics = tmp_path / "metrics.json"
    code, out, err = command("evaluate", "--model", model, "--data", data, "--json", metrics,
        "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    written = json.loads(metrics.read_text())
    assert set(written.pop("curve")) == {"threshold", "precision", "recall"}
    assert written == json.loads(out)
    assert written["hash"] == lines[-1]["hash"]
    assert written["demo"] is True
    assert err.splitlines()[0] == "Demo model: not for clinical use"
    assert "judged on the test part of its own split" in err

    frames, masks = disc_volume(77)
    sweep = SweepVolume(frames, (1.0, 1.0), name="empty")
    write_case(tmp_path / "empty", "empty", sweep, np.zeros_like(masks), [9.0] * 6, "nobody")
    code, out, err = command("evaluate", "--model", model, "--data", tmp_path / "empty",
        "--device", "cpu", "--figures", tmp_path / "figures",
    )  # fmt: skip
    assert code == 0, err
    found = json.loads(out)
    assert found["not_measurable"] == [
        "f1", "precision", "recall", "average_precision", "dice", "dice_pooled",
    ]  # fmt: skip
    assert not {"f1", "dice", "dice_pooled", "average_precision"} & set(found)
    assert found["accuracy"] == found["specificity"]
    assert "no frame shows an abdomen: f1, precision" in err
    (line,) = csv.DictReader((tmp_path / "figures" / "cases.csv").read_text().splitlines())
    assert (line["f1"], line["recall"], line["dice"]) == ("", "", "")

    case = list_cases(data)[0]
    sweep, masks = read_sweep(case.image_path), read_sweep(case.mask_path)
    with CorrectionStore(tmp_path / "review.sqlite") as store:
        store.add_sweep(sweep)
        for frame in range(3, 6):
            store.set_mask(sweep.identity, frame, masks.frames[frame] > 0, "AK")
    common = ("finetune", "--corrections", tmp_path / "review.sqlite", "--task", "seg", "--base",
        model, "--out", child, "--sweeps", data, "--epochs", 1, "--device", "cpu",
    )  # fmt: skip
    code, out, err = command(*common, "--reference", data, "--rehearse", data)
    assert code == 1
    assert "would be rehearsed, too, and cannot judge what they teach" in err
    code, out, err = command(*common, "--rehearse", data)
    assert code == 0, err
    assert f"{data}: 600 frames and copies rehearsed; of those with an abdomen all" in err
    card = json.loads((child / "model.json").read_text())
    assert card["training"]["command"].startswith("fetal-iqa-train finetune --corrections")
    assert card["training"]["settings"]["steps"] is None
    assert card["demo"]


def test_what_a_user_can_cause_is_one_line_and_exit_code_1(tmp_path, command):
    nowhere = tmp_path / "nowhere"
    code, out, err = command("fit", "--data", nowhere, "--task", "cls", "--out", tmp_path / "m",
        *FIT,
    )  # fmt: skip
    assert code == 1
    assert len(err.splitlines()) == 1
    assert err.startswith("Error: nowhere: expected an ACOUSLIC-AI data set")
    assert out == ""


def test_an_error_is_the_last_json_line_too(tmp_path, command):
    code, out, err = command("finetune", "--corrections", tmp_path / "none.sqlite", "--task",
        "cls", "--base", tmp_path / "base", "--out", tmp_path / "m", "--json-progress",
    )  # fmt: skip
    assert code == 1
    last = json.loads(out.splitlines()[-1])
    assert last["event"] == "error"
    assert err.strip() == f"Error: {last['message']}"


def test_a_disk_that_refuses_is_one_line(data, tmp_path, command):
    (tmp_path / "file").write_text("in the way")
    code, _, err = command("fit", "--data", data, "--task", "cls", "--out",
        tmp_path / "file" / "model", *FIT,
    )  # fmt: skip
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "file" in err


@pytest.mark.once
@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a signal")
def test_a_run_that_is_terminated_fails_with_one_line_and_writes_no_model(data, tmp_path):
    command = [
        sys.executable, "-m", "fetal_iqa_training", "fit", "--data", data, "--task", "cls",
        "--out", tmp_path / "model", *FIT[:2], "--epochs", "500", "--device", "cpu",
        "--json-progress",
    ]  # fmt: skip
    with subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if json.loads(line)["event"] == "step":
                break
        process.send_signal(signal.SIGTERM)
        lines, errors = process.stdout.read().splitlines(), process.stderr.read()
    assert process.returncode == 1
    assert json.loads(lines[-1])["event"] == "error"
    assert "stopped before the end" in errors.splitlines()[-1]
    assert not (tmp_path / "model").exists()


def test_repeated_runs_are_summarised_kept_and_not_mixed_with_others(
    data, tmp_path, monkeypatch, command
):
    repeat = [
        "fit", "--data", data, "--task", "cls", "--out", tmp_path / "runs", *FIT, "--strategy",
        "linear", "--from-scratch", "--test-share", "0.5", "--validation-share", "0.3",
        "--repeats", "2",
    ]  # fmt: skip
    code, out, err = command(*repeat)
    assert code == 0, err
    summary = json.loads(out)
    assert summary == json.loads((tmp_path / "runs" / "summary.json").read_text())
    runs = [
        json.loads((tmp_path / "runs" / f"seed-{seed}" / "model.json").read_text())
        for seed in (0, 1)
    ]
    accuracies = [run["metrics"]["test"]["accuracy"] for run in runs]
    assert summary["figures"]["accuracy"]["mean"] == pytest.approx(sum(accuracies) / 2, abs=1e-4)
    assert runs[0]["training_data"] == runs[1]["training_data"]

    again = Mock(side_effect=AssertionError("fitted again"))
    monkeypatch.setattr("fetal_iqa_training.fitting.fit.fit", again)
    assert command(*repeat)[1] == out
    code, _, err = command(*repeat, "--lr", "0.1")
    assert code == 1
    assert "seed-0: was fitted with other learning_rate" in err


@pytest.mark.slow
def test_a_run_that_was_killed_and_went_on_gives_the_weights_of_one_that_was_not(
    data, tmp_path, command
):
    def fit_to(out):
        return [
            "fit", "--data", str(data), "--task", "seg", "--out", str(tmp_path / out), *FIT,
            "--strategy", "lora", "--from-scratch", "--epochs", "2", "--batch-size", "16",
            "--lr", "2e-3", "--head-rate", "5", "--test-share", "0.5", "--validation-share",
            "0.3", "--json-progress",
        ]  # fmt: skip

    assert command(*fit_to("whole"))[0] == 0
    to_be_killed = [sys.executable, "-m", "fetal_iqa_training", *fit_to("cut")]
    with subprocess.Popen(to_be_killed, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            event = json.loads(line)
            if (event["event"], event["done"]) == ("step", 6):  # of 8 in two epochs
                process.kill()
                break
    assert process.returncode not in (0, 1)
    code, out, err = command(*fit_to("cut"))
    assert code == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    assert [e["done"] for e in events if e["event"] == "step"] == [5, 6, 7, 8]
    last = next(e for e in events if e["event"] == "validation")
    kept = json.loads((tmp_path / "cut" / "model.json").read_text())["metrics"]["validation"]
    assert kept["loss"] == round(last["loss"], 4)  # of the epoch that was gone on with
    whole, cut = (
        load_file(tmp_path / name / "adapter_model.safetensors") for name in ("whole", "cut")
    )
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "--task", "cls"],
        ["fit", "--data", "d", "--task", "neither", "--encoder", "e", "--out", "o"],
        ["fit", "--data", "d", "--task", "cls", "--encoder", "e", "--out", "o", "--lr", "-1"],
        ["phantoms", "d", "--cases", "0"],
        ["phantoms", "d", "--part", "val"],
        ["phantoms", "d", "--outlines", "o.csv"],
        ["finetune"],
        ["learn"],
    ],
)
def test_bad_usage_ends_with_exit_code_2(arguments, command):
    code, _, err = command(*arguments)
    assert code == 2
    assert "Traceback" not in err


def test_the_installed_command_and_the_module_are_one():
    (installed,) = entry_points(group="console_scripts", name="fetal-iqa-train")
    assert installed.load() is cli.main
    module = [sys.executable, "-m", "fetal_iqa_training", "--help"]
    ran = subprocess.run(module, capture_output=True, text=True, check=True)
    assert "finetune" in ran.stdout


def test_the_options_of_a_fit_lie_beside_the_model_and_make_it_again(data, tmp_path, command):
    model, again = tmp_path / "cls", tmp_path / "again"
    code, _, err = command("fit", "--data", data, "--task", "cls", "--out", model, *FIT,
        "--seed", "3",
    )  # fmt: skip
    assert code == 0, err
    config = tmp_path / "cls.config.json"
    options = json.loads(config.read_text())["options"]
    assert (options["seed"], options["data"]) == (3, str(data))
    assert not list(model.rglob("*config*"))
    assert str(data) not in (model / "model.json").read_text()
    code, _, err = command("fit", "--config", config, "--out", again)
    assert code == 0, err
    first, second = (load_file(m / "adapter.safetensors") if (m / "adapter.safetensors").exists()
        else load_file(next(m.glob("*.safetensors"))) for m in (model, again))  # fmt: skip
    assert all(torch.equal(first[name], second[name]) for name in first)
    code, _, err = command("finetune", "--config", config)
    assert code == 2
    assert "has the options of 'fit', not of 'finetune'" in " ".join(err.replace("│", "").split())


def test_several_processes_fit_one_model_at_a_time_of_batches_that_they_can_share(
    data, tmp_path, command
):
    fit = ("fit", "--data", data, "--task", "cls", "--out", tmp_path / "m", *FIT, "--devices", "2")
    code, _, err = command(*fit, "--repeats", "2")
    assert (code, "one model at a time" in err) == (2, True)
    code, _, err = command(*fit, "--batch-size", "5")
    assert (code, "cannot be shared by 2 processes" in err) == (1, True)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["full", "linear"])
def test_two_processes_fit_the_model_that_one_fits(data, tmp_path, strategy):
    # of cls: the decoder of seg has batch norms, which see a process's part of a batch on the CPU
    fit = [
        *(sys.executable, "-m", "fetal_iqa_training", "fit", "--data", str(data), "--task", "cls"),
        *("--strategy", strategy, "--batch-size", "24", *FIT, "--copies", "1"),
        *("--precision", "fp32"),
    ]
    for name, more in (("one", []), ("two", ["--devices", "2"])):
        whole = [*fit, *more, "--out", str(tmp_path / name)]
        ran = subprocess.run(whole, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert len(ran.stdout.splitlines()) == len(json.dumps(json.loads(ran.stdout), indent=2)
            .splitlines())  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {
        "one", "two", "logs", "one.config.json", "two.config.json",
    }  # fmt: skip
    one, two = (load_file(next((tmp_path / n).glob("*.safetensors"))) for n in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
    cards = [json.loads((tmp_path / n / "model.json").read_text()) for n in ("one", "two")]
    judged = [card["metrics"]["validation"]["loss"] for card in cards]
    assert judged[0] == pytest.approx(judged[1], abs=1e-3)
