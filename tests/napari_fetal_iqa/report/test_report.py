"""The page of a case: what it says, what it never says, and that it is one page."""

import csv
import io
import json
import re
from contextlib import ExitStack
from datetime import UTC, date, datetime

import numpy as np
import pypdfium2
import pytest

from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, FrameResults, ModelRef
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.dicom_out.findings import findings_of
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.geometry.caliper import Caliper, CaliperMeasure
from napari_fetal_iqa.geometry.ellipse import ramanujan_perimeter
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.growth.weight import estimate_weight
from napari_fetal_iqa.report.content import Entered, report_content
from napari_fetal_iqa.report.html import html_page
from napari_fetal_iqa.report.pdf import pdf_page
from napari_fetal_iqa.report.pictures import growth_picture
from napari_fetal_iqa.report.tables import COLUMNS, csv_row, observations
from napari_fetal_iqa.review.examination.aggregate import ModelError
from napari_fetal_iqa.review.examination.earlier import Earlier, EarlierMeasurement
from napari_fetal_iqa.review.examination.examination import Examination
from napari_fetal_iqa.review.reviewed_frames import ReviewedFrames
from napari_fetal_iqa.sweep import SweepVolume

SHAPE, RADIUS = (96, 128), 36
SETUP = AnalysisSetup(
    ModelRef(id="cls-0000", hash="0" * 64, name="quality", demo=True),
    ModelRef(id="seg-1111", hash="1" * 64, name="outline", demo=True),
)
ERROR = ModelError(scale=1.7, cases=60, what="60 simulated cases")
MADE = datetime(2026, 11, 30, 12, 5, tzinfo=UTC)
AGE = Entered(Dating.from_weeks("28w0d"), date(2026, 11, 30))


@pytest.fixture
def examination(tmp_path):
    with ExitStack() as opened:

        def made(found=range(3, 8), spacing=(1.0, 1.0), name="DOE^JANE", error=ERROR, **known):
            frames = np.random.default_rng(0).integers(1, 255, (40, *SHAPE), dtype=np.uint8)
            sweep = SweepVolume(frames, spacing, bounds=((0, 20), (20, 40)), name=name, **known)
            rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
            disc = (rows - 48) ** 2 + (columns - 64) ** 2 <= RADIUS**2
            shows = np.isin(np.arange(40), list(found))
            analysis = Analysis(sweep, SETUP)
            analysis.add(
                FrameResults(
                    frames=np.arange(40),
                    quality=np.where(shows, 0.9, 0.1).astype(np.float32),
                    area_fraction=np.where(shows, 0.2, 0.0).astype(np.float32),
                    masks=tuple(encode_mask(disc & bool(one)) for one in shows),
                    ac_mm=np.full(40, np.nan),
                    non_black=np.ones(40, bool),
                    seconds={},
                )
            )
            store = opened.enter_context(CorrectionStore(tmp_path / "store.sqlite", "memory"))
            store.add_sweep(sweep)
            reviewed = ReviewedFrames(sweep, store, "AK")
            reviewed.analysis = analysis
            return Examination([reviewed], error)

        yield made


ROUND = Caliper(((48.0, 24.0), (48.0, 104.0), (16.0, 64.0), (80.0, 64.0)))


def with_head(examination):
    """Return a case whose reviewer judged the best frame, and measured head and femur on others."""
    volume = examination().volumes[0]
    store, identity = volume._store, volume.sweep.identity
    frame = volume.best_frame()
    store.judge(identity, frame, Criterion.STOMACH, True, "AK")
    store.judge(identity, frame, Criterion.NO_KIDNEYS, False, "AK")
    for at, caliper, measure in (
        (20, ROUND, CaliperMeasure.HC),
        (20, Caliper(((10.0, 20.0), (70.0, 20.0))), CaliperMeasure.BPD),
        (21, Caliper(((10.0, 20.0), (74.0, 20.0))), CaliperMeasure.BPD),
        (30, Caliper(((10.0, 20.0), (10.0, 66.0))), CaliperMeasure.FL),
        (31, Caliper(((10.0, 20.0), (10.0, 99.0))), None),
    ):
        mark = store.set_caliper(identity, at, caliper, "AK")
        placed = next(one for one in store.calipers(identity, "AK") if one.mark == mark)
        if measure is not None:
            store.name_caliper(identity, placed, measure, "AK")
    return Examination([volume], ERROR)


@pytest.fixture
def content(examination):
    return report_content(examination(), "AK", MADE, AGE)


def text_of(pdf):
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 1
    text = document[0].get_textpage().get_text_range()
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_one_page_says_what_was_measured_how_sure_it_is_and_by_whom(content, paper):
    text = text_of(pdf_page(content, paper))
    value = content.circumference.circumference_mm
    assert value == pytest.approx(2 * np.pi * RADIUS, rel=0.01)
    low, high = content.circumference.interval_mm
    for said in (
        f"AC {value:.1f} mm",
        f"90 % interval {low:.1f} to {high:.1f} mm",
        "60 simulated cases",
        "centile, z -",
        "28w0d (as entered)",
        "not used for the centile",
        "sweep 1, frame",
        "Reviewer AK",
        "cls-0000",
        "1" * 16,
        "Research software, not a medical device.",
        "not for clinical use",
        "Date and signature",
    ):
        assert said in text


def test_the_two_layouts_say_the_same(content):
    html = html_page(content)
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.replace("&#39;", "'")))
    pdf = text_of(pdf_page(content))
    for said in (content.value, content.interval, content.made_of, content.growth.words):
        assert said in words
        assert said in pdf


def test_the_page_fetches_nothing_and_runs_nothing(content):
    html = html_page(content)
    assert "<script" not in html
    assert not re.search(r"(src|href)=\"(?!data:image/png;base64,)", html)


def test_no_name_stands_there_but_the_one_that_was_typed(examination):
    """File names often hold a patient's name, so that none gets onto the page."""
    content = report_content(examination(), "AK", MADE, AGE)
    outputs = [
        text_of(pdf_page(content)),
        html_page(content),
        json.dumps(observations(content)),
        csv_row(content),
    ]
    assert not any("DOE^JANE" in output for output in outputs)
    typed = report_content(examination(), "AK", MADE, Entered(name="<b>Mary & John</b> {{7*7}}"))
    assert "<b>Mary & John</b> {{7*7}}" in text_of(pdf_page(typed))
    assert "&lt;b&gt;Mary &amp; John&lt;/b&gt; {{7*7}}" in html_page(typed)
    assert "Mary" not in json.dumps(observations(typed)) + csv_row(typed)


@pytest.mark.parametrize("name", ["Żaneta Łuk", "Жанна", "Şükrü Öz", "Ελένη", "Nguyễn Thị"])
def test_a_name_is_printed_in_letters_and_not_as_boxes(examination, name):
    text = text_of(pdf_page(report_content(examination(), name, MADE, Entered(name=name))))
    assert f"circumference: {name}" in text
    assert f"Reviewer {name}" in text


@pytest.mark.parametrize("name", ["王芳", "שרה", "سارة"])
def test_a_name_that_a_pdf_would_show_wrong_is_refused_and_stands_in_the_other_page(
    examination, name
):
    content = report_content(examination(), "AK", MADE, Entered(name=name))
    with pytest.raises(FetalIqaError, match=r"cannot show .* as \.html"):
        pdf_page(content)
    assert name in html_page(content)


def test_the_page_of_a_phantom_says_that_nobody_was_examined(examination, content):
    phantom = report_content(examination(simulated=True), "AK", MADE)
    said = "A simulated sweep: no patient was examined."
    assert said in html_page(phantom)
    assert said not in html_page(content)
    assert said in csv_row(phantom)


def test_without_an_age_by_dates_there_is_no_centile(examination):
    content = report_content(examination(), "AK", MADE)
    assert content.growth.centile is None
    assert "no centile: the age by dates was not entered" in text_of(pdf_page(content))
    assert content.age_by_ac_weeks is not None  # known all the same, and not used


def test_an_age_beyond_the_chart_is_told_with_its_range(examination):
    late = Entered(Dating.from_weeks("41w0d"))
    content = report_content(examination(), "AK", MADE, late)
    said = "is for 14 to 40 weeks, not for 41.0"
    assert said in html_page(content)
    assert said in next(csv.DictReader(io.StringIO(csv_row(content))))["growth_words"]
    entries = [entry["resource"] for entry in observations(content)["entry"]]
    absent = [one["dataAbsentReason"]["text"] for one in entries if "dataAbsentReason" in one]
    assert len(absent) == 1
    assert said in absent[0]
    ages = [one for one in entries if one["code"].get("text") == "Gestational age by dates"]
    assert [one["valueQuantity"]["value"] for one in ages] == [41 * 7]


def test_what_cannot_be_measured_is_never_a_number(examination):
    for case, why in (
        (examination(spacing=None), "the sweep has no spacing in mm"),
        (examination(found=()), "no frame shows the abdomen well enough"),
    ):
        content = report_content(case, "AK", MADE, AGE)
        text = text_of(pdf_page(content))
        assert f"AC not measured: {why}" in text
        assert "centile, z" not in text
        row = next(csv.DictReader(io.StringIO(csv_row(content))))
        assert row["ac_mm"] == row["low_mm"] == row["centile"] == ""
        entry = observations(content)["entry"][0]
        assert "valueQuantity" not in entry["resource"]
        assert why in entry["resource"]["dataAbsentReason"]["text"]


def test_a_sweep_without_mm_beside_one_with_is_told_in_every_form(examination):
    with_mm, without = examination(), examination(spacing=None)
    other = without.volumes[0]
    changed = SweepVolume(np.array(other.sweep.frames) // 2, None, name="other")
    other._store.add_sweep(changed)
    case = Examination([*with_mm.volumes, ReviewedFrames(changed, other._store, "AK")], ERROR)
    content = report_content(case, "AK", MADE, AGE)
    said = "1 of 2 sweep files without a spacing in mm, not measured"
    assert content.value.endswith(" mm")
    assert said in text_of(pdf_page(content))
    assert said in json.dumps(observations(content))
    assert said in csv_row(content)
    assert f"{said}." in findings_of(case).notes


def test_models_that_were_never_compared_give_no_interval(examination):
    content = report_content(examination(error=None), "AK", MADE, AGE)
    assert "no interval: these models were never compared" in text_of(pdf_page(content))


def test_the_row_and_the_observations_hold_the_page(content):
    row = next(csv.DictReader(io.StringIO(csv_row(content))))
    assert tuple(row) == COLUMNS
    assert float(row["ac_mm"]) == pytest.approx(content.circumference.circumference_mm, abs=0.05)
    assert row["best_frame"] == str(content.best[0].place[2])
    entries = [entry["resource"] for entry in observations(content)["entry"]]
    codes = [entry["code"].get("coding", [{}])[0].get("code") for entry in entries]
    assert codes == ["11979-2", "18185-9", None, None, None, None]
    assert entries[0]["valueQuantity"]["code"] == "mm"
    assert entries[1]["valueQuantity"] == {
        "value": round(7 * content.age_by_ac_weeks),
        "unit": "d",
        "system": "http://unitsofmeasure.org",
        "code": "d",
    }


def test_criteria_head_and_weight_stand_in_every_form(examination):
    content = report_content(with_head(examination), "AK", MADE, AGE)
    text = text_of(pdf_page(content))
    ac = content.circumference.circumference_mm
    around = ramanujan_perimeter(40, 32)
    weights = estimate_weight(ac, around, 62.0, 46.0)
    assert len(weights) == 2
    for said in (
        "best frame meets 3 of 6, 2 not judged",
        "stomach bubble visible",
        "abdomen fills 30 % of the image (computed)",
        "not met: kidneys not visible",
        f"HC {around:.1f} mm",
        "mean of 2 calipers, 60.0 to 64.0 mm",
        "FL 46.0 mm; one caliper",
        *(f"{one.grams:.0f} g by {one.formula}" for one in weights),
    ):
        assert said in text
    row = next(csv.DictReader(io.StringIO(csv_row(content))))
    assert (row["plane_score"], row["plane_judged"]) == ("3", "4")
    assert (row["stomach"], row["no_kidneys"], row["portal_sinus"]) == ("1", "0", "")
    assert row["computed_criteria"] == "fills_image ellipse_placed"
    assert (row["bpd_mm"], row["fl_mm"], row["ofd_mm"]) == ("62.0", "46.0", "")
    assert row["hc_centile"] != ""
    assert row["weight_g"].split() == [f"{one.grams:.0f}" for one in weights]
    entries = [entry["resource"] for entry in observations(content)["entry"]]
    codes = [entry["code"].get("coding", [{}])[0].get("code") for entry in entries]
    assert codes[4:] == ["11727-5", "11727-5", None, "11984-2", "11820-8", "11963-6", None]
    assert entries[-1]["valueInteger"] == 3


def test_without_named_calipers_there_is_no_head_and_no_weight(content):
    assert content.measures == ()
    assert content.weights == ()
    assert "Weight" not in text_of(pdf_page(content))


def test_earlier_measurements_of_the_subject_stand_on_the_chart_and_in_words(examination):
    case = examination()

    def earlier(*days):
        return Earlier(
            tuple(EarlierMeasurement(one, case.circumference, 1) for one in days),
            (("without an age by dates", 2),),
        )

    found = report_content(case, "AK", MADE, AGE, earlier(90, 150, 180))
    alone = report_content(case, "AK", MADE, AGE)
    assert [one.days for one in found.charted] == [150, 180]  # the chart begins at 14 weeks
    assert growth_picture(found) != growth_picture(alone)
    for said in (
        "3 of the same subject",
        "21w3d 22",
        "left out: 2 sweep files without an age by dates",
        "1 outside the chart's ages, not drawn",
    ):
        assert said in text_of(pdf_page(found))
        assert said in html_page(found).replace("&#39;", "'")
    (row,) = csv.DictReader(io.StringIO(csv_row(found)))
    assert row["earlier_ages"] == "12w6d 21w3d 25w5d"
    entries = [one["resource"] for one in observations(found)["entry"]]
    tied = [one for one in entries if one["code"].get("text", "").startswith("Earlier")]
    assert [one["component"][0]["valueQuantity"]["value"] for one in tied] == [90, 150, 180]
    assert all("effectiveDateTime" not in one for one in tied)  # which day it was is not known
    assert "Earlier" not in text_of(pdf_page(alone))
