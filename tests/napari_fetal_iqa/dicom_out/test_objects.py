"""A case as DICOM: valid for dciodvfy, and read back by highdicom and SimpleITK."""

from datetime import datetime

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom import uid

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.dicom_out.objects import masks_that_count, objects_of_case
from napari_fetal_iqa.errors import FetalIqaError, SweepError
from napari_fetal_iqa.geometry.caliper import Caliper, CaliperMeasure
from napari_fetal_iqa.growth.charts import find_chart
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.review.examination.examination import Examination

from ..dicom_validator import errors_of
from .cases import disc, frames_of_case, review

NOW = datetime(2026, 11, 30, 12, 30)
PATIENT = {
    "SpecificCharacterSet": "ISO_IR 192",
    "StudyInstanceUID": "1.2.3.1",
    "PatientName": "Müller^Zoë",
    "PatientID": "0815",
}


@pytest.fixture
def store(tmp_path):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        yield store


def multi_frame(save_dicom, tmp_path, number=0):
    return save_dicom(
        f"sweep-{number}.dcm",
        frames_of_case(seed=number),
        PixelSpacing=[1.5, 1.5],
        SeriesInstanceUID=f"1.2.3.2.{number}",
        **PATIENT,
    )


def as_one_dicom(save_dicom, tmp_path):
    return [SweepSource(multi_frame(save_dicom, tmp_path))]


def as_six_dicom(save_dicom, tmp_path):
    return [SweepSource(multi_frame(save_dicom, tmp_path, number)) for number in range(6)]


def as_single_frames(save_dicom, tmp_path):
    for number, frame in enumerate(frames_of_case(), start=1):
        save_dicom(
            f"single/{number}",
            frame[None],
            PixelSpacing=[1.5, 1.5],
            InstanceNumber=number,
            SeriesInstanceUID="1.2.3.2",
            SOPClassUID=uid.UltrasoundImageStorage,
            **PATIENT,
        )
    return [SweepSource(tmp_path / "single")]


def as_folder_of_cines(save_dicom, tmp_path):
    for number in range(6):
        save_dicom(
            f"study/sweep-{number}.dcm",
            frames_of_case(seed=number),
            PixelSpacing=[1.5, 1.5],
            SeriesInstanceUID=f"1.2.3.2.{number}",
            **PATIENT,
        )
    return [SweepSource(tmp_path / "study")]


def as_metaimage(save_dicom, tmp_path):
    path = tmp_path / "case.mha"
    write_volume(path, frames_of_case(), (1.5, 1.5), frames_per_sweep=4)
    return [SweepSource(path)]


SOURCES = [as_one_dicom, as_six_dicom, as_single_frames, as_folder_of_cines, as_metaimage]


@pytest.mark.parametrize("make", SOURCES, ids=[make.__name__ for make in SOURCES])
def test_every_object_is_valid_and_read_back(make, save_dicom, tmp_path, store):
    sources = make(save_dicom, tmp_path)
    sweeps = [read_sweep(source.path) for source in sources]
    volumes = [review(sweep, store) for sweep in sweeps]
    volumes[0].set_mask(5, disc(19))
    case = Examination(volumes)

    made = objects_of_case(
        sources, case, "AK", NOW, Dating.from_weeks("28w0d"), find_chart("AC", "hadlock")
    )
    made.write(tmp_path / "out")

    for path in sorted((tmp_path / "out").iterdir()):
        assert errors_of(path) == [], path.name
    assert made.made_images == (make is as_metaimage)
    for number, volume in enumerate(volumes, start=1):
        path = tmp_path / "out" / f"segmentation-{number}.dcm"
        expected = masks_that_count(volume)
        check_masks(path, expected)
        of_disc = np.count_nonzero(disc(19))
        assert np.count_nonzero(expected[5]) == (of_disc if number == 1 else np.sum(disc(18)))
    check_report(tmp_path / "out" / "report.dcm", made, volumes, sources)
    picture = pydicom.dcmread(tmp_path / "out" / "picture.dcm").pixel_array
    assert (picture[..., 0] != picture[..., 2]).any()
    studies = {pydicom.dcmread(path).StudyInstanceUID for path in (tmp_path / "out").iterdir()}
    names = {str(pydicom.dcmread(path).PatientName) for path in (tmp_path / "out").iterdir()}
    if make is as_metaimage:
        assert names == {""}
        assert np.array_equal(read_made(tmp_path / "out").frames, sweeps[0].frames)
        assert read_made(tmp_path / "out").bounds == sweeps[0].bounds
    else:
        assert studies == {"1.2.3.1"}
        assert names == {"Müller^Zoë"}


def read_made(folder):
    for path in folder.iterdir():
        if not path.name.startswith("image"):
            path.unlink()
    return read_sweep(folder)


def check_masks(path, expected):
    highdicom = pytest.importorskip("highdicom", reason="highdicom needs Python 3.13 or earlier")
    read = highdicom.seg.segread(path)
    stack = np.stack([expected[frame] for frame in sorted(expected)])
    assert np.array_equal(read.pixel_array, stack)
    read._db_con.close()  # highdicom's own, in memory, which nothing else closes
    positions = [
        group.FrameContentSequence[0].TemporalPositionIndex
        for group in read.PerFrameFunctionalGroupsSequence
    ]
    assert positions == [frame + 1 for frame in sorted(expected)]
    second = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    assert np.array_equal(second > 0, stack)


def check_report(path, made, volumes, sources):
    highdicom = pytest.importorskip("highdicom", reason="highdicom needs Python 3.13 or earlier")
    report = highdicom.sr.srread(path)
    biometry = next(
        item
        for item in report.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "125002"
    )
    values = {}
    for item in biometry.ContentSequence[0].ContentSequence:
        if item.ValueType == "NUM":
            name = item.ConceptNameCodeSequence[0].CodeValue
            values.setdefault(name, []).append(item)

    def number(item):
        return float(item.MeasuredValueSequence[0].NumericValue)

    average, best = values["11979-2"]
    assert number(average) == pytest.approx(made.findings.circumference_mm, abs=0.06)
    assert average.ContentSequence[0].ConceptCodeSequence[0].CodeValue == (
        "373098007" if len(made.findings.used) > 1 else "258090004"
    )
    age = values["18185-9"][0]
    assert age.ContentSequence[0].ConceptCodeSequence[0].CodeValue == "11892-7"
    rank = values["125012"][0]
    assert rank.ContentSequence[0].ConceptCodeSequence[0].CodeValue == "33146-2"
    assert number(rank) == pytest.approx(made.findings.standing.centile, abs=0.11)
    assert 0 < number(rank) < 100
    (volume, frame), _ = made.findings.best
    referenced = best.ContentSequence[1].ReferencedSOPSequence[0]
    if "ReferencedFrameNumber" in referenced:
        within = volumes[volume].sweep.locate(frame)[1] if made.made_images else frame
        assert referenced.ReferencedFrameNumber == within + 1
    else:
        paths = sorted(sources[0].path.iterdir(), key=lambda one: int(one.name))
        assert referenced.ReferencedSOPInstanceUID == pydicom.dcmread(paths[frame]).SOPInstanceUID


def test_head_weight_and_criteria_stand_in_a_valid_report(save_dicom, tmp_path, store):
    sources = as_one_dicom(save_dicom, tmp_path)
    session = review(read_sweep(sources[0].path), store)
    best = Examination([session]).best[0].place[2]
    session.criteria.judge(best, Criterion.STOMACH, True)
    round_one = Caliper(((27.0, 6.0), (27.0, 66.0), (2.0, 36.0), (52.0, 36.0)))
    for frame, caliper, measure in (
        (1, round_one, CaliperMeasure.HC),
        (2, Caliper(((5.0, 5.0), (45.0, 5.0))), CaliperMeasure.BPD),
    ):
        session.free.place(frame, caliper)
        session.free.name(session.free.on(frame)[0], measure)
    made = objects_of_case(sources, Examination([session]), "AK", NOW, Dating("LMP", 196))
    made.write(tmp_path / "out")
    for path in sorted((tmp_path / "out").iterdir()):
        assert errors_of(path) == [], path.name
    report = pydicom.dcmread(tmp_path / "out" / "report.dcm")
    found = {}
    for item in report.iterall():
        if item.keyword == "ConceptNameCodeSequence":
            found.setdefault(item.value[0].CodeValue, []).append(item)
    assert {"11984-2", "11820-8", "11727-5"} <= set(found)
    summary, biometry = report.ContentSequence[-2:]
    (head,) = biometry.ContentSequence[1].ContentSequence
    value = float(head.MeasuredValueSequence[0].NumericValue)
    assert value == pytest.approx(round_one.size(session.sweep.spacing_mm).length, abs=0.06)
    assert head.ContentSequence[1].ReferencedSOPSequence[0].ReferencedFrameNumber == 2
    weight = summary.ContentSequence[-1].MeasuredValueSequence[0]
    assert float(weight.NumericValue) == round(made.findings.weights[0].grams)
    assert any("stomach bubble visible" in note for note in made.findings.notes)


def test_a_correction_counts_and_says_who_drew(save_dicom, tmp_path, store):
    sources = as_one_dicom(save_dicom, tmp_path)
    volume = review(read_sweep(sources[0].path), store)

    def kind():
        made = objects_of_case(sources, Examination([volume]), "AK", NOW)
        (tmp_path / "seg.dcm").write_bytes(made.objects["segmentation-1.dcm"])
        return pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence[0].SegmentAlgorithmType

    assert kind() == "AUTOMATIC"
    volume.set_mask(4, disc(20))
    assert kind() == "SEMIAUTOMATIC"
    for frame in (5, 6):
        volume.set_label([frame], Label.NONE)
    assert list(masks_that_count(volume)) == [4]
    assert kind() == "MANUAL"


def test_without_an_outline_nothing_is_made(save_dicom, tmp_path, store):
    sources = as_one_dicom(save_dicom, tmp_path)
    volume = review(read_sweep(sources[0].path), store)
    volume.set_label([4, 5, 6], Label.NONE)

    with pytest.raises(FetalIqaError, match="nothing to export"):
        objects_of_case(sources, Examination([volume]), "AK", NOW)


def test_two_studies_are_no_case(save_dicom, tmp_path, store):
    sources = as_six_dicom(save_dicom, tmp_path)[:2]
    dataset = pydicom.dcmread(sources[1].path)
    dataset.StudyInstanceUID = "1.2.4"
    dataset.save_as(sources[1].path)
    volumes = [review(read_sweep(source.path), store) for source in sources]

    with pytest.raises(SweepError, match="2 studies"):
        objects_of_case(sources, Examination(volumes), "AK", NOW)


def test_an_age_out_of_the_chart_is_said_and_gives_no_rank(save_dicom, tmp_path, store):
    sources = as_one_dicom(save_dicom, tmp_path)
    volume = review(read_sweep(sources[0].path), store)

    made = objects_of_case(
        sources,
        Examination([volume]),
        "",
        NOW,
        Dating.from_weeks("10w0d"),
        find_chart("AC", "intergrowth"),
    )

    assert made.findings.standing is None
    assert any("No growth rank" in note for note in made.findings.notes)


def test_a_frame_of_a_folder_of_cines_refers_to_the_cine_it_is_of(save_dicom, tmp_path, store):
    sources = as_folder_of_cines(save_dicom, tmp_path)
    sweep = read_sweep(sources[0].path)
    assert len(sweep.bounds) == 6
    session = review(sweep, store)
    first = sweep.bounds[2][0]
    session.set_label([first + 1], Label.OPTIMAL)
    session.set_mask(first + 1, disc(19))
    made = objects_of_case(sources, Examination([session]), "AK", NOW)
    made.write(tmp_path / "out")
    third = pydicom.dcmread(tmp_path / "study" / "sweep-2.dcm").SOPInstanceUID
    named = {}
    for path in sorted((tmp_path / "out").glob("segmentation-*.dcm")):
        assert errors_of(path) == [], path.name
        dataset = pydicom.dcmread(path)
        for group in dataset.PerFrameFunctionalGroupsSequence:
            image = group.DerivationImageSequence[0].SourceImageSequence[0]
            named.setdefault(image.ReferencedSOPInstanceUID, []).append(
                int(image.ReferencedFrameNumber)
            )
    assert named[third] == [2]
    assert len(named) == 2  # the first cine's frames by the model, and this one
