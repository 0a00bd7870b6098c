"""Which sweeps of a list are of one subject: said in the store, or by a table beside them."""

import sqlite3

import numpy as np
import pytest

from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.errors import StoreError, SweepError
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.io.acouslic import write_case
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.review.worklist import facts, subjects
from napari_fetal_iqa.review.worklist.columns import COLUMNS, Row, State, is_in, matches, tooltip
from napari_fetal_iqa.review.worklist.facts import FactFinder
from napari_fetal_iqa.review.worklist.listing import list_sweeps
from napari_fetal_iqa.review.worklist.subjects import Subject, SubjectLabels, say_subject
from napari_fetal_iqa.sweep import SweepVolume


def frames(seed):
    return np.random.default_rng(seed).integers(1, 255, (6, 16, 16), dtype=np.uint8)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store.sqlite"


@pytest.fixture
def sources(tmp_path):
    """Three sweeps that were never opened on this machine."""
    return [
        SweepSource(write_volume(tmp_path / "exam" / f"{seed}.mha", frames(seed)))
        for seed in range(3)
    ]


def say(store, sources, *numbers, name):
    return list(say_subject([(number, sources[number]) for number in numbers], name, store))


def listed(store, sources):
    """The rows of a list, looked at one after the other."""
    labels = SubjectLabels()
    with FactFinder(store, "AK", lambda _: None) as finder:
        found = [finder.facts(source) for source in sources]
    return [
        Row(source, source.name, facts, labels.of(facts.subject))
        for source, facts in zip(sources, found, strict=True)
    ]


def called(store, sources):
    return [row.subject for row in listed(store, sources)]


def test_what_is_said_of_sweeps_never_opened_is_in_the_store_and_in_the_list(store, sources):
    assert called(store, sources) == ["", "", ""]
    assert say(store, sources, 1, 2, name="Ada Lovelace") == [1, 2]
    assert called(store, sources) == ["", "A", "A"]
    say(store, sources, 0, name="Grace Hopper")
    assert called(store, sources) == ["A", "B", "B"]
    with CorrectionStore(store, "ro") as opened:
        known = opened.subjects()
    keys = [known[read_sweep(source.path).identity].key for source in sources]
    assert keys[1] == keys[2] != keys[0]
    assert b"ovelace" not in store.read_bytes()

    say(store, sources, 1, name=None)
    assert called(store, sources) == ["A", "", "B"]


def test_the_list_sorts_and_finds_by_subject_and_says_what_it_means(store, sources):
    say(store, sources, 0, 2, name="Ada")
    rows = listed(store, sources)
    column = next(column for column in COLUMNS if column.key == "subject")
    assert [column.text(row) for row in rows] == ["A", "", "A"]
    assert [column.key_of(row) for row in rows] == ["  a", None, "  a"]
    assert [matches(row, "subject:a", State.ALL) for row in rows] == [True, False, True]
    assert not matches(rows[0], "subject:aa", State.ALL)
    assert [is_in(row.facts, State.NO_SUBJECT) for row in rows] == [False, True, False]
    assert "Subject A, kept as a salted hash, not by name" in tooltip(rows[0])
    assert "Subject not known" in tooltip(rows[1])


def test_a_data_set_shows_what_its_table_says_and_what_somebody_said_instead(tmp_path, store):
    folder = tmp_path / "acouslic"
    for seed, subject in enumerate(["P-7", "p-7 ", "P-12", ""]):
        sweep = SweepVolume(frames(seed))
        write_case(folder, f"case{seed}", sweep, np.zeros(sweep.shape, np.uint8), [], subject)
    sources = list_sweeps(folder).sources
    rows = listed(store, sources)
    assert [row.subject for row in rows] == ["P-7", "p-7 ", "P-12", ""]
    assert rows[0].facts.subject.group == rows[1].facts.subject.group
    assert "Subject P-12, by the table of its folder" in tooltip(rows[2])

    say(store, sources, 0, name="P-7")  # as the table
    say(store, sources, 1, name="P-12")  # otherwise: another case's
    say(store, sources, 3, name="somebody")  # whom the table does not know
    rows = listed(store, sources)
    assert [row.subject for row in rows] == ["P-7", "P-12", "P-12", "A"]
    assert rows[1].facts.subject.group == rows[2].facts.subject.group


def test_letters_stay_and_no_name_is_taken_for_one():
    labels = SubjectLabels()
    said = [labels.of(Subject(str(number))) for number in range(28)]
    assert said[:2] == ["A", "B"]
    assert said[25:] == ["Z", "AA", "AB"]
    assert labels.of(Subject("1")) == "B"
    assert labels.of(Subject("name a", "A")) == "id A"
    assert labels.of(None) == ""


def test_what_cannot_be_read_is_named_and_of_all_others_it_is_noted(store, sources):
    sources[1].path.write_bytes(b"junk")
    said = say_subject(list(enumerate(sources)), "Ada", store)
    assert [next(said), next(said)] == [0, 2]
    with pytest.raises(SweepError, match=r"^subject not noted: 1\.mha: [^\n]*$"):
        next(said)
    assert called(store, sources) == ["A", "", "A"]


def test_the_window_hears_no_words_of_a_command(store, sources, monkeypatch):
    def fail(source):
        raise SweepError("1.mha: give --frames", "1.mha: choose the frames")

    for module in (subjects, facts):
        monkeypatch.setattr(module, "read_source", fail)
    with pytest.raises(SweepError, match=r"^subject not noted: 1\.mha: choose the frames$"):
        list(say_subject([(1, sources[1])], "Ada", store))
    (row,) = listed(store, sources[1:2])
    assert row.facts.failed == "1.mha: choose the frames"


def test_a_store_that_is_locked_refuses_in_one_line_and_notes_nothing(store, sources):
    CorrectionStore(store).close()
    other = sqlite3.connect(store, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"another program is writing to it[^\n]*$"):
        say(store, sources, 0, name="Ada")
    other.close()
    assert called(store, sources) == ["", "", ""]
    say(store, sources, 0, name="Ada")
    assert called(store, sources) == ["A", "", ""]


def test_nothing_is_forgotten_of_a_sweep_that_the_store_does_not_know(store, sources):
    assert say(store, sources, 0, name=None) == [0]
    with CorrectionStore(store, "ro") as opened:
        assert opened.sweeps() == []
