"""What the window asks the command to export."""

from pathlib import Path

from napari_fetal_iqa.corrections.export_request import ExportRequest


def test_only_what_was_chosen_becomes_an_option():
    store = Path("a.sqlite")
    plain = ExportRequest(folder="out").command(store)
    assert plain[3:] == ["--for-window", "corrections", "export", "out", "--store", "a.sqlite"]
    whole = ExportRequest(folder="out", reviewer="AK", sweeps="archive").command(store)
    assert whole[len(plain) :] == ["--reviewer", "AK", "--sweeps", "archive"]
