import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetal_iqa_models import ModelCard
from fetal_iqa_training.evaluation.bootstrap import spread
from fetal_iqa_training.experiments.tables.catalogue import CLS, SEG, TABLES
from fetal_iqa_training.experiments.tables.finished import run_result
from fetal_iqa_training.experiments.tables.format import as_markdown, rows_as_csv, runs_as_csv
from fetal_iqa_training.experiments.tables.results import RowResult, RunResult, compare_runs

ROWS = TABLES["encoders"].rows
METRIC = st.floats(0, 1)


def result(row, f1_of_seed, encoder=None, random=False, failure=None):
    runs = tuple(
        RunResult(seed, Path("models", row.name, f"seed-{seed}"), {"f1": f1}, None, 1025)
        for seed, f1 in f1_of_seed.items()
    )
    return RowResult(row, encoder or row.encoder, random, runs, failure)


@given(st.lists(METRIC, min_size=2, max_size=6))
def test_a_spread_is_mean_and_sample_standard_deviation(values):
    found = spread(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.std == pytest.approx(np.std(values, ddof=1))
    assert found.runs == len(values)


def test_one_run_has_no_standard_deviation_and_none_has_no_spread():
    assert str(spread([0.25])) == "0.2500"
    assert str(spread([0.25, 0.75])) == "0.5000 ± 0.3536"
    assert spread([]) is None


def test_a_metric_that_one_run_lacks_is_not_known():
    known = result(CLS, {0: 0.5, 1: 0.7})
    assert known.metric("f1").mean == pytest.approx(0.6)
    assert known.metric("dice") is None


@given(
    st.dictionaries(st.integers(0, 8), METRIC, max_size=6),
    st.dictionaries(st.integers(0, 8), METRIC, max_size=6),
)
def test_rows_are_compared_run_by_run_over_the_seeds_that_both_have(own, other):
    found = compare_runs(result(ROWS[0], own), result(CLS, other), "f1")
    differences = [own[seed] - other[seed] for seed in own.keys() & other.keys()]
    if not differences:
        assert found is None
    else:
        assert found.runs == len(differences)
        assert found.mean == pytest.approx(np.mean(differences))


def test_a_row_is_not_compared_with_itself():
    assert compare_runs(result(CLS, {0: 0.5}), result(CLS, {0: 0.5}), "f1") is None


def test_csv_has_the_papers_value_beside_ours_and_leaves_empty_what_is_not_known():
    rows = [result(ROWS[0], {0: 0.5, 1: 0.6}), result(CLS, {}, failure="out of memory")]
    first, second = csv.DictReader(io.StringIO(rows_as_csv(rows)))
    assert (first["f1_mean"], first["f1_std"]) == ("0.55", "0.070711")
    assert (first["f1_paper"], first["f1_paper_std"], first["dice_mean"]) == ("0.7024", "0.028", "")
    assert (first["f1_difference"], first["f1_within_spreads"]) == ("-0.1524", "False")
    assert (second["runs"], second["f1_mean"], second["failure"]) == ("0", "", "out of memory")
    of_runs = list(csv.DictReader(io.StringIO(runs_as_csv(rows))))
    assert [(run["row"], run["seed"], run["f1"]) for run in of_runs] == [
        (ROWS[0].name, "0", "0.5"), (ROWS[0].name, "1", "0.6"),
    ]  # fmt: skip


def cells(markdown):
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in markdown.splitlines()
        if line.startswith("|")
    ]


def test_markdown_has_ours_the_papers_and_whether_they_agree():
    rows = [result(ROWS[0], {0: 0.70, 1: 0.76}), result(CLS, {0: 0.71, 1: 0.71})]
    text = as_markdown(TABLES["table1"], rows, ["about"])
    own, beside = text.split("## Beside the paper")
    head, _, first, last = cells(own)
    f1 = head.index("F1")
    assert (first[f1], last[f1]) == ("0.7300 ± 0.0424", "0.7100 ± 0.0000")
    difference = head.index("F1 less that of FetalCLIP_CLS, run by run")
    assert (first[difference], last[difference]) == ("+0.0200 ± 0.0424", "")
    lines = [line for line in cells(beside) if line[2] == "F1"]
    assert [line[3:] for line in lines] == [
        ["0.7300 ± 0.0424", "0.7024 ± 0.028", "+0.0276", "yes"],
        ["0.7100 ± 0.0000", "0.7570 ± 0.007", "-0.0470", "no"],
    ]
    assert len(cells(beside)) == 2 + 2 * 4  # every figure of the paper, whether we have it or not


def test_of_a_single_run_nobody_says_whether_it_lies_within_the_spreads():
    single = result(CLS, {0: 0.757}).beside_paper("f1")
    assert (single.difference, single.within_spreads) == (pytest.approx(0), None)


def test_what_is_not_the_papers_system_says_so():
    stand_in = result(CLS, {0: 0.1}, encoder="fetalclip-tiny", random=True)
    assert "**small stand-in encoder fetalclip-tiny, random weights" in as_markdown(
        TABLES["table1"], [stand_in], []
    )
    random = result(CLS, {0: 0.1}, random=True)
    assert "FetalCLIP_CLS (random weights)" in as_markdown(TABLES["table4"], [random], [])
    newer = result(ROWS[-1], {0: 0.1})
    assert f"{ROWS[-1].title} (not in the paper)" in as_markdown(TABLES["table1"], [newer], [])
    assert "stand-in" not in as_markdown(TABLES["table1"], [result(CLS, {0: 0.1})], [])


def test_a_row_that_failed_is_named_below_the_table():
    failed = result(CLS, {0: 0.1}, failure="out of memory")
    text = as_markdown(TABLES["table1"], [failed], [])
    assert f"- {CLS.name}: out of memory" in text
    assert "1 (failed)" in text


def test_how_many_frames_an_error_is_of_stands_beside_it(tmp_path):
    """A count is a whole number in the card, where the other metrics are not."""
    test = {
        "frames": 10,
        "positives": 8,
        "f1": 0.5,
        "circumference_error_mm": 9.5,
        "circumference_measured": 6,
        "judged_on": {"recorded": True},
    }
    card = ModelCard(
        name="a", task="seg", encoder="fetalclip-tiny", image_size=56, metrics={"test": test}
    )
    runs = tuple(run_result(seed, tmp_path / f"seed-{seed}", card) for seed in (0, 1))
    assert set(runs[0].metrics) == {"f1", "circumference_error_mm", "circumference_measured"}
    found = RowResult(SEG, SEG.encoder, False, runs, None)
    (row,) = csv.DictReader(io.StringIO(rows_as_csv([found])))
    assert row["circumference_measured_mean"] == "6.0"
    head, _, line, *_ = cells(as_markdown(TABLES["table2"], [found], []))
    assert line[head.index("frames that this error is of")] == "6.0 ± 0.0"
