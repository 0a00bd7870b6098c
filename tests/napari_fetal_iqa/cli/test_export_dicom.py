"""``export-dicom`` as a person types it, with the demo models on a phantom."""

import numpy as np
import pydicom
import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom


@pytest.fixture(scope="module")
def case_file(tmp_path_factory):
    case = make_phantom(PhantomSettings.small(), seed=3)
    path = tmp_path_factory.mktemp("sweeps") / "Jane Doe.mha"
    write_volume(path, case.sweep.frames, case.sweep.spacing_mm)
    return path, case


def test_the_reviewers_outline_is_exported_and_no_name_of_a_file(run, case_file, tmp_path):
    path, case = case_file
    identity = read_sweep(path).identity
    store, frame = tmp_path / "store.sqlite", int(case.labels.argmax())
    with CorrectionStore(store) as opened:
        opened.add_sweep(read_sweep(path))
        opened.set_label(identity, range(len(case.labels)), Label.NONE, "AK")
        opened.set_label(identity, frame, Label.OPTIMAL, "AK")
        opened.set_mask(identity, frame, case.masks[frame] > 0, "AK")
    out = tmp_path / "out"
    told = ("export-dicom", path, "--store", store, "--reviewer", "AK", "--device", "cpu")

    code, printed, errors = run(*told, "--out", out, "--weeks", "24w0d")

    assert code == 0, errors
    assert "AC " in printed
    assert "by dates (intergrowth)" in printed
    exported = pydicom.dcmread(out / "segmentation-1.dcm")
    assert exported.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"
    assert np.array_equal(exported.pixel_array > 0, case.masks[frame] > 0)
    observers = str(pydicom.dcmread(out / "report.dcm"))
    assert "AK" in observers
    for one in out.iterdir():
        assert b"Jane" not in one.read_bytes()
        assert b"store.sqlite" not in one.read_bytes()

    code, _, errors = run(*told, "--out", out)
    assert (code, "new or empty folder" in errors) == (1, True)


def test_bad_usage_says_what_to_do(run, case_file, tmp_path):
    path, _ = case_file
    for wrong, code, said in (
        ((), 2, "--out FOLDER"),
        (("--out", tmp_path / "a", "--weeks", "3 months"), 2, "27w3d"),
        (("--to", "http://archive.example/dicom-web"), 1, "https://"),
        (("--out", tmp_path / "a", "--store", tmp_path / "none"), 1, "no such corrections store"),
    ):
        found, _, errors = run("export-dicom", path, *wrong)
        assert found == code
        assert said in " ".join(errors.replace("│", " ").split())
    assert not (tmp_path / "a").exists()
