"""Whose sweeps are one person's: told by a salted hash, and never by name."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.corrections.corrected_sweeps import gather_corrections
from napari_fetal_iqa.corrections.integrity import check_store, repair
from napari_fetal_iqa.corrections.merge import merge, move_to_disk
from napari_fetal_iqa.corrections.rescuing import rescue
from napari_fetal_iqa.corrections.subject_sources import (
    fill_subjects,
    identity_of,
    subject_of_file,
    subjects_of_folder,
)
from napari_fetal_iqa.corrections.subjects import SALT_FILE, SweepSubject, joined, subject_key
from napari_fetal_iqa.errors import FetalIqaError, StoreError, StoreUnwritableError
from napari_fetal_iqa.io.acouslic import TABLE, list_cases, write_case
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.sweep import SweepVolume

NAME = "Ada Lovelace, 0012"


def volume(seed):
    return SweepVolume(np.random.default_rng(seed).integers(0, 255, (6, 8, 8), dtype=np.uint8))


ONE, OTHER, THIRD = volume(1), volume(2), volume(3)


def filled(path, *sweeps, mode="rwc"):
    store = CorrectionStore(path, mode)
    for sweep in sweeps:
        store.add_sweep(sweep)
        store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    return store


@pytest.fixture
def store(tmp_path):
    with filled(tmp_path / "store.sqlite", ONE, OTHER) as opened:
        yield opened


def test_a_subject_is_known_by_its_key_and_its_name_is_nowhere(store):
    store.set_subject(ONE.identity, NAME)
    store.set_subject(OTHER.identity, f"  {NAME.upper()} ")
    store.close()
    with CorrectionStore(store.path) as reopened:
        found = reopened.subjects()
    assert found[ONE.identity].key == found[OTHER.identity].key
    assert found[ONE.identity].key == subject_key(NAME, found[ONE.identity].salt)
    for written in (store.path, paths.home() / SALT_FILE):
        assert b"lovelace" not in written.read_bytes().lower()
    assert check_store(store.path).problems == ()


def test_another_name_takes_the_place_of_the_first_and_none_takes_it_back(store):
    store.set_subject(ONE.identity, NAME)
    before = store.subjects()[ONE.identity]
    store.set_subject(ONE.identity, "somebody else")
    assert store.subjects()[ONE.identity].key != before.key
    store.set_subject(ONE.identity, None)
    assert store.subjects() == {}
    for name in ("", "  ", "x" * 201):
        with pytest.raises(StoreError, match="as subject"):
            store.set_subject(ONE.identity, name)
    with pytest.raises(StoreError, match="open it first"):
        store.set_subject("0" * 64, NAME)


def test_a_guess_needs_the_salt_of_the_machine(store, monkeypatch, tmp_path):
    store.set_subject(ONE.identity, NAME)
    monkeypatch.setenv("FETAL_IQA_HOME", str(tmp_path / "elsewhere"))
    with filled(tmp_path / "there.sqlite", ONE) as there:
        there.set_subject(ONE.identity, NAME)
        assert there.subjects()[ONE.identity].key != store.subjects()[ONE.identity].key


def test_a_merge_keeps_subjects_and_joins_those_that_one_sweep_tells(store, monkeypatch, tmp_path):
    store.set_subject(ONE.identity, NAME)
    monkeypatch.setenv("FETAL_IQA_HOME", str(tmp_path / "elsewhere"))
    with filled(tmp_path / "there.sqlite", ONE, THIRD) as there:
        there.set_subject(ONE.identity, NAME)
        there.set_subject(THIRD.identity, NAME)
    merge(store, there.path)
    found = store.subjects()
    assert found[THIRD.identity].key == found[ONE.identity].key
    with filled(tmp_path / "new.sqlite", OTHER) as new:
        merge(new, there.path)
        new.set_subject(OTHER.identity, NAME)  # known by the key that came with the merge
        assert len({one.key for one in new.subjects().values()}) == 1


def test_the_sweeps_of_several_stores_know_their_subject_by_one_key(store, monkeypatch, tmp_path):
    store.set_subject(ONE.identity, NAME)
    store.set_subject(OTHER.identity, NAME)
    monkeypatch.setenv("FETAL_IQA_HOME", str(tmp_path / "elsewhere"))
    with filled(tmp_path / "there.sqlite", OTHER, THIRD) as there:
        there.set_subject(OTHER.identity, NAME)
        there.set_subject(THIRD.identity, NAME)
        gathered = gather_corrections([store, there])
    assert len(gathered) == 3
    assert len({sweep.subject for sweep in gathered}) == 1
    assert joined({"a": "xy", "b": "yz", "c": "w"}) == {"a": "x", "b": "x", "c": "w"}


def test_a_store_of_the_third_version_learns_of_subjects(store):
    store.close()
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("DROP TABLE subject")
        connection.execute("DROP TABLE caliper")
        connection.execute("DROP TABLE remark")
        connection.execute("DROP TABLE age")
        connection.execute("PRAGMA user_version = 3")
    with CorrectionStore(store.path, "ro") as untouched:
        assert untouched.subjects() == {}
    with CorrectionStore(store.path) as reopened:
        reopened.set_subject(ONE.identity, NAME)
        assert list(reopened.subjects()) == [ONE.identity]
        assert reopened.corrections(ONE.identity)[1].label is Label.OPTIMAL


def test_a_damaged_subject_is_named_passed_over_and_left_out_of_the_repair(
    store, tmp_path, write_raw
):
    store.set_subject(ONE.identity, NAME)
    store.close()
    write_raw(store.path, OTHER.identity, "subject", key="Ada", salt="0" * 32)
    with CorrectionStore(store.path) as reopened:
        assert list(reopened.subjects()) == [ONE.identity]
    assert "expected a salted hash" in check_store(store.path).problems[0]
    repair(store.path, tmp_path / "mended.sqlite")
    with CorrectionStore(tmp_path / "mended.sqlite") as mended:
        assert list(mended.subjects()) == [ONE.identity]


def test_what_was_said_in_memory_comes_to_disk(tmp_path):
    kept = filled(tmp_path / "kept.sqlite", ONE, mode="memory")
    kept.set_subject(ONE.identity, NAME)
    with move_to_disk(kept) as store:
        assert list(store.subjects()) == [ONE.identity]


def test_a_folder_in_the_layout_says_whose_sweeps_are_whose(tmp_path):
    folder = tmp_path / "acouslic"
    masks = np.zeros((6, 8, 8), np.uint8)
    for name, sweep in (("a", ONE), ("b", OTHER), ("c", THIRD)):
        subject = "12" if name == "c" else "7"
        write_case(folder, name, sweep, masks, [None] * 6, subject_id=subject)
    places = [case.image_path for case in list_cases(folder)]
    assert [subject_of_file(place) for place in places] == ["7", "7", "12"]
    assert subject_of_file(tmp_path / "a.mha") is None
    with filled(tmp_path / "store.sqlite", ONE, OTHER, THIRD) as store:
        store.set_subject(ONE.identity, NAME)
        for sweep, place in zip((ONE, OTHER, THIRD), places, strict=True):
            paths.remember_location(sweep.identity, place)
        assert fill_subjects(store) == 2
        assert store.subjects()[ONE.identity].key != store.subjects()[OTHER.identity].key
        assert subjects_of_folder(folder, {THIRD.identity}) == {THIRD.identity: "12"}
        assert identity_of(str(places[2]), store) == THIRD.identity
        assert identity_of(THIRD.identity[:8], store) == THIRD.identity
        with pytest.raises(StoreError, match="no sweeps by"):
            identity_of("00", store)
    with pytest.raises(FetalIqaError, match="none of its cases whose subject is named"):
        subjects_of_folder(folder, set())


def test_a_table_that_names_no_subject_takes_nothing_back(tmp_path):
    folder = tmp_path / "acouslic"
    for name, sweep in (("a", ONE), ("b", OTHER)):
        write_case(folder, name, sweep, np.zeros((6, 8, 8), np.uint8), [None] * 6, subject_id="7")
    table = folder / TABLE
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], "a", *lines[2:]]))  # a line that ends early
    known = {ONE.identity, OTHER.identity}
    assert subjects_of_folder(folder, known) == {OTHER.identity: "7"}
    assert subject_of_file(list_cases(folder)[0].image_path) is None


@pytest.mark.parametrize("key", ["", "x" * 64, "A" * 64])
def test_what_is_no_salted_hash_is_never_taken_over(store, key):
    with pytest.raises(StoreError, match="expected a salted hash"):
        store.take_over_subjects([SweepSubject(ONE.identity, key, "0" * 32)])
    assert store.subjects() == {}


def test_a_subject_that_cannot_be_written_waits_and_is_rescued(tmp_path):
    store = filled(tmp_path / "store.sqlite", ONE, OTHER)
    store.set_subject(OTHER.identity, NAME)
    store.set_wait(0)
    lock = sqlite3.connect(store.path, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnwritableError):
        store.set_subject(ONE.identity, NAME)
    with pytest.raises(StoreUnwritableError):
        store.set_subject(OTHER.identity, None)
    assert store.subject(ONE.identity) is not None
    assert store.subject(OTHER.identity) is None
    with CorrectionStore(rescue(store)) as rescued:
        assert list(rescued.subjects()) == [ONE.identity]
    lock.execute("ROLLBACK")
    lock.close()
    store.write_waiting()
    assert store.waiting == ()
    store.close()
    with CorrectionStore(tmp_path / "store.sqlite") as reopened:
        assert list(reopened.subjects()) == [ONE.identity]
