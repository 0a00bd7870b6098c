"""Criteria, names of calipers and ages by dates in the store: said, undone, merged, kept."""

import csv
import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from napari_fetal_iqa.corrections import CorrectionStore, EventKind, Label, Unsaved, write_rescue
from napari_fetal_iqa.corrections.agreement import agreements
from napari_fetal_iqa.corrections.criteria_table import CRITERIA_TABLE, write_criteria_table
from napari_fetal_iqa.corrections.integrity import check_store, repair
from napari_fetal_iqa.corrections.merge import merge
from napari_fetal_iqa.corrections.news import NewsReader
from napari_fetal_iqa.corrections.rescued import count_new
from napari_fetal_iqa.corrections.statistics import overview
from napari_fetal_iqa.criteria import Criterion, score, score_in_words
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.geometry.caliper import Caliper, CaliperMeasure
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.sweep import SweepVolume

SWEEP = SweepVolume(
    np.arange(12 * 24 * 32).astype(np.uint8).reshape(12, 24, 32), (0.3, 0.3), ((0, 6), (6, 12))
)
ID = SWEEP.identity
STOMACH, KIDNEYS, SINUS = Criterion.STOMACH, Criterion.NO_KIDNEYS, Criterion.PORTAL_SINUS
LINE = Caliper(((2.0, 3.0), (12.0, 3.5)))
ROUND = Caliper(((10.0, 4.0), (10.0, 24.0), (2.0, 14.0), (18.0, 14.0)))
LATE = Dating("LMP", 195)


@pytest.fixture
def store(tmp_path):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        store.add_sweep(SWEEP)
        yield store


@pytest.fixture
def other(tmp_path):
    with CorrectionStore(tmp_path / "other.sqlite") as other:
        other.add_sweep(SWEEP)
        yield other


def test_what_is_said_of_a_criterion_holds_until_it_is_said_otherwise_taken_back_or_undone(store):
    store.judge(ID, 3, STOMACH, True, "AK")
    store.judge(ID, 3, KIDNEYS, False, "AK")
    store.set_label(ID, 3, Label.OPTIMAL, "AK")
    assert store.corrections(ID, "AK")[3].label is Label.OPTIMAL  # beside, not instead
    with CorrectionStore(store.path) as reopened:
        assert reopened.verdicts(ID, "AK") == {3: {STOMACH: True, KIDNEYS: False}}
        assert reopened.verdicts(ID, "BM") == {}
        assert reopened.reviewers(ID) == ["AK"]
    store.judge(ID, 3, STOMACH, False, "AK")
    assert store.verdicts(ID, "AK")[3][STOMACH] is False
    assert store.undo(ID, "AK") == [3]
    assert store.verdicts(ID, "AK")[3][STOMACH] is True
    store.redo(ID, "AK")
    store.judge(ID, 3, STOMACH, None, "AK")
    assert store.verdicts(ID, "AK") == {3: {KIDNEYS: False}}
    (counts,) = overview(store)[0].reviewers
    assert (counts.judged, counts.labelled) == (1, 1)


def test_what_nobody_judged_gives_no_point_and_is_told():
    verdicts = {STOMACH: True, KIDNEYS: True, SINUS: False}
    assert score(verdicts) == 2
    assert score_in_words(verdicts) == "2 of 6, 3 not judged"
    assert score_in_words(dict.fromkeys(Criterion, True)) == "6 of 6"


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        ({"mark": "beauty"}, "one of the six"),
        ({"word": "perhaps"}, "met or not met"),
        ({"frame": 99}, "frames 0 to 11"),
        ({"accepted": True}, "answers no model"),
        ({"kind": EventKind.LABEL}, "expected no"),
        ({"kind": EventKind.NAMING, "word": "AC"}, "HC or BPD or OFD or FL"),
    ],
)
def test_the_door_lets_no_unsound_word_in_and_none_out(store, spoilt, why):
    store.judge(ID, 3, STOMACH, True, "AK")
    (said,) = store.events()
    with pytest.raises(StoreError, match=why):
        store.append([replace(said, uid="another", **spoilt)])
    assert store.events() == [said]


def test_a_damaged_word_is_named_and_passed_over_and_the_rest_is_repaired(store, tmp_path):
    store.judge(ID, 3, STOMACH, True, "AK")
    store.set_age(ID, LATE)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(
            "INSERT INTO remark (uid, time, reviewer, sweep, frame, kind, action, mark, word, tool)"
            " VALUES ('x', '2026-11-22T10:00:00.000000+00:00', 'AK', ?, 3, 'criterion', 'a',"
            " 'beauty', 'met', '')",
            (ID,),
        )
        connection.commit()
    (problem,) = check_store(store.path).problems
    assert "remark 2" in problem
    assert "six criteria" in problem
    with CorrectionStore(store.path) as reopened:
        assert reopened.verdicts(ID, "AK") == {3: {STOMACH: True}}
    repair(store.path, tmp_path / "mended.sqlite")
    with CorrectionStore(tmp_path / "mended.sqlite") as mended:
        assert mended.verdicts(ID, "AK") == {3: {STOMACH: True}}
        assert mended.age(ID) == LATE
    with (
        closing(sqlite3.connect(store.path)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute("UPDATE remark SET word = 'not met'")


def test_a_store_of_the_fifth_version_gains_them_and_keeps_every_row(store):
    store.set_label(ID, 3, Label.OPTIMAL, "AK")
    store.set_caliper(ID, 3, LINE, "AK")
    store.close()
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("DROP TABLE remark")
        connection.execute("DROP TABLE age")
        connection.execute("PRAGMA user_version = 5")
    content = store.path.read_bytes()
    with CorrectionStore(store.path, "ro") as untouched:
        assert (untouched.verdicts(ID, "AK"), untouched.age(ID)) == ({}, None)
        assert len(untouched.calipers(ID, "AK")) == 1
    assert check_store(store.path, "ro").problems == ()
    assert store.path.read_bytes() == content
    with CorrectionStore(store.path) as reopened:
        reopened.judge(ID, 3, STOMACH, True, "AK")
        reopened.set_age(ID, LATE)
        assert len(reopened.events()) == 3


def test_merging_takes_words_and_ages_over_once_and_tells_of_another_age(store, other):
    store.judge(ID, 3, STOMACH, True, "AK")
    store.set_age(ID, LATE)
    assert merge(other, store.path).events == 1
    assert merge(other, store.path).known == 1
    assert other.verdicts(ID, "AK") == {3: {STOMACH: True}}
    assert other.age(ID) == LATE
    store.set_age(ID, Dating("weeks", 200))
    assert merge(other, store.path).other_ages == (ID,)
    assert other.age(ID) == LATE


def test_an_age_is_the_last_word_on_a_sweep_and_none_that_no_pregnancy_has(store):
    store.set_age(ID, Dating("weeks", 190))
    store.set_age(ID, LATE)
    with CorrectionStore(store.path) as reopened:
        assert reopened.age(ID) == LATE
        assert reopened.ages() == {ID: LATE}
    for wrong in (Dating("weeks", 500), Dating("weeks", -1), Dating("guess", 190)):
        with pytest.raises(StoreError, match="expected an age"):
            store.set_age(ID, wrong)
    store.set_age(ID, None)
    assert store.age(ID) is None


def test_what_could_not_be_written_is_rescued_ages_too(store, tmp_path):
    with closing(sqlite3.connect(store.path, isolation_level=None)) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")
        for say in (
            lambda: store.judge(ID, 3, STOMACH, True, "AK"),
            lambda: store.set_age(ID, LATE),
        ):
            with pytest.raises(StoreError):
                say()
        assert store.verdicts(ID, "AK") == {3: {STOMACH: True}}
        assert store.age(ID) == LATE
        rescued = write_rescue(Unsaved.of(store), store.path, tmp_path / "rescue.sqlite")
        blocker.execute("ROLLBACK")
    assert count_new(rescued, store.path) == 2
    store.write_waiting()
    assert count_new(rescued, store.path) == 0


def test_the_other_desk_hears_of_a_criterion(store):
    reader = NewsReader(store.path, ID)
    reader.look()
    store.judge(ID, 3, STOMACH, True, "BM")
    (event,) = reader.look().events
    assert (event.mark, event.word) == (STOMACH, "met")
    assert reader.look() is None
    reader.close()


def test_two_reviewers_agree_criterion_by_criterion(store):
    for frame, one, two in ((1, True, True), (2, True, False), (3, False, False)):
        store.judge(ID, frame, STOMACH, one, "AK")
        store.judge(ID, frame, STOMACH, two, "BM")
    store.judge(ID, 1, SINUS, True, "AK")
    (found,) = agreements(store, store.record(ID))
    (stomach,) = found.criteria
    assert (stomach.criterion, stomach.judged, stomach.same) == (STOMACH, 3, 2)
    assert stomach.kappa == pytest.approx(0.4)  # 2 / 3 alike, 4 / 9 by chance


def test_a_caliper_is_named_by_what_it_measures_and_a_line_is_no_circumference(store):
    line, round_one = store.set_caliper(ID, 3, LINE, "AK"), store.set_caliper(ID, 3, ROUND, "AK")
    placed = {one.mark: one for one in store.calipers(ID, "AK")}
    store.name_caliper(ID, placed[line], CaliperMeasure.BPD, "AK")
    store.name_caliper(ID, placed[round_one], CaliperMeasure.HC, "AK")
    with CorrectionStore(store.path) as reopened:
        assert [one.measure for one in reopened.calipers(ID, "AK")] == ["BPD", "HC"]
    with pytest.raises(StoreError, match="another kind of caliper"):
        store.name_caliper(ID, placed[line], CaliperMeasure.HC, "AK")
    store.undo(ID, "AK")
    assert [one.measure for one in store.calipers(ID, "AK")] == ["BPD", None]
    store.name_caliper(ID, placed[line], None, "AK")
    assert [one.measure for one in store.calipers(ID, "AK")] == [None, None]


def test_the_table_has_a_row_a_judged_frame_and_an_empty_cell_where_nobody_judged(store, tmp_path):
    assert write_criteria_table(tmp_path, store) == 0
    assert not (tmp_path / CRITERIA_TABLE).exists()
    store.judge(ID, 8, STOMACH, True, "AK")
    store.judge(ID, 8, KIDNEYS, False, "AK")
    assert write_criteria_table(tmp_path, store) == 1
    (row,) = csv.DictReader((tmp_path / CRITERIA_TABLE).open())
    assert (row["frame"], row["sweep"], row["frame_in_sweep"]) == ("8", "1", "2")
    assert (row["stomach"], row["no_kidneys"], row["portal_sinus"]) == ("1", "0", "")
    assert row["score"] == "1"
