"""What files say of the time between their frames."""

import av
import numpy as np
import pytest
from pydicom import uid

from napari_fetal_iqa.io import read_sweep

FRAMES = np.random.default_rng(0).integers(0, 255, (4, 32, 48), dtype=np.uint8)


def test_a_video_has_its_own_rate(tmp_path):
    with av.open(tmp_path / "a.avi", "w") as video:
        stream = video.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "gray"
        for pixels in FRAMES:
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="gray")):
                video.mux(packet)
        for packet in stream.encode():
            video.mux(packet)
    sweep = read_sweep(tmp_path / "a.avi")
    assert sweep.frames_per_second == pytest.approx(25)
    assert sweep.rate_source == "rate of the video"


@pytest.mark.parametrize(
    ("times", "expected"),
    [(("10.00", "10.05", "10.10", "10.20"), 20), (("1", "1", "1", "1"), None), (("x", "1"), None)],
    ids=["one frame missing", "all at once", "no times"],
)
def test_a_tracked_sweep_has_that_of_its_timestamps(tmp_path, times, expected):
    fields = [f"Seq_Frame{place:04}_Timestamp = {time}" for place, time in enumerate(times)]
    header = [
        *("ObjectType = Image", "NDims = 3", "DimSize = 48 32 4", "ElementType = MET_UCHAR"),
        *fields,
        "ElementDataFile = LOCAL\n",
    ]
    (tmp_path / "a.mha").write_bytes("\n".join(header).encode() + FRAMES.tobytes())
    sweep = read_sweep(tmp_path / "a.mha")
    assert sweep.frames_per_second == (expected and pytest.approx(expected))
    assert bool(sweep.rate_source) == (expected is not None)


@pytest.mark.parametrize(
    ("said", "expected", "source"),
    [
        ({"FrameTime": "40"}, 25, "DICOM: Frame Time"),
        ({"FrameTimeVector": ["0", "50", "50", "60"]}, 20, "DICOM: Frame Time Vector"),
        ({"CineRate": "18", "FrameTime": "0"}, 18, "DICOM: Cine Rate"),
        ({"RecommendedDisplayFrameRate": "30"}, 30, "DICOM: Recommended Display Frame Rate"),
        ({}, None, ""),
    ],
    ids=["time", "times", "no time but a rate", "display", "nothing"],
)
@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
def test_a_dicom_file_has_what_its_header_says(save_dicom, said, expected, source, syntax):
    sweep = read_sweep(save_dicom("a.dcm", FRAMES, syntax, **said))
    assert sweep.frames_per_second == (expected and pytest.approx(expected))
    assert sweep.rate_source == source
