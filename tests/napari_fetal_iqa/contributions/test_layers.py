import npe2
import numpy as np
import pytest
from PIL import Image

from napari_fetal_iqa.contributions.layers import METADATA_KEY, grid_attributes, sweep_layer
from napari_fetal_iqa.contributions.reader import get_reader
from napari_fetal_iqa.contributions.sample_data import small_phantom
from napari_fetal_iqa.contributions.writer import write_labels
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.io.frames.lazy_inflate import InflatingFrames
from napari_fetal_iqa.io.read import READERS
from napari_fetal_iqa.sweep import SweepVolume

MANIFEST = npe2.PluginManifest.from_distribution("napari-fetal-iqa")


@pytest.fixture
def _plugins_are_known():
    npe2.PluginManager.instance().discover()


def test_the_layer_has_the_true_scale_and_carries_its_sweep(tmp_path, volume):
    path = write_volume(tmp_path / "case.mha", volume, (0.2, 0.3))

    ((data, attributes, kind),) = get_reader(str(path))(str(path))

    assert kind == "image"
    assert np.array_equal(data, volume)
    assert attributes["name"] == "case"
    assert attributes["scale"] == (1.0, 0.2, 0.3)
    assert attributes["units"] == ("pixel", "mm", "mm")
    assert attributes["axis_labels"] == ("frame", "row", "column")
    assert attributes["contrast_limits"] == (0, 255)
    assert attributes["metadata"][METADATA_KEY].identity == SweepVolume(volume).identity


def test_without_a_spacing_all_axes_are_in_pixels(volume):
    attributes = grid_attributes(SweepVolume(volume))

    assert attributes["scale"] == (1.0, 1.0, 1.0)
    assert attributes["units"] == ("pixel", "pixel", "pixel")


def test_frames_of_a_compressed_file_follow_in_the_background(tmp_path, volume, monkeypatch):
    started = []
    monkeypatch.setattr(InflatingFrames, "inflate_in_background", lambda self: started.append(self))

    data, _, _ = sweep_layer(read_sweep(write_volume(tmp_path / "case.mha", volume)))

    assert started == [data]


@pytest.mark.parametrize("compress", [False, True])
def test_masks_are_opened_as_labels(tmp_path, volume, compress):
    masks = (volume > 128).astype(np.uint8)
    masks[0] = 0
    path = write_volume(tmp_path / "masks.mha", masks, (0.2, 0.3), compress=compress)

    ((data, attributes, kind),) = get_reader(str(path))(str(path))

    assert kind == "labels"
    assert np.array_equal(data, masks)
    assert data.flags.writeable
    assert attributes["scale"] == (1.0, 0.2, 0.3)


def test_a_black_volume_is_an_image(volume):
    assert sweep_layer(SweepVolume(np.zeros_like(volume)))[2] == "image"


def test_every_ending_that_is_read_is_in_the_manifest_but_single_pictures():
    (reader,) = MANIFEST.contributions.readers

    patterns = {pattern.removeprefix("*") for pattern in reader.filename_patterns}

    assert patterns == (set(READERS) - {".png", ".jpg", ".jpeg"}) | {"[0-9]"}
    assert reader.accepts_directories


@pytest.mark.parametrize("name", ["a.mha", "a.NII.GZ", "a.dcm", "a.mp4", "a.gif"])
def test_sweeps_are_recognised_by_their_ending(name):
    assert get_reader(name) is not None


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.csv", "no such folder"])
def test_other_files_are_left_to_other_readers(name):
    assert get_reader(name) is None


def test_files_to_be_stacked_are_left_to_other_readers():
    assert get_reader(["a.mha", "b.mha"]) is None


def test_a_dicom_file_without_ending_is_recognised_by_its_prefix(save_dicom, volume, tmp_path):
    assert get_reader(str(save_dicom("IM_0001", volume))) is not None
    for name in ("README", "notes.1", "a.tif"):
        (tmp_path / name).write_text("hello")
        assert get_reader(str(tmp_path / name)) is None


def test_folders_are_recognised_by_their_frames(save_dicom, volume, tmp_path):
    save_dicom("dicom/a", volume)
    (tmp_path / "pictures").mkdir()
    Image.fromarray(volume[0]).save(tmp_path / "pictures" / "a.png")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "a.txt").write_text("hello")

    save_dicom("export/S1/IM1", volume)

    names = ("dicom", "pictures", "others", "export")
    readers = [get_reader(str(tmp_path / name)) for name in names]

    assert [reader is not None for reader in readers] == [True, True, False, True]


def test_what_may_not_be_read_is_taken_so_that_opening_it_says_why(
    save_dicom, volume, tmp_path, request
):
    save_dicom("folder/IM_0001", volume).chmod(0)
    path = save_dicom("closed/IM_0001", volume)
    path.parent.chmod(0)
    request.getfixturevalue("as_nobody")

    for place in (tmp_path / "folder", tmp_path / "folder" / "IM_0001", path.parent):
        read = get_reader(str(place))
        assert read is not None
        with pytest.raises(SweepError, match="no permission"):
            read(str(place))


@pytest.mark.usefixtures("_plugins_are_known")
@pytest.mark.parametrize("name", ["IM_0001", "I10", "IM.0001", "00000001", "IMG-0001-00001"])
def test_npe2_opens_a_dicom_file_as_scanners_name_it(save_dicom, volume, name):
    path = save_dicom(name, volume)

    layers, reader = npe2.io_utils.read_get_reader([str(path)], stack=False)

    assert reader.command == "napari-fetal-iqa.read_sweep"
    assert np.array_equal(layers[0][0], volume)


@pytest.mark.usefixtures("_plugins_are_known")
def test_npe2_opens_a_sweep_by_our_reader(tmp_path, volume):
    path = write_volume(tmp_path / "case.mha", volume)

    layers, reader = npe2.io_utils.read_get_reader(
        [str(path)], stack=False, plugin_name="napari-fetal-iqa"
    )

    assert reader.command == "napari-fetal-iqa.read_sweep"
    assert np.array_equal(layers[0][0], volume)


@pytest.mark.usefixtures("_plugins_are_known")
@pytest.mark.parametrize("ending", [".mha", ".nii.gz", ".nrrd"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_npe2_saves_labels_with_their_spacing(tmp_path, volume, ending, dtype):
    attributes = {"name": "masks", **grid_attributes(SweepVolume(volume, (0.2, 0.3)))}
    path = str(tmp_path / f"masks{ending}")

    written = npe2.write(
        path, [(volume.astype(dtype), attributes, "labels")], plugin_name="napari-fetal-iqa"
    )

    assert written == [path]
    sweep = read_sweep(path)
    assert np.array_equal(sweep.frames, volume)
    assert sweep.spacing_mm == pytest.approx((0.2, 0.3), rel=1e-6)


def test_labels_of_one_frame_are_a_volume_of_one(tmp_path, volume):
    write_labels(str(tmp_path / "a.mha"), volume[0], {})

    assert read_sweep(tmp_path / "a.mha").shape == (1, 24, 32)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, None),
        ({"scale": (1, 1, 1), "units": ("pixel",) * 3}, None),
        ({"scale": (1, 1, 1), "units": ("pixel", "millimeter", "millimeter")}, (1.0, 1.0)),
        ({"scale": (1, 0.02, 0.03), "units": ("pixel", "centimeter", "centimeter")}, (0.2, 0.3)),
        ({"scale": (1, 0.2, 0.3), "units": ("pixel",) * 3}, (0.2, 0.3)),
        ({"scale": (1, 0.2, 0.3)}, (0.2, 0.3)),
        ({"scale": (1, -0.2, 0.3)}, (0.2, 0.3)),
    ],
)
def test_spacing_is_that_of_scale_and_unit(tmp_path, volume, attributes, expected):
    write_labels(str(tmp_path / "a.mha"), volume, attributes)

    spacing_mm = read_sweep(tmp_path / "a.mha").spacing_mm
    assert spacing_mm == (expected and pytest.approx(expected))


@pytest.mark.parametrize("value", [-1, 256])
def test_labels_beyond_8_bits_are_refused(tmp_path, volume, value):
    labels = volume.astype(np.int32)
    labels[0, 0, 0] = value

    with pytest.raises(SweepError, match="masks: expected labels from 0 to 255"):
        write_labels(str(tmp_path / "a.mha"), labels, {"name": "masks"})


def test_the_small_phantom_is_an_image_with_its_sweep():
    ((data, attributes, kind),) = small_phantom()

    assert kind == "image"
    assert data.shape == attributes["metadata"][METADATA_KEY].shape
    assert attributes["units"] == ("pixel", "mm", "mm")


def test_samples_and_widget_are_offered():
    contributions = MANIFEST.contributions

    assert {sample.key for sample in contributions.sample_data} == {"phantom_small", "phantom_demo"}
    assert contributions.widgets[0].display_name == "Fetal IQA review"
