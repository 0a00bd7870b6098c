"""Where rescued corrections lie, how they are found again, and how they get into their store."""

import os

import numpy as np
import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Label, rescue
from napari_fetal_iqa.corrections.rescued import look_for_rescued, merge_rescued, tidy
from napari_fetal_iqa.corrections.rescuing import rescues_of
from napari_fetal_iqa.errors import StoreError, StoreUnwritableError
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.sweep import SweepVolume

SWEEP = SweepVolume(np.arange(6 * 24 * 32, dtype=np.uint8).reshape(6, 24, 32))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study" / "corrections.sqlite"


def unwritable(path, frames=3):
    """A store that takes nothing more, with so many labels that wait."""
    store = CorrectionStore(path)
    store.add_sweep(SWEEP)
    store.set_label(SWEEP.identity, 5, Label.NONE, "AK")
    store._connection.execute("PRAGMA query_only = ON")
    for frame in range(frames):
        with pytest.raises(StoreUnwritableError):
            store.set_label(SWEEP.identity, frame, Label.OPTIMAL, "AK")
    return store


def labelled(path):
    with CorrectionStore(path) as store:
        return sorted(store.corrections(SWEEP.identity, "AK"))


def test_rescued_corrections_lie_beside_their_store_and_are_merged_whole(path):
    with unwritable(path) as store:
        rescued = rescue(store)
    assert rescued.parent == path.parent
    assert rescued.name.startswith("corrections.rescued-")
    (found,) = look_for_rescued(path)
    assert (found.path, found.corrections, found.problem) == (rescued, 3, "")
    assert merge_rescued(path, rescued).events == 3
    assert labelled(path) == [0, 1, 2, 5]
    assert look_for_rescued(path) == []
    (kept,) = path.parent.glob("corrections.merged-*.sqlite")
    assert labelled(kept) == [0, 1, 2]


@pytest.mark.skipif(os.name != "posix", reason="a folder that cannot be written")
def test_where_the_folder_cannot_be_written_it_is_the_applications_then_a_temporary_one(
    path, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    home = tmp_path / "home"
    monkeypatch.setenv("FETAL_IQA_HOME", str(home))
    refused = []
    write = "napari_fetal_iqa.corrections.rescuing.Path.open"
    opened = type(path).open

    def refuse(self, *arguments, **named):
        if any(folder in self.parents for folder in refused):
            raise PermissionError(13, "Permission denied")
        return opened(self, *arguments, **named)

    monkeypatch.setattr(write, refuse)
    with unwritable(path) as store:
        refused.append(path.parent)
        at_home = rescue(store)
        refused.append(home)
        temporary = rescue(store)
        assert temporary.is_relative_to(tmp_path)
        assert [one.path for one in look_for_rescued(path)] == [at_home, temporary]
    assert at_home.is_relative_to(paths.home())
    other = tmp_path / "other" / "corrections.sqlite"  # of one name, and not of one study
    assert rescues_of(other) == []


def test_a_rescue_that_holds_nothing_new_asks_nobody(path):
    with unwritable(path) as store:
        rescue(store)
        store._connection.execute("PRAGMA query_only = OFF")
        store.write_waiting()
    found = look_for_rescued(path)
    assert [one.corrections for one in found] == [0]
    assert tidy(found) == []
    assert rescues_of(path) == []
    assert list(path.parent.glob("corrections.merged-*.sqlite"))


def test_a_damaged_rescue_is_refused_whole_and_stays(path):
    with unwritable(path) as store:
        rescued = rescue(store)
    rescued.write_bytes(rescued.read_bytes()[:5000])
    (found,) = look_for_rescued(path)
    assert found.corrections == 0
    assert found.problem
    assert "--" not in found.problem
    with pytest.raises(StoreError) as refused:
        merge_rescued(path, rescued)
    assert "--repair" not in refused.value.in_window
    assert labelled(path) == [5]
    assert rescues_of(path) == [rescued]


def test_what_is_saved_elsewhere_is_added_to_a_store_and_overwrites_nothing(path, tmp_path):
    notes = tmp_path / "notes.sqlite"
    notes.write_bytes(b"these are my notes")
    other = tmp_path / "other.sqlite"
    with CorrectionStore(other) as there:
        there.add_sweep(SWEEP)
        there.set_label(SWEEP.identity, 4, Label.NONE, "AK")
    with unwritable(path) as store:
        for refused in (notes, path):
            with pytest.raises(StoreError):
                rescue(store, refused)
        assert rescue(store, other) == other
    assert notes.read_bytes() == b"these are my notes"
    assert labelled(other) == [0, 1, 2, 4]


def test_a_rescue_that_cannot_be_written_leaves_no_file(path, tmp_path, monkeypatch):
    def full(*_, **__):
        raise StoreUnwritableError("the disk is full")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with unwritable(path) as store:
        monkeypatch.setattr(CorrectionStore, "take_over", full)
        with pytest.raises(StoreError, match="full"):
            rescue(store)
    assert rescues_of(path) == []
    assert not list(tmp_path.glob("fetal-iqa-rescued-*"))
    assert {one.name for one in path.parent.iterdir()} <= {path.name, f"{path.name}-journal"}
