"""A file or a folder appears whole or not at all, whatever happens meanwhile."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fetal_iqa_models.atomic_file import (
    atomic_file,
    atomic_folder,
    clear_abandoned,
    write_atomically,
)


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were flushed to disk, as they happen."""
    names: list[str] = []

    def fsync(handle: int) -> None:
        names.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)

    monkeypatch.setattr("fetal_iqa_models.atomic_file.os.fsync", fsync)
    return names


def test_the_old_file_is_read_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_file(path) as new:
        new.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_a_block_that_raises_changes_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write() -> None:
        with atomic_file(path) as new:
            new.write_text("half")
            raise error("mine")

    with pytest.raises(error, match="mine"):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_program_that_dies_leaves_the_old_file_and_nothing_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.mha"
    path.write_text("old")
    dying = (
        "import os, pathlib, fetal_iqa_models.atomic_file as a\n"
        f"with a.atomic_file(pathlib.Path({str(path)!r})) as new:\n"
        "    new.write_text('half')\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", dying], check=False).returncode == 9
    assert path.read_text() == "old"
    assert list(tmp_path.glob("*.mha")) == [path]


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with atomic_file(path) as first, atomic_file(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # the outer block ends last
    assert list(tmp_path.iterdir()) == [path]


def test_the_ending_stays_in_small_letters_and_the_name_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "Case.NII.GZ"
    with atomic_file(path) as new:
        assert new.name == "case.nii.gz"
        new.touch()
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_appears_when_all_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "missing" / "model"
    with atomic_folder(folder) as new:
        (new / "inner").mkdir()
        (new / "inner" / "a").write_text("a")
        assert not folder.exists()
    assert (folder / "inner" / "a").read_text() == "a"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_was_made_meanwhile_stays_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "model"

    def write() -> None:
        with atomic_folder(folder) as new:
            (new / "a").write_text("mine")
            folder.mkdir()
            (folder / "a").write_text("another's")

    with pytest.raises(OSError, match="model"):
        write()
    assert (folder / "a").read_text() == "another's"
    assert list(tmp_path.iterdir()) == [folder]


def test_half_a_folder_is_cleared_away(tmp_path: Path) -> None:
    def write() -> None:
        with atomic_folder(tmp_path / "model") as new:
            (new / "a").write_text("half")
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="names a handle by /proc")
def test_only_what_is_to_be_flushed_is(tmp_path: Path, flushed: list[str]) -> None:
    with atomic_file(tmp_path / "a.txt") as new:
        new.touch()
    with atomic_folder(tmp_path / "quick") as folder:
        (folder / "b").touch()
    write_atomically(tmp_path / "c.json", "{}")
    assert flushed == []
    with atomic_file(tmp_path / "d.txt", flush=True) as new:
        new.touch()
    with atomic_folder(tmp_path / "safe", flush=True) as folder:
        (folder / "e").touch()
        (folder / "f").touch()
    assert flushed[0] == "d.txt"
    assert sorted(flushed[1:]) == ["e", "f"]


def test_a_text_is_utf_8_and_its_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "settings.json"
    write_atomically(path, "größer\n")
    write_atomically(path, "größer als zuvor\n")
    assert path.read_text(encoding="utf-8") == "größer als zuvor\n"
    assert list(path.parent.iterdir()) == [path]
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


DYING = """
import os, pathlib, sys
from fetal_iqa_models.atomic_file import atomic_file
with atomic_file(pathlib.Path(sys.argv[1])) as new:
    new.write_text("half")
    os._exit(9)
"""


def test_what_a_dead_program_has_left_is_cleared_and_what_is_written_now_stays(
    tmp_path: Path,
) -> None:
    dying = [sys.executable, "-c", DYING, str(tmp_path / "a.txt")]
    assert subprocess.run(dying, check=False).returncode == 9
    assert len(list(tmp_path.iterdir())) == 1
    with atomic_file(tmp_path / "b.txt") as new:
        new.write_text("whole")
        clear_abandoned(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [new.parent.name]
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


def test_a_folder_that_somebody_just_made_is_not_cleared_yet(tmp_path: Path) -> None:
    young, old = (tmp_path / f".writing-{name}" for name in ("young", "old"))
    for folder in (young, old):
        folder.mkdir()
    os.utime(old, (0, 0))
    clear_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [young]
    clear_abandoned(tmp_path / "nowhere")
