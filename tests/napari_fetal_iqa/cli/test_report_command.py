"""``report`` as a person types it, with the demo models on a phantom."""

import csv

import pypdfium2
import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom


@pytest.fixture(scope="module")
def case_file(tmp_path_factory):
    case = make_phantom(PhantomSettings.small(), seed=3)
    path = tmp_path_factory.mktemp("sweeps") / "Jane Doe.mha"
    write_volume(path, case.sweep.frames, case.sweep.spacing_mm)
    return path, case


def test_a_case_becomes_a_page_and_a_row(run, case_file, tmp_path):
    path, case = case_file
    page, row = tmp_path / "case.pdf", tmp_path / "case.csv"
    code, out, err = run("report", path, "--out", page, "--weeks", "28w0d", "--device", "cpu")
    assert code == 0, err
    assert "AC " in out
    assert "Research software" in out
    assert len(pypdfium2.PdfDocument(page)) == 1
    assert b"Jane" not in page.read_bytes()
    assert run("report", path, "--out", row, "--device", "cpu")[0] == 0
    (facts,) = csv.DictReader(row.open(encoding="utf-8"))
    assert facts["sweeps"] == case.sweep.identity[:8]
    assert facts["age_by_dates"] == ""


def test_what_the_reviewer_outlined_is_the_result(run, case_file, tmp_path):
    path, case = case_file
    sweep = read_sweep(path)
    store, row = tmp_path / "store.sqlite", tmp_path / "case.csv"
    frame = int(case.labels.argmax())
    with CorrectionStore(store) as opened:
        opened.add_sweep(sweep)
        opened.set_label(sweep.identity, frame, Label.OPTIMAL, "AK")
        opened.set_mask(sweep.identity, frame, case.masks[frame] > 0, "AK")
    told = ("report", path, "--out", row, "--store", store, "--device", "cpu")
    code, _, err = run(*told, "--reviewer", "someone else")
    assert code == 0
    assert "there are some corrections by AK: choose with --reviewer" in err
    assert run(*told, "--reviewer", "AK")[0] == 0
    (facts,) = csv.DictReader(row.open(encoding="utf-8"))
    assert (facts["by_expert"], facts["frames"]) == ("1", "1")
    assert float(facts["ac_mm"]) == pytest.approx(case.ac_mm[frame], rel=0.02)


def test_the_age_that_is_kept_counts_until_an_option_overrules_it(run, case_file, tmp_path):
    path, _ = case_file
    sweep = read_sweep(path)
    store, row = tmp_path / "store.sqlite", tmp_path / "case.csv"
    with CorrectionStore(store) as opened:
        opened.add_sweep(sweep)
        opened.set_age(sweep.identity, Dating("LMP", 196))
    told = ("report", path, "--out", row, "--store", store, "--device", "cpu")
    for options, age, said in (
        ((), "28w0d", "age by dates 28w0d (by LMP), as kept with the review"),
        (("--weeks", "27w3d"), "27w3d", "instead of 28w0d (by LMP) kept with the review"),
    ):
        code, _, err = run(*told, *options)
        assert code == 0, err
        assert said in err
        (facts,) = csv.DictReader(row.open(encoding="utf-8"))
        assert facts["age_by_dates"] == age
        assert facts["centile"] != ""


def test_bad_usage_says_what_to_do(run, case_file, tmp_path):
    path, _ = case_file
    out = tmp_path / "case.pdf"
    for wrong, said in (
        (("--out", tmp_path / "case.docx"), ".pdf"),
        (("--out", out, "--weeks", "3 months"), "27w3d"),
        (("--out", out, "--lmp", "2026-05-25"), "--examined"),
        (("--out", out, "--weeks", "27w3d", "--lmp", "2026-05-25"), "one of"),
        (("--out", out, "--edd", "2020-05-25", "--examined", "2026-11-30"), "no age"),
    ):
        code, _, err = run("report", path, *wrong)
        assert code == 2
        assert said in " ".join(err.replace("│", " ").split())
    assert run("report", path, path, "--out", out, "--device", "cpu")[0] == 1
    code, _, err = run("report", path, "--out", tmp_path / "no" / "case.pdf")
    assert (code, err.count("\n")) == (1, 1)
    assert not out.exists()
