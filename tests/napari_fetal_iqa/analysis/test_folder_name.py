"""Results stay inside their folder, whatever a sweep is called."""

from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fetal_iqa.analysis.files import folder_name

NAMES = {
    "case_17": "case_17",
    "Bauch Größe 3.5": "Bauch Größe 3.5",
    ".hidden": ".hidden",
    "": "sweep",
    ".": "sweep",
    "..": "sweep",
    "...": "sweep",
    " . ": "sweep",
    "a/b": "a_b",
    "../../etc": ".._.._etc",
    "a\\b": "a_b",
    "C:\\x": "C__x",
    "a\nb\0c": "a_b_c",
    "trailing. ": "trailing",
    "con": "_con",
    "COM1.mha": "_COM1.mha",
    "LPT\u00b9": "_LPT\u00b9",
    "console": "console",
    "what?*": "what__",
}


@pytest.mark.parametrize(("name", "folder"), NAMES.items())
def test_a_name_loses_only_what_leads_elsewhere_or_is_refused(name, folder):
    assert folder_name(name) == folder


@given(st.text() | st.text("./\\ \0:con1") | st.text("腹é𝔸a", min_size=60))
def test_any_name_is_one_part_of_a_path_below_its_folder(name):
    folder = folder_name(name)

    assert (Path("out") / folder).parent == Path("out")
    assert (PureWindowsPath("out") / folder).parent == PureWindowsPath("out")
    assert folder not in ("", ".", "..")
    assert 0 < len(folder.encode()) <= 201
    assert not PureWindowsPath(folder).is_reserved()
    assert folder_name(folder) == folder


@pytest.mark.parametrize("name", ["a" * 300, "腹" * 300])
def test_a_long_name_is_cut_between_letters(name):
    assert name.startswith(folder_name(name))
