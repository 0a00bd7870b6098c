"""Sweeps of real texture: whose planes they show, what is true of them, how they move."""

import csv
import shutil
from dataclasses import replace
from itertools import pairwise
from math import radians

import numpy as np
import pytest
from PIL import Image

from fetal_iqa_training.data import planes as planes_reader
from fetal_iqa_training.data.datasets import origin
from fetal_iqa_training.data.labelled_frames import acouslic_frames
from fetal_iqa_training.data.outlines import PlaneEllipse
from fetal_iqa_training.data.phantoms import settings_of, write_phantoms
from fetal_iqa_training.data.textured import simulation as simulation_module
from fetal_iqa_training.data.textured import write_textured
from fetal_iqa_training.data.textured.canvas import STEP_MM, grid_mm, make_canvas
from fetal_iqa_training.data.textured.passages import mapped
from fetal_iqa_training.data.textured.simulation import TexturedSimulation
from fetal_iqa_training.data.textured.subjects import subjects_of
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.geometry.ellipse import ramanujan_perimeter, to_axes
from napari_fetal_iqa.io import open_frames, open_masks, read_sweep
from napari_fetal_iqa.io.acouslic import list_cases
from napari_fetal_iqa.phantom.fan import Fan
from napari_fetal_iqa.phantom.scene import ellipse_mask
from napari_fetal_iqa.phantom.simulation import Simulation

ELLIPSE = PlaneEllipse(118.0, 88.0, 66.0, 55.0, 20.0)
SEED = 4


def inside(shape, ellipse):
    y, x = np.indices(shape)
    u, v = to_axes(
        (ellipse.a, ellipse.b), radians(ellipse.angle_deg), x - ellipse.cx, y - ellipse.cy
    )
    return np.hypot(u, v)


def plane_image(random, kind):
    """A plane of 240 x 180 pixels, stretched to 160 x 160 as the export is."""
    grey = random.normal(60, 18, (180, 240))
    if kind == "abdomen":
        rho = inside(grey.shape, ELLIPSE)
        grey[rho < 1] = random.normal(95, 20, (rho < 1).sum())
        grey[np.abs(rho - 0.98) < 0.03] = 220
        grey[inside(grey.shape, PlaneEllipse(100, 70, 14, 10)) < 1] = 12
    if kind == "femur":
        grey[80:88, 60:180] = 230
    image = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
    return image.resize((160, 160), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Five subjects: two of val and one of train have an outlined abdomen."""
    folder, random = tmp_path_factory.mktemp("planes"), np.random.default_rng(0)
    (folder / "images").mkdir()
    shown = {
        "1": ("val", ["abdomen", "femur"]),
        "2": ("val", ["abdomen", "thorax"]),
        "3": ("val", ["femur", "thorax"]),
        "4": ("train", ["abdomen", "femur"]),
        "5": ("train", ["thorax"]),
    }
    lines, outlines = [], {}
    for subject, (part, kinds) in shown.items():
        for number, kind in enumerate(kinds):
            name = f"{subject}_{number}.png"
            plane_image(random, kind).save(folder / "images" / name)
            lines.append([name, subject, f"Fetal {kind}", "240", "180", part])
            if kind == "abdomen":
                outlines[name] = ELLIPSE
    with (folder / "annotations.csv").open("w", newline="") as file:
        header = ["file", "subject", "plane", "original_width", "original_height", "subject_split"]
        csv.writer(file).writerows([header, *lines])
    return folder, outlines


@pytest.fixture(scope="module")
def case(data, tmp_path_factory):
    """One written case of the smallest size, and its folder."""
    folder = tmp_path_factory.mktemp("sweeps") / "written"
    write_textured(folder, *data, 1, seed=SEED, size="small")
    return folder, *list_cases(folder)


@pytest.fixture(scope="module")
def simulated(data):
    """The same case, of which any frame can be rendered."""
    subjects = subjects_of(data[0], "val", data[1])
    return TexturedSimulation(settings_of("small")[0], subjects[SEED % len(subjects)], SEED)


def test_no_image_serves_two_parts_nor_two_subjects(data):
    folder, outlines = data
    parts = {part: subjects_of(folder, part, outlines) for part in ("train", "val")}
    assert [len(parts[part]) for part in ("train", "val")] == [1, 2]
    split = {"train": {"4", "5"}, "val": {"1", "2", "3"}}
    used = []
    for part, subjects in parts.items():
        for one in subjects:
            images = [image for image, _ in one.abdomens] + list(one.others)
            assert {image.subject for image, _ in one.abdomens} == {one.subject}
            assert {image.subject for image in images} <= split[part]
            used += [image.path.name for image in images]
    assert len(used) == len(set(used)) == 9


def test_an_outline_off_its_image_writes_no_sweep(data, tmp_path):
    folder, outlines = data
    outlines = {name: replace(ellipse, cx=9000.0) for name, ellipse in outlines.items()}
    with pytest.raises(TrainingError, match="not on the image of 240 x 180"):
        write_textured(tmp_path / "new", folder, outlines, 1)
    assert not (tmp_path / "new").exists()


def test_planes_whose_list_splits_nobody_are_told_so(data, tmp_path):
    folder, outlines = data
    shutil.copytree(folder / "images", tmp_path / "images")
    text = (folder / "annotations.csv").read_text().replace(",subject_split", ",remark")
    (tmp_path / "annotations.csv").write_text(text)
    with pytest.raises(TrainingError, match="its list splits no subjects"):
        subjects_of(tmp_path, "val", outlines)


def test_a_damaged_image_leaves_no_folder_without_cases(data, tmp_path):
    folder, outlines = data
    shutil.copytree(folder, tmp_path / "planes")
    for image in (tmp_path / "planes" / "images").iterdir():
        image.write_bytes(b"no image")
    with pytest.raises(TrainingError, match="not an image"):
        write_textured(tmp_path / "new", tmp_path / "planes", outlines, 1, size="small")
    assert not (tmp_path / "new").exists()


def test_a_case_reads_no_image_of_the_other_part(data, simulated, monkeypatch):
    read = []

    def note(image, *options):
        read.append(image.part)
        return planes_reader.load_frame(image, *options)

    monkeypatch.setattr(simulation_module, "load_frame", note)
    subjects = subjects_of(data[0], "train", data[1])
    TexturedSimulation(settings_of("small")[0], subjects[0], 1)
    assert read
    assert set(read) == {"train"}


def test_a_case_is_its_subject_s_and_says_where_its_texture_is_from(case):
    folder, written = case
    assert written.subject_id in {"1", "2"}
    note = origin(folder)
    assert note["textured"]["part"] == "val"
    assert "FETAL_PLANES_DB" in note["texture"]["source"]
    assert note["texture"]["licence"] == "CC BY 4.0"


def test_the_same_seed_makes_the_same_pixels_and_another_does_not(case, simulated, data):
    frames = np.asarray(open_frames(case[1]).frames)
    for index in (0, 41, 119):
        assert np.array_equal(frames[index], simulated.render(index).pixels)
    subjects = subjects_of(data[0], "val", data[1])
    other = TexturedSimulation(settings_of("small")[0], subjects[SEED % len(subjects)], SEED + 2)
    assert not np.array_equal(frames[41], other.render(41).pixels)


def test_the_grid_and_its_spacing_are_the_phantoms(case):
    settings = settings_of("small")[0]
    volume = open_frames(case[1])
    assert volume.shape == (settings.n_frames, *settings.shape)
    assert volume.spacing_mm == pytest.approx(settings.spacing_mm)
    assert read_sweep(case[1].image_path).bounds == volume.bounds
    field = Fan(settings).field_of_view
    assert (np.asarray(volume.frames)[:, ~field] == 0).all()


def test_masks_areas_and_circumferences_are_those_of_the_ellipse(case, simulated):
    masks = np.asarray(open_masks(case[1], open_frames(case[1]).shape).frames)
    row_mm, column_mm = simulated.settings.spacing_mm
    whole = 0
    for index, mask in enumerate(masks):
        frame = simulated.render(index) if mask.any() or index % 29 == 0 else None
        if frame is None:
            continue
        if frame.outline is None:
            assert not mask.any()
            continue
        assert set(np.unique(mask)) == {0, frame.label}
        o = frame.outline
        assert np.array_equal(mask > 0, ellipse_mask(o, simulated.fan))
        area = (mask > 0).sum() * row_mm * column_mm
        if area > 0.99 * np.pi * o.a * o.b:  # not cut by the fan's edge
            assert area == pytest.approx(np.pi * o.a * o.b, rel=0.02)
            whole += 1
        ac_mm = ramanujan_perimeter(o.a, o.b)
        assert 0.8 * simulated.circumference_mm < ac_mm < 1.06 * simulated.circumference_mm
    assert whole > 3


def test_its_volume_is_a_phantom_s_but_counts_as_real(simulated):
    frames = np.zeros((simulated.settings.n_frames, *simulated.settings.shape), np.uint8)
    textured = simulated.sweep(frames)
    drawn = Simulation(simulated.settings).sweep(frames)
    assert (textured.bounds, textured.spacing_mm) == (drawn.bounds, drawn.spacing_mm)
    assert len(textured.bounds) == simulated.settings.n_sweeps
    assert drawn.simulated
    assert not textured.simulated


def test_the_table_has_the_median_of_each_sweep_s_best_frames(case, simulated):
    masks = np.asarray(open_masks(case[1], open_frames(case[1]).shape).frames)
    labels = masks.max(axis=(1, 2)).reshape(6, -1)
    for sweep, ac_mm in enumerate(case[1].ac_mm):
        assert (ac_mm is not None) == labels[sweep].any()
        if ac_mm is None:
            continue
        best = labels[sweep] == labels[sweep][labels[sweep] > 0].min()
        indices = sweep * labels.shape[1] + np.flatnonzero(best)
        outlines = [simulated.render(int(index)).outline for index in indices]
        truth = np.median([ramanujan_perimeter(o.a, o.b) for o in outlines])
        assert ac_mm == pytest.approx(truth, rel=0.01)
    found = list(acouslic_frames([case[1]]))
    assert sum(int(source.positive.sum()) for source in found) == (labels > 0).sum()


def test_neighbouring_frames_resemble_each_other_more_than_distant_ones(case):
    volume = open_frames(case[1])
    frames, field = np.asarray(volume.frames), Fan(settings_of("small")[0]).field_of_view
    near, far = [], []
    for start, stop in volume.bounds:
        sweep = frames[start:stop][:, field].astype(float)
        near += [np.corrcoef(one, two)[0, 1] for one, two in pairwise(sweep)]
        far += [np.corrcoef(one, two)[0, 1] for one, two in zip(sweep, sweep[12:], strict=False)]
    assert np.median(near) > np.median(far) + 0.15
    assert np.median(near) > 0.7


def test_the_plane_is_seen_where_the_outline_says(simulated):
    """The bright rim of the drawn plane lies on the outline, not inside nor outside of it."""
    rims = []
    for index in range(simulated.settings.n_frames):
        frame = simulated.render(index) if index % 3 == 0 else None
        if frame is None or frame.outline is None:
            continue
        ring, within, beyond = (
            ellipse_mask(replace(frame.outline, a=frame.outline.a * s, b=frame.outline.b * s),
                simulated.fan)
            for s in (1.03, 0.9, 1.12)
        )  # fmt: skip
        pixels = frame.pixels.astype(float)
        rim = pixels[ring & ~within].mean()
        rims.append((rim > pixels[within].mean()) and rim > pixels[beyond & ~ring].mean())
    assert np.mean(rims) > 0.8


def test_a_linear_map_of_an_ellipse_is_measured_right():
    matrix = np.array([[-0.9, 0.2], [0.1, 1.05]])
    found = mapped((40.0, 30.0, 0.4), matrix, (5.0, 80.0))
    t = np.linspace(0, 2 * np.pi, 200)
    c, s = np.cos(0.4), np.sin(0.4)
    points = matrix @ np.array([[c, -s], [s, c]]) @ np.stack([40 * np.cos(t), 30 * np.sin(t)])
    u, v = to_axes((found.a, found.b), found.angle_rad, *points)
    assert np.hypot(u, v) == pytest.approx(1, abs=1e-6)


def test_a_canvas_has_one_abdomen_and_no_edge_of_the_scanner_s_sector(data):
    random = np.random.default_rng(1)
    frame = np.array(plane_image(random, "abdomen").resize((240, 180)))
    frame[:, :60] = 0
    frame[:, 200:] = 0
    canvas = make_canvas(frame, 0.5, (ELLIPSE.cx, ELLIPSE.cy), ELLIPSE)
    down, right = grid_mm()
    known = (np.abs(right) < 70) & (np.abs(down) < 40)
    # black beyond the sector would be 20 dB below flesh
    assert canvas.base[known & (canvas.share > 0.1)].min() > -50
    rho = inside(canvas.base.shape, PlaneEllipse(
        canvas.base.shape[1] // 2, canvas.base.shape[0] // 2,
        ELLIPSE.a * 0.5 / STEP_MM, ELLIPSE.b * 0.5 / STEP_MM, ELLIPSE.angle_deg,
    ))  # fmt: skip
    bright = (canvas.base + canvas.detail > -12) & (canvas.share > 0.3)
    assert not bright[rho > 1.15].any()
    stomach = canvas.base[rho < 0.8].min(), canvas.plain[rho < 0.8].min()
    assert stomach[1] > stomach[0] + 6  # the plane beside the standard plane lacks the landmark


def test_what_cannot_be_made_is_refused(data, tmp_path):
    folder, outlines = data
    with pytest.raises(TrainingError, match="1 or more"):
        write_textured(tmp_path, folder, outlines, 0)
    with pytest.raises(TrainingError, match="no abdomen of part 'val' has an outline"):
        write_textured(tmp_path, folder, {}, 1)


def test_cases_of_other_outlines_are_not_mixed_with_those_that_are_there(case, data):
    folder, (planes, outlines) = case[0], data
    before = origin(folder)
    moved = {name: replace(ellipse, cx=ellipse.cx + 4) for name, ellipse in outlines.items()}
    with pytest.raises(TrainingError, match="other outlines"):
        write_textured(folder, planes, moved, 2, seed=SEED, size="small")
    with pytest.raises(TrainingError, match="another part"):
        write_textured(folder, planes, outlines, 2, part="train", seed=SEED, size="small")
    with pytest.raises(TrainingError, match="real texture"):
        write_phantoms(folder, 1, size="small")
    assert origin(folder) == before
    write_textured(folder, planes, outlines, 1, seed=SEED, size="small")  # nothing to do
    assert len(list_cases(folder)) == 1
