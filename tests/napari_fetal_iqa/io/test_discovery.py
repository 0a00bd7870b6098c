"""What a folder is: one idea for the window, the commands and reading; and no pipe is opened."""

import os
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_fetal_iqa.contributions.reader import get_reader
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import discovery, read_sweep, write_case, write_volume
from napari_fetal_iqa.io.discovery import look_into, natural_order
from napari_fetal_iqa.io.read import read_source
from napari_fetal_iqa.sweep import SweepVolume


def test_natural_order_sorts_numbers_by_value(tmp_path):
    names = ["a1", "a2", "a10", "b1", "B2", "c", "c01", "c1x"]

    shuffled = [tmp_path / names[i] for i in np.random.default_rng(0).permutation(len(names))]

    assert [path.name for path in sorted(shuffled, key=natural_order)] == names


@pytest.fixture
def fill(tmp_path, volume, save_dicom):
    """Make a folder of files whose names say what they are."""

    def write(*names):
        folder = tmp_path / "case"
        folder.mkdir(exist_ok=True)
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith((".mha", ".nrrd")):
                write_volume(path, volume)
            elif name.endswith(".mhd"):
                write_volume(path.with_suffix(".mha"), volume, compress=False)
                whole = path.with_suffix(".mha").read_bytes()
                head, data = whole[: -volume.size], whole[-volume.size :]
                path.write_bytes(head.replace(b"LOCAL", path.stem.encode() + b".raw"))
                path.with_suffix(".raw").write_bytes(data)
                path.with_suffix(".mha").unlink()
            elif name.endswith((".png", ".gif")):
                Image.fromarray(volume[0]).save(path)
            elif name.endswith((".txt", ".raw", ".gz")):
                path.write_text("a note")
            elif name.endswith("/"):
                path.mkdir()
            elif "PIPE" in name:
                os.mkfifo(path)
            else:
                save_dicom(f"case/{name}", volume)
        return folder

    return write


pipes = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
VOLUMES = ["a9.mha", "a10.mha", "a.nrrd", "b.mha"]

FOLDERS = {
    "one volume": (["a.mha"], ["a.mha"], []),
    "volumes": (["b.mha", "a.nrrd", "a10.mha", "a9.mha"], VOLUMES, []),
    "a header with its data": (["a.mhd"], ["a.mhd"], []),
    "frames": (["1.png", "2.png"], ["case"], []),
    "frames and notes": (["1.png", "n.txt", ".hidden"], ["case"], ["n.txt"]),
    "DICOM files": (["IM1", "IM2.dcm"], ["case"], []),
    "DICOM files, notes and previews": (
        ["IM1", "n.txt", "preview.png"],
        ["case"],
        ["preview.png", "n.txt"],
    ),
    "a volume beside DICOM files": (["a.mha", "IM1"], ["a.mha", "case"], []),
    "a volume and previews": (["a.mha", "preview.png"], ["a.mha"], ["preview.png"]),
    "a GIF": (["a.gif"], ["a.gif"], []),
    "frames beside a folder of DICOM files": (["1.png", "S1/IM1"], ["case"], ["S1"]),
    "folders of DICOM files": (["S1/IM1", "S2/T/IM1", "S2/T/.hidden"], ["case"], []),
    "folders of DICOM files, a volume, a film and notes": (
        ["S1/IM1", "S1/n.txt", "S2/T/b.mha", "S2/film.gif", "n.txt", ".hidden"],
        ["case"],
        ["S2/film.gif", "S2/T/b.mha", "n.txt", "S1/n.txt"],
    ),
    "headers and data that no header names": (
        ["a.mhd", "b.mhd", "orphan.raw", "film.gz"],
        ["a.mhd", "b.mhd"],
        ["film.gz", "orphan.raw"],
    ),
    "a data set of ACOUSLIC-AI": (
        [
            "images/stacked_fetal_ultrasound/b.mha",
            "images/stacked_fetal_ultrasound/a.mha",
            "masks/stacked_fetal_abdomen/a.mha",
        ],
        ["a.mha", "b.mha"],
        ["masks"],
    ),
    "a data set of ACOUSLIC-AI and more": (
        [
            "images/stacked_fetal_ultrasound/a.mha",
            "images/stacked_fetal_ultrasound/n.txt",
            "images/stacked_fetal_ultrasound/more/b.mha",
            "images/IM7",
            "images/other/c.mha",
            "images/d.mha",
            "masks/stacked_fetal_abdomen/a.mha",
            "n.txt",
        ],
        ["a.mha"],
        [
            "images/stacked_fetal_ultrasound/more",
            "images/stacked_fetal_ultrasound/n.txt",
            "images/d.mha",
            "images/IM7",
            "images/other",
            "masks",
            "n.txt",
        ],
    ),
    "notes": (["n.txt"], [], ["n.txt"]),
    "nothing": ([], [], []),
}


@pytest.mark.parametrize(("names", "sweeps", "left_out"), FOLDERS.values(), ids=FOLDERS.keys())
def test_what_a_folder_holds(fill, names, sweeps, left_out, caplog):
    folder = fill(*names)

    contents = look_into(folder)

    found = [source.name for source in contents.sweeps]
    assert found == sweeps
    assert [path.relative_to(folder).as_posix() for path in contents.left_out] == left_out
    assert (get_reader(str(folder)) is not None) == bool(found)
    for source in contents.sweeps:
        assert len(read_source(source)) >= 1
    if len(found) == 1:
        assert len(read_sweep(folder)) >= 1
        assert all(name in caplog.text for name in left_out[: discovery.NAMED])
    else:
        with pytest.raises(
            SweepError, match=r"^case: expected .* found (none|\d.*); (choose|open)"
        ):
            read_sweep(folder)


def test_a_volume_is_not_hidden_by_the_dicom_files_beside_it(fill):
    with pytest.raises(SweepError, match=r"found 2 \(a\.mha, case\); open them one by one"):
        read_sweep(fill("a.mha", "IM1"))


@pytest.mark.parametrize("named", ["a.raw", "pixels/a.raw", "elsewhere"])
def test_a_folder_of_data_files_is_left_out_only_for_what_no_header_names(fill, named):
    folder = fill("a.mhd", "pixels/")
    header = (folder / "a.mhd").read_bytes()
    (folder / "a.mhd").write_bytes(header.replace(b"= a.raw", b"= " + named.encode()))
    if named.startswith("pixels"):
        (folder / "a.raw").rename(folder / "pixels" / "a.raw")
        assert look_into(folder).notice == ""
        (folder / "pixels" / "b.raw").write_bytes(b"more")
    expected = "pixels" if named != "elsewhere" else "a.raw, pixels"

    assert look_into(folder).notice == f"case: left out {expected}"


def test_a_look_that_ends_at_its_depth_says_where(fill, caplog):
    folder = fill("a/IM1", "a/b/c/d/IM2", "a/b/c/d/e/f/IM3", "g/")
    notice = "case: not looked into, as too deep: a/b/c/d/e"

    contents = look_into(folder)

    assert sorted(path.name for path in contents.sweeps[0].files) == ["IM1", "IM2"]
    assert contents.notice == notice
    read_sweep(folder)
    assert notice in caplog.text


def test_nothing_down_to_the_depth_of_the_look_is_said_so(fill):
    with pytest.raises(SweepError, match=r"found none down to 4 folders deep; choose"):
        read_sweep(fill("a/b/c/d/e/IM1"))


@pipes
def test_a_pipe_and_a_link_among_folders_of_dicom_files_are_named(fill, tmp_path):
    folder = fill("S1/IM1", "S1/PIPE")
    (tmp_path / "far").mkdir()
    (folder / "S1" / "link").symlink_to(tmp_path / "far")

    contents = look_into(folder)

    assert sorted(path.name for path in contents.left_out) == ["PIPE", "link"]
    assert len(contents.sweeps[0].files) == 1


def test_many_files_that_are_left_out_are_counted(fill):
    notice = look_into(fill("1.png", *(f"n{n}.txt" for n in range(9)))).notice

    assert notice == "case: left out n0.txt, n1.txt, n2.txt and 6 more"


def test_a_folder_of_more_frames_than_files_are_looked_through_opens(fill, volume, monkeypatch):
    monkeypatch.setattr(discovery, "MAX_FILES", 20)
    folder = fill(*(f"{n}.png" for n in range(50)))

    assert read_sweep(folder).shape == (50, *volume.shape[1:])


def test_a_disk_is_no_examination(fill, monkeypatch):
    monkeypatch.setattr(discovery, "MAX_FILES", 20)
    folder = fill(*(f"S/{n}.txt" for n in range(21)))

    with pytest.raises(SweepError, match=r"^case: .* more than 20 files; choose"):
        read_sweep(folder)


ENDINGS = ["", ".mha", ".mhd", ".nii", ".nrrd", ".dcm", ".mp4", ".avi", ".gif", ".png"]


@pipes
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_pipe_is_refused_at_once(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    os.mkfifo(path)
    (tmp_path / f"link{ending}").symlink_to(path)

    for way in (path, tmp_path / f"link{ending}"):
        with pytest.raises(SweepError, match=r"expected a file or a folder, found a pipe.*; c"):
            read_sweep(way)


@pipes
def test_a_socket_and_a_device_are_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.mha")
        with pytest.raises(SweepError, match=r"found a pipe, a socket or a device"):
            read_sweep(tmp_path / "a.mha")
    for device in ("/dev/zero", "/dev/null"):
        with pytest.raises(SweepError, match=r"found a pipe, a socket or a device"):
            read_sweep(device)


@pipes
@pytest.mark.parametrize("pipe", ["PIPE", "PIPE.mha", "0PIPE.png", "PIPE.dcm"])
@pytest.mark.parametrize("others", [["1.png", "2.png"], ["IM1"], ["a.mha"], ["S1/IM1"]])
def test_a_pipe_in_a_folder_is_passed_over(fill, pipe, others):
    folder = fill(*others)
    os.mkfifo(folder / pipe)

    assert get_reader(str(folder)) is not None
    assert len(read_sweep(folder)) >= 1


@pipes
def test_a_pipe_that_a_glob_matches_is_passed_over(fill):
    folder = fill("1.png", "2.png")
    os.mkfifo(folder / "3.png")

    assert len(read_sweep(folder / "*.png")) == 2


@pipes
def test_a_pipe_as_a_data_file_or_a_table_is_refused_at_once(fill, tmp_path, volume):
    folder = fill("a.mhd")
    (folder / "a.raw").unlink()
    os.mkfifo(folder / "a.raw")
    with pytest.raises(SweepError, match=r"^a\.mhd: "):
        read_sweep(folder / "a.mhd")

    write_case(tmp_path / "set", "a", SweepVolume(volume), volume * 0, [], "s")
    table = tmp_path / "set" / "circumferences" / "fetal_abdominal_circumferences_per_sweep.csv"
    table.unlink()
    os.mkfifo(table)
    from napari_fetal_iqa.io import list_cases

    with pytest.raises(SweepError, match="cannot be read; copy"):
        list_cases(tmp_path / "set")


@pipes
def test_a_link_in_a_circle_is_passed_over(fill):
    folder = fill("1.png")
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")

    assert len(read_sweep(folder)) == 1


@pytest.fixture
def locked(monkeypatch):
    """Take the permission to read some files and folders, also from root."""

    def lock(*names):
        open_path, scan = Path.open, os.scandir

        def checked(path):
            if Path(path).name in names:
                raise PermissionError(13, "Permission denied", str(path))
            return path

        monkeypatch.setattr(Path, "open", lambda path, *a, **k: open_path(checked(path), *a, **k))
        monkeypatch.setattr(os, "scandir", lambda path: scan(checked(path)))

    return lock


UNREAD = {
    "beside a volume": (["a.mha", "lock"], "lock", None),
    "beside DICOM files": (["a.dcm", "b.dcm", "lock"], "lock", None),
    "beside pictures": (["1.png", "2.png", "lock"], "lock", None),
    "beside DICOM files in folders": (["S1/1.dcm", "S2/lock"], "lock", "S2/lock"),
    "a folder beside folders of DICOM files": (["S1/1.dcm", "S2/2.dcm"], "S2", "S2"),
}


@pytest.mark.parametrize(("names", "denied", "said"), UNREAD.values(), ids=UNREAD.keys())
def test_what_cannot_be_read_beside_a_sweep_is_named(fill, locked, caplog, names, denied, said):
    folder = fill(*names)
    locked(denied)

    sweep = read_sweep(folder)

    assert len(sweep) > 0
    assert f"left out {said or denied}" in caplog.text


@pytest.mark.parametrize("names", [["IM1", "IM2", "IM3"], ["S1/IM1", "S1/IM2", "S2/IM3"]])
def test_a_file_that_cannot_be_read_and_may_be_a_frame_is_not_left_out(fill, locked, names):
    folder = fill(*names)
    locked("IM3")

    with pytest.raises(SweepError, match=r"expected DICOM .* IM3|S2/IM3, which may be .*; ask"):
        read_sweep(folder)


def test_names_that_steer_a_terminal_are_made_safe_in_the_log(fill, caplog):
    folder = fill("a.mha", "b\x1b[2J.txt", "c%s.txt")

    read_sweep(folder)

    assert "left out b?[2J.txt, c%s.txt" in caplog.text
    assert "\x1b" not in caplog.text
