import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.frames import frame_stack
from napari_fetal_iqa.io.frames.frame_stack import MAX_FRAME_PIXELS


def save_frames(folder, frames, pattern="frame_{}.png"):
    folder.mkdir(exist_ok=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / pattern.format(number))
    return folder


def test_a_folder_of_png_is_a_sweep_in_the_order_of_its_numbers(tmp_path, volume):
    frames = np.concatenate([volume, volume[::-1]])  # 14 frames: 10 comes after 9, not after 1
    folder = save_frames(tmp_path / "case", frames)
    (folder / "notes.txt").write_text("not a frame")
    (folder / "._frame_0.png").write_bytes(b"left by a Mac")

    sweep = read_sweep(folder)

    assert np.array_equal(sweep.frames, frames)
    assert (sweep.name, sweep.spacing_mm, sweep.source_format) == ("case", None, "pictures")


def test_a_glob_of_png_is_a_sweep(tmp_path, volume):
    folder = save_frames(tmp_path / "case", volume, "b_{}.PNG")
    save_frames(folder, volume[:2], "a_{}.png")

    assert np.array_equal(read_sweep(folder / "b_*").frames, volume)
    assert read_sweep(tmp_path / "**" / "*_?.png").shape[0] == 2
    with pytest.raises(SweepError, match="found none"):
        read_sweep(folder / "c_*.png")


def test_a_glob_in_a_folder_with_brackets_is_a_sweep(tmp_path, volume):
    (tmp_path / "case [1]").mkdir()
    folder = save_frames(tmp_path / "case [1]" / "a*b", volume)

    assert np.array_equal(read_sweep(folder / "*.png").frames, volume)
    assert np.array_equal(read_sweep(tmp_path / "case [1]" / "*" / "f*.png").frames, volume)


def test_frames_are_split_into_sweeps_by_the_caller(tmp_path, volume):
    sweep = read_sweep(save_frames(tmp_path / "case", volume), frames_per_sweep=3)

    assert sweep.bounds == ((0, 3), (3, 6), (6, 7))


@pytest.mark.parametrize("ending", [".jpg", ".jpeg"])
def test_jpeg_frames_are_read(tmp_path, smooth_volume, ending):
    folder = save_frames(tmp_path / "case", smooth_volume, "{}" + ending)

    frames = np.asarray(read_sweep(folder).frames, int)

    assert np.abs(frames - smooth_volume).max() <= 8


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16", "CMYK"])
def test_every_kind_of_picture_becomes_grey(tmp_path, volume, mode):
    frame = np.where(volume[0] > 127, 255, 0).astype(np.uint8) if mode == "1" else volume[0]
    image = Image.fromarray(frame)
    if mode == "I;16":
        image = Image.fromarray(frame.astype(np.uint16))
    elif mode != "L":
        image = image.convert(mode)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image.save(path)

    sweep = read_sweep(path)

    assert sweep.shape == (1, *frame.shape)
    expected = np.asarray(Image.open(path).convert("L")) if mode == "CMYK" else frame
    assert np.abs(sweep.frames[0].astype(int) - expected).max() <= (2 if mode == "CMYK" else 0)


def test_a_16_bit_folder_is_windowed_as_one_volume(tmp_path):
    frames = np.zeros((2, 4, 4), np.uint16)
    frames[0], frames[1] = 1000, 4000

    sweep = read_sweep(save_frames(tmp_path / "case", frames))

    assert sweep.frames[0, 0, 0] == 64
    assert sweep.frames[1, 0, 0] == 255


def test_all_frames_of_a_gif_are_read(tmp_path, volume):
    first, *rest = (Image.fromarray(frame) for frame in volume)
    first.save(tmp_path / "a.gif", save_all=True, append_images=rest, duration=40)

    sweep = read_sweep(tmp_path / "a.gif")

    assert np.array_equal(sweep.frames, volume)
    assert sweep.source_format == "GIF"


@pytest.mark.parametrize("other", [(320, 240), (640, 480)], ids=["a thumbnail", "a second view"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_jpeg_of_a_camera_is_its_first_picture_alone(tmp_path, other, turned):
    """Cameras keep thumbnails and second views behind it (Multi-Picture Format, CIPA DC-007)."""
    rows, columns = np.mgrid[:480, :640]
    picture = Image.fromarray(((rows + columns) // 5).astype(np.uint8)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6 if turned else 1
    for n in range(3):
        picture.save(
            tmp_path / f"{n}.jpg",
            "MPO",
            save_all=True,
            append_images=[picture.resize(other)],
            quality=95,
            exif=exif,
        )
    with Image.open(tmp_path / "0.jpg") as written:
        assert (written.format, getattr(written, "n_frames", 0)) == ("MPO", 2)
    expected = np.asarray(picture)[..., 0].astype(int)
    expected = np.rot90(expected, -1) if turned else expected

    alone, together = read_sweep(tmp_path / "0.jpg"), read_sweep(tmp_path)

    assert (len(alone), len(together)) == (1, 3)
    for frame in (alone.frames[0], together.frames[2]):
        assert np.abs(frame.astype(int) - expected).max() < 8


@pytest.fixture
def gif(tmp_path, volume):
    """A GIF of 7 frames."""
    first, *rest = (Image.fromarray(frame) for frame in volume)
    first.save(tmp_path / "a.gif", save_all=True, append_images=rest)
    return tmp_path / "a.gif"


def test_a_gif_that_ends_between_or_in_front_of_frames_is_refused(gif):
    data = gif.read_bytes()
    frames = [found.start() for found in re.finditer(rb"!\xf9\x04....\0,", data, re.DOTALL)]

    assert len(frames) == 6  # those after the first
    for start in [*frames, len(data) - 1]:
        for end in range(start - 3, min(start + 25, len(data))):
            gif.write_bytes(data[:end])
            with pytest.raises(SweepError, match=r"^a\.gif: expected a whole GIF picture"):
                read_sweep(gif)


def test_padding_and_notes_in_a_gif_are_passed_over(gif, volume):
    data = gif.read_bytes()

    gif.write_bytes(data[:-1] + b"\0\0!\xfe\x05hello\0;and more")

    assert np.array_equal(read_sweep(gif).frames, volume)


@pytest.mark.parametrize(
    ("screen", "message"),
    [((8000, 8000), r"at most 16777216 pixels, found 8000 x 8000"), ((4000, 4000), "can hold")],
)
def test_a_gif_whose_screen_is_larger_than_its_bytes_can_fill_is_refused(gif, screen, message):
    data = bytearray(gif.read_bytes())
    struct.pack_into("<HH", data, 6, *screen)
    gif.write_bytes(data)

    with pytest.raises(SweepError, match=rf"^a\.gif: .*{message}"):
        read_sweep(gif)


def test_a_gif_frame_far_outside_of_the_screen_is_refused(gif):
    data = gif.read_bytes()
    at = data.index(b",\0\0\0\0", 13 + 3 * 256)
    gif.write_bytes(data[: at + 1] + struct.pack("<HH", 60000, 60000) + data[at + 5 :])

    with pytest.raises(SweepError, match="at most"):
        read_sweep(gif)


def test_a_black_gif_is_read_as_it_takes_few_bytes(tmp_path):
    frames = [Image.fromarray(np.full((562, 744), grey, np.uint8)) for grey in range(12)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])

    assert read_sweep(tmp_path / "a.gif").shape == (12, 562, 744)


def test_a_colour_gif_becomes_grey(tmp_path):
    colours = np.zeros((2, 8, 8, 3), np.uint8)
    colours[0, ..., 0], colours[1, ..., 1] = 255, 255
    red, green = (Image.fromarray(frame) for frame in colours)
    red.save(tmp_path / "a.gif", save_all=True, append_images=[green])

    frames = read_sweep(tmp_path / "a.gif").frames

    assert (frames[0, 0, 0], frames[1, 0, 0]) == (76, 150)


def test_a_real_picture_of_a_scanner_is_read(real_data):
    path = sorted((real_data / "fetal_planes_abdomen").glob("*.png"))[0]

    sweep = read_sweep(path)

    assert np.array_equal(sweep.frames[0], np.asarray(Image.open(path).convert("L")))


def test_pictures_of_several_sizes_are_no_sweep(tmp_path, volume):
    folder = save_frames(tmp_path / "case", volume)
    Image.fromarray(volume[0, :10]).save(folder / "frame_9.png")

    with pytest.raises(SweepError, match=r"case: expected frames of one size, .*\(10, 32\)"):
        read_sweep(folder)


def test_a_folder_without_pictures_is_no_sweep(tmp_path):
    with pytest.raises(SweepError, match="found none"):
        read_sweep(tmp_path)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".gif"])
def test_a_damaged_picture_is_named(tmp_path, volume, ending):
    path = tmp_path / f"a{ending}"
    Image.fromarray(volume[0]).save(path)
    path.write_bytes(path.read_bytes()[:200])

    with pytest.raises(SweepError, match=rf"^a\{ending}: expected a "):
        read_sweep(path)


def test_a_picture_under_a_wrong_ending_is_refused(tmp_path, volume):
    Image.fromarray(volume[0]).save(tmp_path / "a.png", format="GIF")

    with pytest.raises(SweepError, match="PNG or JPEG"):
        read_sweep(tmp_path / "a.png")


def test_a_picture_larger_than_any_scanner_makes_is_refused_unread(tmp_path):
    side = int(MAX_FRAME_PIXELS**0.5) + 1
    Image.new("1", (side, side)).save(tmp_path / "a.png")

    with pytest.raises(SweepError, match="at most"):
        read_sweep(tmp_path / "a.png")


@pytest.mark.parametrize("ending", [".png", ".jpg"])
@pytest.mark.parametrize("code", range(10))
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_picture_is_turned_as_its_exif_says(tmp_path, smooth_volume, ending, code, mode):
    image = Image.fromarray(smooth_volume[0]).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = code
    path = tmp_path / f"a{ending}"
    image.save(path, exif=exif, quality=95)

    oracle = ImageOps.exif_transpose(Image.open(path)).convert("L")
    assert np.abs(np.asarray(read_sweep(path).frames[0], int) - np.asarray(oracle)).max() <= 1


def test_16_bit_pictures_of_a_folder_are_turned_too(tmp_path):
    frame = np.arange(6 * 8, dtype=np.uint16).reshape(6, 8) * 1000
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "case").mkdir()
    Image.fromarray(frame).save(tmp_path / "case" / "0.png", exif=exif)

    frames = read_sweep(tmp_path / "case").frames

    assert np.array_equal(frames[0], np.rint(np.rot90(frame, -1) / 47000 * 255))


@pytest.mark.parametrize("note", [b"Exif\0\0what is this", b"Exif\0\0MM\0*\0\0\xff\xff"])
def test_a_damaged_exif_note_damages_no_picture(tmp_path, smooth_volume, note):
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth_volume[0]).save(path, exif=note, quality=95)

    assert read_sweep(path).shape == (1, 48, 64)


@pytest.fixture
def animated(tmp_path, volume):
    """A PNG of 7 frames; ``default_image`` is one before them that no player shows."""

    def save(name="a.png", **options):
        first, *rest = (Image.fromarray(frame) for frame in volume)
        if options.get("default_image"):
            first, rest = Image.fromarray(255 - volume[0]), [first, *rest]
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        first.save(path, save_all=True, append_images=rest, **options)
        return path

    return save


@pytest.mark.parametrize("still", [False, True])
def test_all_frames_of_an_animated_png_are_read(animated, volume, still):
    assert np.array_equal(read_sweep(animated(default_image=still)).frames, volume)


def test_an_animated_png_among_frames_is_refused(animated, tmp_path, volume):
    animated("case/5.png")
    save_frames(tmp_path / "case", volume[:3], "{}.png")

    with pytest.raises(SweepError, match=r"^5\.png: expected one frame .* found 7; open it by"):
        read_sweep(tmp_path / "case")


def test_an_animated_png_whose_frames_are_missing_is_refused(animated):
    path = animated()
    data = path.read_bytes()
    control = data.index(b"acTL") + 4
    changed = struct.pack(">I", 9) + data[control + 4 : control + 8]
    checksum = struct.pack(">I", zlib.crc32(b"acTL" + changed))
    path.write_bytes(data[:control] + changed + checksum + data[control + 12 :])

    with pytest.raises(SweepError, match=r"^a\.png: expected"):
        read_sweep(path)


def many_frames(path, frames, side):
    """Frames of nothing but black, as few bytes as they take."""
    first = Image.new("L", (side, side))
    rest = [Image.new("L", (side, side), grey % 2) for grey in range(1, frames)]
    first.save(path, save_all=True, append_images=rest, duration=40)


@pytest.mark.parametrize("ending", [".gif", ".png"])
def test_a_small_file_of_many_large_frames_is_refused_before_one_is_decoded(
    tmp_path, ending, monkeypatch
):
    many_frames(tmp_path / f"a{ending}", 7, 1200)
    monkeypatch.setattr(frame_stack, "MODEST_BYTES", 6 * 1200 * 1200)
    monkeypatch.setattr(frame_stack.FrameStack, "append", None)

    with pytest.raises(SweepError, match=rf"^a\{ending}: expected an ultrasound.*; export"):
        read_sweep(tmp_path / f"a{ending}")


def test_more_than_8_gib_of_frames_are_refused_before_one_is_decoded(tmp_path, gif, monkeypatch):
    monkeypatch.setattr(frame_stack, "MAX_STACK_BYTES", 7 * 24 * 32 - 1)
    monkeypatch.setattr(frame_stack.FrameStack, "append", None)

    with pytest.raises(SweepError, match=r"^a\.gif: expected a sweep of at most .*; cut"):
        read_sweep(gif)
