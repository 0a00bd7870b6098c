"""Sweeps opened, painted on and saved in a real napari window."""

import os
import sys

import numpy as np
import pytest

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep, write_volume

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


def test_a_sweep_opens_at_its_true_scale_and_its_masks_come_back(viewer, tmp_path, volume):
    path = write_volume(tmp_path / "case.mha", volume, (0.2, 0.3))

    (image,) = viewer.open(path, plugin="napari-fetal-iqa")

    assert image.name == "case"
    assert tuple(image.scale) == (1.0, 0.2, 0.3)
    assert [str(unit) for unit in image.units] == ["pixel", "millimeter", "millimeter"]
    assert viewer.dims.axis_labels == ("frame", "row", "column")
    assert viewer.dims.nsteps[0] == 7

    labels = viewer.add_labels(np.zeros(image.data.shape, np.uint8), scale=image.scale)
    labels.units = image.units
    viewer.dims.set_current_step(0, 3)
    labels.selected_label = 2
    labels.paint((3, 10, 10), 2)
    assert labels.save(str(tmp_path / "masks.mha"), plugin="napari-fetal-iqa")

    masks = read_sweep(tmp_path / "masks.mha")
    assert np.array_equal(masks.frames, labels.data)
    assert masks.frames[3, 10, 10] == 2
    assert masks.spacing_mm == (0.2, 0.3)


def test_every_frame_of_a_compressed_sweep_is_shown(viewer, tmp_path, volume):
    path = write_volume(tmp_path / "case.mha", volume)
    (image,) = viewer.open(path, plugin="napari-fetal-iqa")

    for frame in (0, 6, 3):
        viewer.dims.set_current_step(0, frame)
        assert np.array_equal(image._slice.image.raw, volume[frame])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files from being cut")
def test_a_sweep_that_is_cut_while_it_is_shown_is_reported_and_the_window_stays(viewer, tmp_path):
    volume = np.random.default_rng(0).integers(0, 255, (90, 64, 64), np.uint8)
    path = write_volume(tmp_path / "case.mha", volume, compress=False)
    (image,) = viewer.open(path, plugin="napari-fetal-iqa")

    os.truncate(path, 8192)

    with pytest.raises(SweepError, match=r"^case\.mha: expected .* shortened; copy [^\n]*$"):
        viewer.dims.set_current_step(0, 80)
    assert image in viewer.layers


def test_a_broken_file_is_reported_in_one_line(viewer, tmp_path):
    path = tmp_path / "case.mha"
    path.write_bytes(b"junk")

    with pytest.raises(SweepError, match=r"^case\.mha: expected .*; copy the file again$"):
        viewer.open(path, plugin="napari-fetal-iqa")
    assert not viewer.layers


def test_the_small_phantom_is_among_the_samples(viewer):
    (image,) = viewer.open_sample("napari-fetal-iqa", "phantom_small")

    assert image.data.ndim == 3
    assert [str(unit) for unit in image.units] == ["pixel", "millimeter", "millimeter"]
