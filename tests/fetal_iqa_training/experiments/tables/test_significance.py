from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.tables.catalogue import TABLES
from fetal_iqa_training.experiments.tables.csv_text import as_csv
from fetal_iqa_training.experiments.tables.frame_outcomes import Counts
from fetal_iqa_training.experiments.tables.results import RowResult, RunResult
from fetal_iqa_training.experiments.tables.significance import (
    holm,
    paired_tests,
    randomisation_test,
)


def counts(hits, called, positives):
    hits, called, positives = (np.array(part, float) for part in (hits, called, positives))
    none = np.zeros(len(hits))
    names = tuple(f"subject {number}" for number in range(len(hits)))
    return Counts(names, hits, called, positives, none, none, none, none)


def by_hand(one, other):
    """Go through all swaps one by one, in plain Python."""

    def f1(rows):
        return 2 * sum(r[0] for r in rows) / (sum(r[1] for r in rows) + sum(r[2] for r in rows))

    sides = [list(zip(s.hits, s.called, s.positives, strict=True)) for s in (one, other)]
    found = []
    for swaps in product((False, True), repeat=len(sides[0])):
        pairs = list(zip(*sides, swaps, strict=True))
        first = [b if swap else a for a, b, swap in pairs]
        second = [a if swap else b for a, b, swap in pairs]
        found.append(f1(first) - f1(second))
    return found[0], sum(abs(d) >= abs(found[0]) - 1e-12 for d in found) / len(found)


@given(st.integers(0, 2**32 - 1), st.integers(5, 8))
def test_of_few_subjects_all_swaps_are_gone_through(seed, n_subjects):
    random = np.random.default_rng(seed)
    positives = random.integers(1, 6, n_subjects)
    sides = []
    for _ in range(2):
        hits = random.integers(0, positives + 1)
        sides.append(counts(hits, hits + random.integers(0, 4, n_subjects), positives))
    difference, p = randomisation_test([tuple(sides)], "f1")
    assert (difference, p) == pytest.approx(by_hand(*sides))


def test_of_many_subjects_a_clear_difference_is_rare_and_a_chance_one_is_not():
    n = 60
    positives = np.full(n, 5)
    good, bad = (
        counts(positives - 1, positives, positives),
        counts(positives - 3, positives, positives),
    )
    assert randomisation_test([(good, bad)], "f1")[1] < 0.001
    random = np.random.default_rng(1)
    alike = [counts(random.integers(2, 6, n), positives, positives) for _ in range(2)]
    assert randomisation_test([tuple(alike)], "f1")[1] > 0.05
    assert randomisation_test([(good, good)], "f1") == (0, 1)


def test_two_systems_that_differ_by_chance_are_called_different_as_often_as_said():
    random = np.random.default_rng(0)
    called = 0
    for _ in range(200):
        positives = random.integers(1, 9, 10)
        sides = [counts(random.binomial(positives, 0.6), positives, positives) for _ in range(2)]
        called += randomisation_test([tuple(sides)], "f1")[1] <= 0.05
    assert called <= 20  # 10 expected; more than 20 in 200 would have a chance of 0.1 %


def test_p_values_are_corrected_by_holm():
    # Holm 1979: sorted, times 4, 3, 2, 1, and never falling
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("apart", ["subject", "sweep", "positive", "what the card says"])
def test_runs_of_different_truths_are_not_paired(tmp_path, apart):
    results = []
    for number, row in enumerate(TABLES["table1"].rows[:2]):
        lines = [
            {"subject": f"s{n}", "sweep": f"case{n}, sweep 1", "frame": n, "positive": n % 2}
            | {"decision": 1, "dice": ""}
            for n in range(6)
        ]
        if number and apart in lines[5]:
            lines[5][apart] = 0 if apart == "positive" else "another"
        outcomes = tmp_path / f"{number}.csv"
        outcomes.write_text(as_csv(lines))
        judged_on = str(number) if apart == "what the card says" else "same"
        run = RunResult(0, tmp_path, {}, None, None, outcomes, test_data=judged_on)
        results.append(RowResult(row, row.encoder, random=False, runs=(run,)))
    with pytest.raises(TrainingError, match="were judged on other frames or by other truths"):
        paired_tests(results, "f1")
    same = [results[0], replace(results[1], runs=results[0].runs)]
    assert len(paired_tests(same, "f1")) == 1
