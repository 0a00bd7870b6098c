"""Which reader napari opens sweeps with: asked once, and nobody's own choice is changed."""

import pytest
from napari.settings import get_settings

from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.widgets import reader_choice

pytestmark = pytest.mark.gui

SECONDS = 1000


@pytest.fixture(autouse=True)
def preferences():
    """Preferences as a new user has them, and as they were afterwards."""
    plugins = get_settings().plugins
    before = plugins.extension2reader
    plugins.extension2reader = {}
    yield plugins
    plugins.extension2reader = before


def test_a_yes_lets_napari_open_sweeps_without_asking_and_the_question_does_not_come_again(
    window, tiny_settings, preferences, phantom, tmp_path, qtbot
):
    widget = window()
    notice = widget.welcome.readers
    qtbot.waitUntil(notice.isVisible, timeout=20 * SECONDS)
    notice.buttons[True].click()
    assert not notice.isVisible()
    assert preferences.extension2reader["*.mha"] == "napari-fetal-iqa"
    assert preferences.extension2reader["*.MHA"] == "napari-fetal-iqa"
    assert "*[0-9]" not in preferences.extension2reader
    assert not reader_choice.shall_ask()

    path = tmp_path / "case.MHA"
    write_volume(tmp_path / "case.mha", phantom.sweep.frames, phantom.sweep.spacing_mm)
    (tmp_path / "case.mha").rename(path)
    # as a drop and Ctrl+O do; with two readers and no choice napari would ask in a dialog
    widget.viewer.window._qt_viewer._qt_open([str(path)], stack=False)
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=20 * SECONDS)


def test_a_no_changes_nothing_and_is_the_last_word(window, tiny_settings, preferences):
    widget = window()
    widget.welcome.readers.buttons[False].click()
    assert preferences.extension2reader == {}
    assert not reader_choice.shall_ask()
    preferences.extension2reader = {}
    assert not reader_choice.shall_ask()


def test_a_choice_of_the_person_is_never_overridden(preferences):
    preferences.extension2reader = {"*.mha": "napari", "*.n*": "another-plugin", "/data/": "x"}
    assert reader_choice.shall_ask()
    reader_choice.remember_ours()
    chosen = preferences.extension2reader
    assert chosen["*.mha"] == "napari"
    assert chosen["*.n*"] == "another-plugin"
    assert not {"*.nii", "*.nii.gz", "*.nrrd"} & set(chosen)
    assert chosen["*.dcm"] == "napari-fetal-iqa"


def test_where_every_ending_has_its_reader_nobody_is_asked(preferences):
    preferences.extension2reader = dict.fromkeys(reader_choice.patterns(), "napari")
    assert not reader_choice.shall_ask()
