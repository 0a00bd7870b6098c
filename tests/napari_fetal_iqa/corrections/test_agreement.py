"""Two reviewers, one sweep: oracles are textbook tables and set arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.corrections.agreement import MOST_REVIEWERS, agreements, cohens_kappa
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (20, 30)


@pytest.fixture
def sweep():
    frames = np.random.default_rng(0).integers(0, 255, (12, *SHAPE), dtype=np.uint8)
    return SweepVolume(frames)


@pytest.fixture
def store(tmp_path, sweep):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        store.add_sweep(sweep)
        yield store


def box(columns):
    mask = np.zeros(SHAPE, bool)
    mask[5:15, columns] = True
    return mask


def only_agreement(store):
    (record,) = store.sweeps()
    (found,) = agreements(store, record)
    return found


def pairs_of(table):
    """Items of a square table: rows are the first rater's labels, columns the second's."""
    return [
        (row, column)
        for row, counts in enumerate(table)
        for column, count in enumerate(counts)
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ([[20, 5], [10, 15]], 0.4),
        ([[45, 15], [25, 15]], 0.1304),
        ([[25, 35], [5, 35]], 0.2593),
        ([[88, 14, 18], [10, 40, 10], [2, 6, 12]], 0.4915),  # Cohen (1960), table 1, in 200
        ([[5, 0], [0, 5]], 1.0),
        ([[0, 5], [5, 0]], -1.0),
    ],
)
def test_kappa_is_that_of_the_textbooks(table, kappa):
    assert cohens_kappa(pairs_of(table)) == pytest.approx(kappa, abs=5e-5)


@pytest.mark.parametrize("labels", [[], [(1, 1)], [(2, 2)] * 7])
def test_kappa_is_not_defined_where_chance_explains_everything(labels):
    assert cohens_kappa(labels) is None


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60))
@settings(deadline=None)
def test_kappa_is_that_of_the_table_of_counts(labels):
    """Oracle: the formula in whole numbers, (n sum of diagonal - R C) / (n^2 - R C)."""
    table = [[labels.count((row, column)) for column in range(3)] for row in range(3)]
    n = len(labels)
    by_chance = sum(sum(table[k]) * sum(row[k] for row in table) for k in range(3))
    kappa = cohens_kappa(labels)
    if n * n == by_chance:
        assert kappa is None
    else:
        diagonal = sum(table[k][k] for k in range(3))
        assert kappa == pytest.approx(float(Fraction(n * diagonal - by_chance, n**2 - by_chance)))


def test_only_frames_that_both_spoke_of_are_compared(store, sweep):
    store.set_label(sweep.identity, range(6), Label.OPTIMAL, "AK")
    store.set_label(sweep.identity, range(3, 9), Label.OPTIMAL, "BM")
    store.set_label(sweep.identity, 4, Label.NONE, "BM")
    found = only_agreement(store)
    assert found.reviewers == ("AK", "BM")
    assert found.labelled == 3
    assert found.disagreements == (4,)
    assert (found.outlined, found.dice) == (0, None)


def test_outlines_that_overlap_little_are_disagreements(store, sweep):
    for frame, columns in {1: slice(0, 10), 2: slice(2, 12), 3: slice(3, 13)}.items():
        store.set_mask(sweep.identity, frame, box(slice(0, 10)), "AK")
        store.set_mask(sweep.identity, frame, box(columns), "BM")
    found = only_agreement(store)
    assert found.outlined == 3
    assert found.dice == pytest.approx((1 + 0.8 + 0.7) / 3)
    assert found.disagreements == (3,)
    assert (found.labelled, found.kappa) == (0, None)


def test_an_outline_against_none_is_a_disagreement_and_two_empty_masks_are_not(store, sweep):
    nothing = np.zeros(SHAPE, bool)
    store.set_mask(sweep.identity, 1, nothing, "AK")
    store.set_mask(sweep.identity, 1, nothing, "BM")
    store.set_mask(sweep.identity, 2, nothing, "AK")
    store.set_mask(sweep.identity, 2, box(slice(0, 10)), "BM")
    found = only_agreement(store)
    assert (found.outlined, found.dice) == (1, 0)
    assert found.disagreements == (2,)


def test_what_was_taken_back_is_not_compared(store, sweep):
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    store.set_label(sweep.identity, 1, Label.NONE, "BM")
    store.undo(sweep.identity, "BM")
    assert agreements(store, store.sweeps()[0]) == ()


def test_every_two_of_three_reviewers_are_compared(store, sweep):
    for name in ("AK", "BM", "CL"):
        store.set_label(sweep.identity, 1, Label.OPTIMAL, name)
    pairs = [found.reviewers for found in agreements(store, store.sweeps()[0])]
    assert pairs == [("AK", "BM"), ("AK", "CL"), ("BM", "CL")]


def test_a_damaged_mask_is_compared_with_nothing(store, sweep, write_raw):
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    store.set_mask(sweep.identity, 1, box(slice(0, 10)), "AK")
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "BM")
    wrong = encode_mask(np.ones((90, 90), bool))
    write_raw(store.path, sweep.identity, reviewer="BM", kind="mask", mask=wrong)
    found = only_agreement(store)
    assert (found.labelled, found.outlined, found.dice) == (1, 0, None)


def test_a_store_that_names_a_crowd_compares_a_team(store, sweep):
    for number in range(MOST_REVIEWERS + 5):
        store.set_label(sweep.identity, 1, Label.OPTIMAL, f"R{number:03}")
    found = agreements(store, store.sweeps()[0])
    assert len(found) == MOST_REVIEWERS * (MOST_REVIEWERS - 1) // 2
