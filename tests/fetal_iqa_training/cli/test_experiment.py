"""The command ``fetal-iqa-train experiment`` at the smallest cost there is."""

import csv
import json
import subprocess
import sys
from unittest.mock import Mock

import pytest
from PIL import Image
from typer.testing import CliRunner

from fetal_iqa_training.cli.app import app
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.embeddings import run as embedding
from fetal_iqa_training.experiments.tables import runner
from fetal_iqa_training.experiments.tables.locks import lock_of
from fetal_iqa_training.fitting import loggers

from .conftest import TRIAL

EXPERIMENTS = (
    "table1", "table2", "table3", "table4", "strategies", "segmentation", "encoders", "rank",
    "initialisation", "embeddings", "figure3", "threshold", "sweeps",
)  # fmt: skip
TWO_ROWS = ("--rows", "densenet121", "--rows", "fetalclip")


def read(path):
    return list(csv.DictReader(path.open()))


def is_drawn(path):
    """Return whether a picture shows more than one colour."""
    return len(Image.open(path).convert("RGB").getcolors(1 << 24)) > 10


def runs_of(row):
    """Return the folder of a row's runs, as often as it has one."""
    return [run["model"].split("/")[0] for run in row["runs"]]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_explains_itself_with_an_example(name):
    shown = CliRunner().invoke(app, ["experiment", name, "--help"])
    assert shown.exit_code == 0
    assert f"Example: fetal-iqa-train experiment {name} --data" in " ".join(shown.output.split())
    assert "--runs" in shown.output


def test_a_table_is_made_marked_as_a_trial_and_not_made_again(experiment, tmp_path, monkeypatch):
    one_row = ("--runs", 2, "--rows", "fetalclip")
    ran = experiment("table1", *one_row)
    assert ran.code == 0, ran.err
    assert ran.err.splitlines() == [
        f"row 1 of 1, fetalclip-cls-lora: run {number} of 2" for number in (1, 2)
    ]
    out = tmp_path / "out"
    written = json.loads((out / "table1.json").read_text())
    (row,), (line,) = written["rows"], read(out / "table1.csv")
    runs = [run["figures"]["accuracy"] for run in row["runs"]]
    assert row["figures"]["accuracy"]["mean"] == pytest.approx(sum(runs) / 2)
    assert float(line["accuracy_mean"]) == pytest.approx(sum(runs) / 2, abs=1e-6)
    assert row["cost"]["seconds"] > row["cost"]["epoch_seconds"] > 0
    cards = [
        json.loads((out / "models" / run["model"] / "model.json").read_text())
        for run in row["runs"]
    ]
    assert runs == [card["metrics"]["test"]["accuracy"] for card in cards]
    assert row["trainable_parameters"] == cards[0]["training"]["trainable_parameters"]
    assert [card["training"]["settings"]["seed"] for card in cards] == [0, 1]
    assert cards[0]["training_data"] == cards[1]["training_data"]
    assert [run["seed"] for run in read(out / "table1-runs.csv")] == ["0", "1"]
    text = (out / "table1.md").read_text()
    for marked in (text, row["warning"], line["warning"]):
        assert "small stand-in encoder fetalclip-tiny, random weights" in marked
    assert "0.7570" in text
    assert is_drawn(out / "table1.png")

    losses = read(out / "models" / runs_of(row)[0] / "logs" / "seed-0" / "metrics.csv")
    assert [line["epoch"] for line in losses if line["train_loss"]] == ["0"]
    frames = read(out / "models" / runs_of(row)[0] / "seed-0.frames.csv")
    right = sum(frame["positive"] == frame["decision"] for frame in frames) / len(frames)
    assert right == pytest.approx(runs[0], abs=1e-4)
    assert {frame["subject"][:7] for frame in frames} == {"subject"}
    assert is_drawn(out / "table1-curves.png")

    monkeypatch.setattr(runner, "fit", Mock(side_effect=AssertionError("fitted again")))
    again = experiment("table1", *one_row)
    assert again.code == 0, again.err
    assert json.loads((out / "table1.json").read_text())["rows"] == written["rows"]
    other = experiment("table1", *one_row, "--epochs", 2)
    assert other.code == 1
    assert "seed-0: was fitted with other epochs than requested" in other.err


def test_a_row_that_fails_is_named_and_the_others_go_on(experiment, tmp_path, monkeypatch):
    fit = runner.fit

    def failing(data, out, settings, **options):
        if settings.strategy == "full":
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        return fit(data, out, settings, **options)

    monkeypatch.setattr(runner, "fit", failing)
    ran = experiment("table1", "--runs", 1, *TWO_ROWS, "--json-progress")
    assert ran.code == 1
    first, second = ran.err.splitlines()
    assert first == "densenet121-cls-full: out of memory"
    assert second.startswith("Error: 1 of 2 rows failed")
    failed, made = json.loads((tmp_path / "out" / "table1.json").read_text())["rows"]
    assert (failed["failure"], failed["runs"]) == ("out of memory", [])
    assert len(made["runs"]) == 1

    # the lines name row and run, what failed, and the files
    position = {"row": "fetalclip-cls-lora", "number": 2, "rows": 2, "run": 1, "runs": 1}
    begun, failure, second_begun, *progress, done, error = ran.lines
    assert (begun["event"], begun["number"]) == ("run", 1)
    assert failure == {"event": "failed", "row": begun["row"], "message": "out of memory"}
    assert second_begun == {"event": "run", **position}
    assert {line["event"] for line in progress} >= {"reading", "step", "validation", "evaluating"}
    assert all(position.items() <= line.items() for line in progress)
    assert (done["event"], error["event"]) == ("done", "error")
    assert str(tmp_path / "out" / "table1.md") in done["files"]


def test_somebody_who_ends_it_ends_it_and_not_one_row(experiment, monkeypatch):
    def ended(*arguments, **options):
        try:
            raise SystemExit(143)
        except SystemExit:
            raise TrainingError("stopped before the end: no model was written") from None

    begun = Mock(side_effect=ended)
    monkeypatch.setattr(runner, "fit", begun)
    ran = experiment("table1", "--runs", 1, *TWO_ROWS)
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "Error: stopped before the end: no model was written"
    assert begun.call_count == 1


def test_missing_weights_of_all_rows_are_named_before_anything_is_trained(
    experiment, tmp_path, monkeypatch
):
    monkeypatch.setattr(runner, "fit", Mock(side_effect=AssertionError("fitted")))
    ran = experiment("table1", *TWO_ROWS, "--rows", "vit_l_clip_400m", trial=())
    assert ran.code == 1
    (line,) = ran.err.splitlines()
    assert line.startswith("Error: the pretrained weights of densenet121, vit_l_clip_400m, fetalc")
    assert "napari-fetal-iqa weights fetch vit_l_clip_400m" in line
    assert not (tmp_path / "out").exists()
    nowhere = tmp_path / "nowhere.pt"
    ran = experiment("table4", "--weights", f"fetalclip={nowhere}", trial=())
    assert ran.code == 1
    assert f"{nowhere}: no such file" in ran.err


def test_weights_are_given_by_encoder(experiment):
    ran = experiment("table4", "--weights", "weights.pt", trial=())
    assert ran.code == 2
    assert "NAME=FILE" in ran.err
    ran = experiment("table4", "--weights", "fetalclp=weights.pt", trial=())
    assert ran.code == 1
    assert ran.err.startswith("Error: no encoder is called 'fetalclp'; choose one of: fetalclip,")


def test_sweeps_of_single_images_are_refused_before_anything_is_trained(experiment, tmp_path):
    (tmp_path / "images").mkdir()
    table = ["filename,pixel size(mm)", *(f"{n:03d}_HC.png,0.1" for n in range(10))]
    (tmp_path / "pixel_size_and_hc.csv").write_text("\n".join(table))
    for name in range(10):
        (tmp_path / "images" / f"{name:03d}_HC.png").touch()
        (tmp_path / "images" / f"{name:03d}_HC_Annotation.png").touch()
    ran = experiment("sweeps", "--data", tmp_path)
    assert ran.code == 1
    assert "expected an ACOUSLIC-AI data set" in ran.err
    assert "run 1" not in ran.err


def test_without_a_test_part_nothing_is_trained(experiment, tmp_path):
    ran = experiment("table4", "--test-share", 0)
    assert ran.code == 1
    assert "judged on the test part" in ran.err
    assert not (tmp_path / "out").exists()


def test_embeddings_are_projected_before_and_after_training(experiment, tmp_path):
    for runs in (2, 1):  # the runs of an earlier job are there, too
        ran = experiment("embeddings", "--runs", runs, "--rows", "fetalclip", "--frames", 40)
        assert ran.code == 0, ran.err
    out = tmp_path / "out"
    found = json.loads((out / "embeddings.json").read_text())
    assert found["seeds"] == [0, 1]
    assert "Seeds 0, 1;" in (out / "embeddings.md").read_text()
    (row,) = found["rows"]
    (line,) = read(out / "embeddings.csv")
    after = row["separation"]["after"][0]
    assert len(row["separation"]["after"]) == 2
    after = {name: sum(one[name] for one in row["separation"]["after"]) / 2 for name in after}
    assert float(line["silhouette_after_mean"]) == pytest.approx(after["silhouette"], abs=1e-6)
    assert "not the paper's system" in (out / "embeddings.md").read_text()
    name = "embeddings/fetalclip-cls-lora-as-fetalclip-tiny-seed-0"
    points = read(out / f"{name}.csv")
    assert [point["stage"] for point in points] == ["before"] * 40 + ["after"] * 40
    assert sum(int(point["positive"]) for point in points[:40]) == 20
    assert points[0]["pca_1"] != points[40]["pca_1"]
    assert is_drawn(out / f"{name}.png")
    assert is_drawn(out / "figure2.png")

    # a row is added, and none that is there goes; all are of the same frames
    before = (out / "embeddings.csv").read_text()
    more = ("embeddings", "--runs", 1, "--rows", "densenet121")
    ran = experiment(*more, "--frames", 30)
    assert ran.code == 1
    assert "fetalclip-cls-lora on 40 frames at most, drawn by seed 0" in ran.err
    assert (out / "embeddings.csv").read_text() == before
    assert experiment(*more, "--frames", 40).code == 0
    lines = read(out / "embeddings.csv")
    assert lines[1] == line
    assert [line["row"] for line in lines] == ["densenet121-cls-full", "fetalclip-cls-lora"]
    assert "fetalclip" in (out / "embeddings.md").read_text().lower()


def test_what_another_job_finishes_meanwhile_is_in_what_the_last_one_writes(
    experiment, tmp_path, monkeypatch
):
    given = ("embeddings", "--runs", 1, "--frames", 40)
    embed_rows, jobs = embedding.embed_rows, []

    def overtaken(*arguments):
        yield from embed_rows(*arguments)
        if not jobs:
            jobs.append("another")
            jobs.append(experiment(*given, "--rows", "densenet121"))

    monkeypatch.setattr(embedding, "embed_rows", overtaken)
    assert experiment(*given, "--rows", "fetalclip").code == 0
    assert jobs[1].code == 0, jobs[1].err
    assert [line["row"] for line in read(tmp_path / "out" / "embeddings.csv")] == [
        "densenet121-cls-full", "fetalclip-cls-lora",
    ]  # fmt: skip


def test_six_pairs_of_masks_are_shown_from_low_to_high_dice_and_one_without(experiment, tmp_path):
    assert experiment("figure3", "--runs", 1).code == 0
    out = tmp_path / "out"
    pairs = read(out / "figure3.csv")
    dice = [float(pair["dice"]) for pair in pairs if pair["dice"]]
    assert len(pairs) == 6
    assert len({pair["sweep"] for pair in pairs[:5]}) == 5
    assert dice == sorted(dice)
    frames = read(out / "models" / "fetalclip-seg-lora-as-fetalclip-tiny" / "seed-0.frames.csv")
    truth = {(frame["sweep"], frame["frame"]): frame["positive"] for frame in frames}
    assert [truth[pair["sweep"], pair["frame"]] for pair in pairs] == ["1"] * 5 + ["0"]
    assert is_drawn(out / "figure3.png")


@pytest.mark.slow
def test_threshold_and_sweeps_share_models_and_can_be_checked_frame_by_frame(experiment, tmp_path):
    out = tmp_path / "out"
    ran = experiment("threshold", "--runs", 1)
    assert ran.code == 0, ran.err
    found = json.loads((out / "threshold.json").read_text())
    frames = read(out / "threshold" / "frames-seed-0.csv")
    test = [frame for frame in frames if frame["part"] == "test"]
    assert {frame["part"] for frame in frames} == {"validation", "test"}
    called = [frame for frame in test if float(frame["area_fraction"]) >= 0.01]
    hits = sum(frame["positive"] == "1" for frame in called)
    recall = hits / sum(frame["positive"] == "1" for frame in test)
    assert found["threshold"]["paper"]["recall"]["mean"] == pytest.approx(recall, abs=1e-4)
    assert [frame["seg"] for frame in test].count("1") == len(called)
    seg = found["models"][1]["runs"][0]["figures"]  # judged on the sweeps' own grid
    assert seg["recall"] == pytest.approx(recall, abs=0.05)
    assert found["seeds"] == found["studied_seeds"] == [0]
    assert found["combined_rule"]["verdict"] in (out / "threshold.md").read_text()
    assert is_drawn(out / "threshold.png")
    assert is_drawn(out / "combined_rule.png")

    ran = experiment("sweeps", "--runs", 1)
    assert ran.code == 0, ran.err
    assert "run 1 of 1" not in ran.err  # the models are there
    (study,) = json.loads((out / "sweeps.json").read_text())["runs"]
    assert study["cases"] == 3
    frames = read(out / "sweeps" / "frames-seed-0.csv")
    assert len(frames) == 3 * 36
    there = read(out / "sweeps.csv")
    assert [row["there_usual"] for row in there] == ["1.0"] * 12  # each sweep has discs
    assert [row["smoothing_frames"] for row in read(out / "sweeps-smoothing.csv")] == [
        "0.0", "1.0", "2.0", "4.0", "8.0",
    ]  # fmt: skip
    assert "Blind sweeps" in (out / "sweeps.md").read_text()
    assert is_drawn(out / "sweeps.png")
    assert is_drawn(out / "sweeps-smoothing.png")


def test_threshold_takes_both_networks(experiment):
    ran = experiment("threshold", "--rows", "cls")
    assert ran.code == 1
    assert "takes CLS and SEG together" in ran.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rows", "count"),
    [
        ("table2", "paper", 2),
        ("table3", "densenet121", 2),
        ("table4", "paper", 3),
        ("strategies", "fetalclip", 4),
        ("segmentation", "fetalclip", 2),
        ("encoders", "usfm", 1),
        ("rank", "*-r128*", 4),
        ("initialisation", "*-from-*", 4),
    ],
)
def test_every_table_is_made(experiment, tmp_path, name, rows, count):
    ran = experiment(name, "--runs", 1, "--rows", rows)
    assert ran.code == 0, ran.err
    out = tmp_path / "out"
    found = json.loads((out / f"{name}.json").read_text())["rows"]
    assert len(found) == count
    assert all(len(row["runs"]) == 1 for row in found)
    assert is_drawn(out / f"{name}.png")
    if name in ("table3", "strategies", "rank"):  # no two rows train the same
        assert len({row["trainable_parameters"] for row in found}) == count


@pytest.mark.slow
def test_a_killed_experiment_goes_on_where_it_was(experiment, data, tmp_path, monkeypatch):
    options = ["table1", *TWO_ROWS, "--runs", "2", "--epochs", "3"]
    command = [sys.executable, "-m", "fetal_iqa_training", "experiment", options[0]]
    command += ["--data", data, "--out", tmp_path / "out", *TRIAL, *options[1:], "--json-progress"]
    with subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        validations = 0
        for line in process.stdout:
            event = json.loads(line)
            if (event.get("number"), event.get("run")) == (1, 2):
                validations += event["event"] == "validation"
                if validations == 2 and event["event"] == "step":
                    process.kill()
                    break
    assert process.returncode not in (0, 1)
    ran = experiment(*options, "--json-progress")
    assert ran.code == 0, ran.err
    positions = [(line["number"], line["run"]) for line in ran.lines if line["event"] == "run"]
    assert positions == [(1, 2), (2, 1), (2, 2)]
    gone_on = [line for line in ran.lines if (line.get("number"), line.get("run")) == (1, 2)]
    steps = [line["done"] for line in gone_on if line["event"] == "step"]
    assert steps[0] > 1  # not from the start
    assert sum(line["event"] == "validation" for line in gone_on) == 1
    (first, *_) = json.loads((tmp_path / "out" / "table1.json").read_text())["rows"]
    assert len(first["runs"][1]["cost"]["epoch_seconds"]) == 3


def test_rows_are_added_and_a_run_that_another_process_makes_is_left_to_it(
    experiment, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    assert experiment("table4", "--runs", 1, "--rows", "vit_l_clip_laion2b").code == 0
    lock = lock_of(out, "vit_l_clip_400m-cls-lora-as-fetalclip-tiny-seed-0")
    with lock:
        ran = experiment("table4", "--runs", 1, "--rows", "vit_l_clip_400m", "--json-progress")
    assert ran.code == 0
    assert [line["event"] for line in ran.lines] == ["note", "done"]
    assert "vit_l_clip_400m-cls-lora: runs are being made by another process" in ran.err
    assert experiment("table4", "--runs", 1, "--rows", "fetalclip").code == 0
    written = json.loads((out / "table4.json").read_text())
    assert [row["row"] for row in written["rows"]] == [
        "vit_l_clip_laion2b-cls-lora", "fetalclip-cls-lora",
    ]  # fmt: skip
    # the command of a run is taken from its file, and what is given beside it counts more
    config = out / "table4.config.json"
    options = json.loads(config.read_text())["options"]
    assert set(options["rows"]) == {
        "vit_l_clip_laion2b-cls-lora", "vit_l_clip_400m-cls-lora", "fetalclip-cls-lora",
    }  # fmt: skip
    with lock:  # another job adds a seed; both are told
        ran = experiment("table4", "--runs", 2, "--rows", "fetalclip", "--json")
    assert ran.code == 0, ran.err
    assert str(out / "table4.md") in json.loads(ran.out)["files"]
    again = experiment("table4", "--runs", 1, "--rows", "fetalclip")
    text = (out / "table4.md").read_text()
    assert "Seeds 0, 1 (of these alone: vit_l_clip_laion2b-cls-lora 0)" in text
    assert json.loads((out / "table4.json").read_text())["seeds"] == [0, 1]
    options = json.loads(config.read_text())["options"]
    assert (options["runs"], len(options["rows"])) == (2, 3)
    monkeypatch.setattr(runner, "fit", Mock(side_effect=AssertionError("fitted again")))
    given = ("--config", config, "--rows", "fetalclip")
    again = experiment("table4", *given, trial=())
    assert again.code == 0, again.err
    strange = experiment("table1", "--config", config, trial=())
    assert (strange.code, "the options of 'table4'" in strange.err) == (2, True)
    other = experiment("table4", "--config", config, "--epochs", 2, trial=())
    assert "fitted with other epochs" in other.err


def test_a_config_of_something_else_and_a_tracker_that_is_not_there_are_refused(
    experiment, tmp_path, monkeypatch
):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"command": "table4", "options": {"epoch": 3}}))
    ran = experiment("table4", "--config", config)
    assert (ran.code, "takes no option 'epoch'" in ran.err) == (2, True)
    config.write_text("[]")
    assert experiment("table4", "--config", config).code == 2
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    ran = experiment("table4", "--logger", "mlflow")
    assert ran.code == 1
    assert "needs the package mlflow, which is not installed: `pip install mlflow`" in ran.err
    assert experiment("table4", "--logger", "excel").code == 2


@pytest.mark.slow
def test_runs_are_spread_over_processes_and_are_those_of_one(experiment, tmp_path):
    ran = experiment("table4", "--runs", 2, "--rows", "fetalclip", "--devices", 2)
    assert ran.code == 0, ran.err
    first = json.loads((tmp_path / "out" / "table4.json").read_text())["rows"]
    assert [run["seed"] for run in first[0]["runs"]] == [0, 1]
    (tmp_path / "out").rename(tmp_path / "two")
    assert experiment("table4", "--runs", 2, "--rows", "fetalclip").code == 0
    alone = json.loads((tmp_path / "out" / "table4.json").read_text())["rows"]
    assert alone[0]["figures"] == first[0]["figures"]
