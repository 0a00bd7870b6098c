"""Single images with drawn outlines, as the HC18 challenge has them."""

import csv
import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.data.hc18 import close_outline, fill_outline
from fetal_iqa_training.data.labelled_frames import frames_of
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.geometry.biometry import measure_abdomen

SIZE = 120, 90
"""Columns and rows."""


def draw(box, width=3):
    image = Image.new("L", SIZE)
    ImageDraw.Draw(image).ellipse(box, outline=255, width=width)
    return image


def write(folder, names, box=(20, 10, 100, 80), flat=False):
    images, outlines = (folder, folder) if flat else (folder / "images", folder / "annotations")
    for part in (images, outlines):
        part.mkdir(parents=True, exist_ok=True)
    with (folder / "pixel_size_and_hc.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["filename", "pixel size(mm)", "head circumference (mm)"])
        for number, name in enumerate(names):
            rows.writerow([f"{name}.png", 0.1 + number / 10, 80])
            Image.new("L", SIZE, 50 + number).save(images / f"{name}.png")
            draw(box).save(outlines / f"{name}_Annotation.png")
    return folder


def test_an_image_that_is_missing_matters_only_where_it_is_requested(tmp_path):
    folder = write(tmp_path, ["003_HC", "006_HC"])
    (folder / "images" / "006_HC.png").unlink()
    assert [case.name for case in list_annotated(folder, {"003_HC"})] == ["003_HC"]
    with pytest.raises(TrainingError, match=r"006_HC\.png is missing"):
        list_annotated(folder, {"006_HC"})


@pytest.mark.parametrize("flat", [False, True])
def test_each_image_is_a_case_of_the_subject_in_its_name(tmp_path, flat):
    cases = list_annotated(write(tmp_path, ["003_HC", "006_HC", "006_2HC"], flat=flat))
    assert [(c.name, c.subject_id) for c in cases] == [
        ("003_HC", "003"),
        ("006_HC", "006"),
        ("006_2HC", "006"),
    ]
    sources = list(frames_of(cases))
    assert [int(s.frames[0, 0, 0]) for s in sources] == [50, 51, 52]
    assert [s.spacing_mm for s in sources] == [(0.1, 0.1), (0.2, 0.2), pytest.approx((0.3, 0.3))]
    assert all(s.positive.tolist() == [True] for s in sources)


def test_an_outline_is_filled_to_the_middle_of_its_line():
    line = np.asarray(draw((20, 10, 100, 80), width=5)) > 0
    measured = measure_abdomen(fill_outline(line), (1.0, 1.0))
    # PIL draws inwards: the middle of the line is 2.5 pixels inside the box's pixels
    a, b = 81 / 2 - 2.5, 71 / 2 - 2.5
    h = ((a - b) / (a + b)) ** 2
    ramanujan = math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))
    assert measured.circumference_mm == pytest.approx(ramanujan, rel=0.01)


@pytest.mark.parametrize(
    "box", [(20, -20, 100, 60), (20, 40, 100, 110), (-30, 10, 60, 80), (70, 10, 150, 80)]
)
def test_an_outline_that_an_edge_cuts_off_is_closed_along_it(box):
    line = np.asarray(draw(box)) > 0
    inside = Image.new("L", SIZE)
    ImageDraw.Draw(inside).ellipse(box, fill=255)
    assert np.array_equal(close_outline(line), np.asarray(inside) > 0)


def test_what_is_missing_or_malformed_is_named(tmp_path):
    write(tmp_path, ["003_HC"])
    (tmp_path / "annotations" / "003_HC_Annotation.png").unlink()
    with pytest.raises(TrainingError, match=r"003_HC_Annotation\.png is missing"):
        list_annotated(tmp_path)
    (tmp_path / "pixel_size_and_hc.csv").write_text("filename,pixel\n003_HC.png,wide\n")
    with pytest.raises(TrainingError, match="expected file name and pixel size"):
        list_annotated(tmp_path)


def test_an_outline_of_another_size_is_named(tmp_path):
    (case,) = list_annotated(write(tmp_path, ["003_HC"]))
    Image.new("L", (30, 30)).save(tmp_path / "annotations" / "003_HC_Annotation.png")
    with pytest.raises(TrainingError, match=r"003_HC_Annotation\.png: not of the size"):
        list(case.read())
