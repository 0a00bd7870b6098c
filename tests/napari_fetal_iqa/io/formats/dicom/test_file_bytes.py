"""Files that change while they are read, and reads at any place."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.formats import dicom
from napari_fetal_iqa.io.formats.dicom import file_bytes, reader
from napari_fetal_iqa.io.formats.dicom.file_bytes import FileBytes


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(places=st.lists(st.tuples(st.integers(0, 130), st.integers(0, 130)), max_size=12))
def test_slices_are_those_of_the_whole_file(tmp_path, monkeypatch, places):
    monkeypatch.setattr(file_bytes, "WINDOW_BYTES", 16)
    monkeypatch.setattr(file_bytes, "READ_BYTES", 20)
    whole = bytes(range(120))
    (path := tmp_path / "a").write_bytes(whole)

    with path.open("rb", buffering=0) as file:
        stored = FileBytes(path, file)

        assert len(stored) == 120
        for start, stop in places:
            assert stored[start:stop] == whole[start:stop]


@pytest.mark.parametrize(
    ("syntax", "dtype"),
    [
        (uid.ExplicitVRLittleEndian, np.uint8),
        (uid.ImplicitVRLittleEndian, np.uint16),
        (uid.ExplicitVRBigEndian, np.uint16),
    ],
)
@pytest.mark.parametrize("kept", [0, 200, 20_000])
def test_a_file_cut_between_header_and_pixels_is_refused(
    save_dicom, monkeypatch, syntax, dtype, kept
):
    frames = np.ones((40, 50, 60), dtype)
    path = save_dicom("a.dcm", frames, syntax)
    read_header = reader.read_header

    def then_cut(file):
        header = read_header(file)
        os.truncate(path, kept)
        return header

    monkeypatch.setattr(reader, "read_header", then_cut)

    with pytest.raises(SweepError, match=r"^a\.dcm: [^\n]*$"):
        read_sweep(path)


def test_a_file_written_over_while_it_is_read_is_refused(save_dicom, monkeypatch):
    path = save_dicom("a.dcm", np.ones((4, 50, 60), np.uint16))
    read_header = reader.read_header

    def then_write(file):
        header = read_header(file)
        os.utime(path, ns=(1, 1))
        return header

    monkeypatch.setattr(reader, "read_header", then_write)

    with pytest.raises(SweepError, match=r"a\.dcm: .* changed on disk"):
        read_sweep(path)


def test_no_file_is_mapped():
    for module in Path(dicom.__file__).parent.glob("*.py"):
        assert "mmap" not in module.read_text(encoding="utf-8"), module.name
