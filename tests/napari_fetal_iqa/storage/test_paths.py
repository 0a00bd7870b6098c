"""What the machine remembers, and how it copes with damage."""

import logging

import pytest

from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import (
    Settings,
    load_settings,
    save_changes,
    save_settings,
    suggested_reviewer,
)


def test_a_sweep_is_found_where_it_was_last_seen(tmp_path):
    paths.remember_location("abc", tmp_path / "old.mha")
    paths.remember_location("abc", tmp_path / "new.mha")
    paths.remember_location("xyz", tmp_path / "other.mha")
    assert paths.known_location("abc") == tmp_path / "new.mha"
    assert paths.known_location("nothing") is None


def test_a_damaged_list_of_sweeps_is_begun_anew(tmp_path, caplog):
    paths.remember_location("abc", tmp_path / "a.mha")
    (paths.home() / "sweep-locations.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert paths.known_location("abc") is None
    assert "damaged" in caplog.text
    (paths.home() / "sweep-locations.json").write_text("[1]")
    assert paths.known_location("abc") is None
    paths.remember_location("abc", tmp_path / "a.mha")
    assert paths.known_location("abc") == tmp_path / "a.mha"


def test_the_users_own_folders_are_used_without_a_choice(monkeypatch):
    monkeypatch.delenv("FETAL_IQA_HOME")
    assert paths.home().name == "napari-fetal-iqa"
    assert paths.cache() != paths.home()
    assert paths.default_store().parent == paths.home()


def test_settings_come_back_after_a_restart():
    assert load_settings() == Settings()
    save_settings(Settings(reviewer="AK", analyse_on_open=False))
    assert load_settings() == Settings(reviewer="AK", analyse_on_open=False)


def test_damaged_settings_become_defaults(caplog):
    save_settings(Settings(reviewer="AK"))
    (paths.home() / "settings.json").write_text('{"reviewer": 7}')
    with caplog.at_level(logging.WARNING):
        assert load_settings() == Settings()
    assert "defaults" in caplog.text


def test_a_reviewer_is_proposed_even_where_the_account_has_no_name(monkeypatch):
    assert suggested_reviewer()

    def nobody() -> str:
        raise KeyError("uid")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert suggested_reviewer() == "reviewer"


def test_only_what_was_changed_is_saved():
    shown = Settings(reviewer="AK")
    save_settings(Settings(reviewer="AK", cls_model="taken into use since"))
    save_changes(shown, shown.model_copy(update={"reviewer": "BM"}))
    assert load_settings() == Settings(reviewer="BM", cls_model="taken into use since")


def test_only_a_small_file_is_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes("ä".encode())
    assert paths.read_small_text(path) == "ä"
    assert paths.read_small_text(path, largest=2) == "ä"
    for content in (b"\xff", b"abc"):
        path.write_bytes(content)
        with pytest.raises((OSError, ValueError)):
            paths.read_small_text(path, largest=2)
    for missing in (tmp_path, tmp_path / "b.json"):
        with pytest.raises(OSError, match="no such file"):
            paths.read_small_text(missing)
