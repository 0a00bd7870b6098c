"""Untrained models over real files: what threshold and sweeps make of them, without training."""

import csv
import json

import numpy as np
import pytest

from fetal_iqa_models import FramePredictor, load_model
from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.data.labelled_frames import frames_of
from fetal_iqa_training.experiments.part_frames import PartFrames, read_part
from fetal_iqa_training.experiments.sweeps.report import SweepRun, write_sweeps
from fetal_iqa_training.experiments.sweeps.study import study_sweeps
from fetal_iqa_training.experiments.sweeps.whole_cases import analyse_cases
from fetal_iqa_training.experiments.tables.catalogue import CLS, SEG
from fetal_iqa_training.experiments.tables.plan import Plan
from fetal_iqa_training.experiments.tables.results import RowResult, RunResult
from fetal_iqa_training.experiments.threshold.report import (
    study_threshold_and_rule,
    write_threshold,
)
from fetal_iqa_training.experiments.threshold.scored_parts import score_part
from fetal_iqa_training.settings import FitSettings
from napari_fetal_iqa.analysis.best_frame import best_frame


def silent(progress):
    pass


@pytest.fixture
def models(tiny_models):
    return load_model(tiny_models["cls"]), load_model(tiny_models["seg"])


@pytest.fixture
def results(tiny_models):
    """One run of CLS and one of SEG."""
    return tuple(
        RowResult(row, "fetalclip-tiny", True, (RunResult(0, tiny_models[row.task], {}, None),))
        for row in (CLS, SEG)
    )


@pytest.fixture
def plan(data, tmp_path):
    common = FitSettings(task="cls", encoder="fetalclip-tiny", device="cpu")
    return Plan(data, tmp_path, 1, common, stand_in="fetalclip-tiny")


def test_frames_are_scored_as_prediction_scores_them(data, models, tmp_path):
    cases = list_annotated(data)[:2]
    part = read_part(cases, 56, tmp_path, silent)
    scored = score_part(*models, part, "cpu")
    sources = list(frames_of(cases))
    predictor = FramePredictor(*models, device="cpu")
    batches = [batch for source in sources for batch in predictor.predict(source.frames)]
    quality = np.concatenate([batch.quality for batch in batches])
    area = np.concatenate([batch.area_fraction for batch in batches])
    assert scored.quality == pytest.approx(quality, abs=0.01)  # frames are rounded to bytes once
    assert scored.share == pytest.approx(area, abs=0.02)
    assert np.array_equal(part.positive, np.concatenate([s.positive for s in sources]))
    assert part.sweep.tolist() == [source.sweep for source in sources for _ in range(6)]
    assert part.number.tolist() == list(range(6)) * 10
    assert np.array_equal(scored.seg, scored.share >= 0.01)
    rule = scored.for_rule()
    assert rule.features.shape == (60, 11)
    assert set(rule.case) == {"subject0", "subject1"}


@pytest.mark.parametrize(
    ("n", "positives"), [(60, 0), (60, 1), (60, 29), (60, 59), (60, 60), (8, 3)]
)
def test_a_sample_has_as_many_frames_as_are_requested_and_both_kinds(n, positives):
    positive = np.arange(n) < positives
    frames = np.arange(n, dtype=np.uint8)[:, None, None]
    part = PartFrames(frames, positive, *[np.array(["s"] * n)] * 2, np.arange(n))
    sample = part.sample(10, seed=0)
    assert len(sample) == min(n, 10)
    assert len(set(sample.number)) == len(sample)
    assert set(sample.positive) == set(positive)
    assert abs(sample.positive.mean() - positive.mean()) < 0.1


def test_both_studies_of_the_threshold_are_written(data, models, results, plan, tmp_path):
    cases = list_annotated(data)
    validation = score_part(*models, read_part(cases[:3], 56, tmp_path / "v", silent), "cpu")
    test = score_part(*models, read_part(cases[3:5], 56, tmp_path / "t", silent), "cpu")
    found = study_threshold_and_rule([(validation, test)], seed=0)
    files = write_threshold(plan, results, found, "command")
    assert [file.rpartition("/")[2] for file in files] == [
        "threshold.md", "threshold.csv", "threshold.json", "threshold.png",
        "combined_rule.csv", "combined_rule.png",
    ]  # fmt: skip
    text = (tmp_path / "threshold.md").read_text()
    assert found.rule.verdict() in text
    assert "random weights: not the paper's system" in text
    recall = (test.seg & test.part.positive).sum() / test.part.positive.sum()
    assert f"{recall:.4f}" in next(line for line in text.splitlines() if "as the paper" in line)
    written = json.loads((tmp_path / "threshold.json").read_text())
    assert written["combined_rule"]["verdict"] == found.rule.verdict()


def test_a_rule_that_cannot_be_fitted_leaves_the_threshold(data, models, results, plan, tmp_path):
    cases = list_annotated(data)
    one = score_part(*models, read_part(cases[:1], 56, tmp_path / "v", silent), "cpu")
    found = study_threshold_and_rule([(one, one)], seed=0)
    assert "needs 2 or more" in found.rule_failure
    (tmp_path / "combined_rule.csv").write_text("of an earlier call")
    write_threshold(plan, results, found, "command")
    assert f"Not fitted: {found.rule_failure}" in (tmp_path / "threshold.md").read_text()
    assert (tmp_path / "threshold.png").exists()
    assert not (tmp_path / "combined_rule.csv").exists()


def test_sweeps_are_summarised_over_runs(data, tiny_models, results, plan, tmp_path):
    folders = tiny_models["cls"], tiny_models["seg"]
    cases, thresholds = analyse_cases(data, {"case1", "case2"}, folders, None, "cpu", silent)
    found = study_sweeps(cases, best_frame, thresholds)
    write_sweeps(plan, results, [SweepRun(0, found), SweepRun(1, found)], "command")
    with (tmp_path / "sweeps.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["0"] * 12 + ["1"] * 12
    text = (tmp_path / "sweeps.md").read_text()
    there = found.success[0].there_usual[0].value
    first = next(line for line in text.splitlines() if line.startswith("| annotated | 1 |"))
    assert f"{there:.4f} ± 0.0000" in first
    assert "2 test cases" in text
    for name in ("sweeps.json", "sweeps-smoothing.csv", "sweeps.png", "sweeps-smoothing.png"):
        assert (tmp_path / name).stat().st_size > 100
