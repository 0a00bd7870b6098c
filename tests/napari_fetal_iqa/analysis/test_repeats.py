"""Black frames and repeated ones are not computed, and their results are as if they had been."""

from collections.abc import Iterator

import numpy as np
import pytest

from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, FrameQueue, ModelRef, begin_analysis
from napari_fetal_iqa.analysis.repeats import OnceEach, find_repeats
from napari_fetal_iqa.analysis.result import FrameResults
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.sweep import SweepVolume

MODEL = ModelRef(id="model-0000", hash="0" * 64, name="model")


class Brightness:
    """Models whose quality is the brightness of a frame; they remember what they were given."""

    setup = AnalysisSetup(cls_model=MODEL, seg_model=MODEL)

    def __init__(self) -> None:
        self.given: list[int] = []

    def run(self, sweep: SweepVolume, order) -> Iterator[FrameResults]:
        blocks = iter([list(order)] if not isinstance(order, FrameQueue) else [])
        take = order.take if isinstance(order, FrameQueue) else lambda _: next(blocks, [])
        while numbers := take(4):
            self.given += numbers
            images = sweep.frames[numbers]
            level = images.mean((1, 2), dtype=np.float32) / 255
            yield FrameResults(
                frames=np.array(numbers),
                quality=level,
                area_fraction=level / 2,
                masks=tuple(encode_mask(image > 100) for image in images),
                ac_mm=level.astype(float),
                non_black=images.any((1, 2)),
                seconds={"cls": 0.0},
            )


@pytest.fixture
def sweep() -> SweepVolume:
    """Thirty frames of noise: 7 and 8 are 3 again, 20 is 12 again, and the last five are black."""
    frames = np.random.default_rng(0).integers(0, 256, (30, 9, 11), np.uint8)
    frames[[7, 8]], frames[20], frames[25:] = frames[3], frames[12], 0
    frames[24] = 0
    frames[24, 4, 4] = 1  # nearly black is not black
    return SweepVolume(frames, spacing_mm=(1, 1), bounds=((0, 15), (15, 30)))


def analysed(sweep, models, order) -> Analysis:
    analysis, results = begin_analysis(sweep, models.setup, lambda: models, order, use_cache=False)
    for batch in results:
        analysis.add(batch)
    return analysis


def test_each_picture_is_computed_once_and_black_never(sweep):
    models = Brightness()
    analysis = analysed(sweep, models, FrameQueue(len(sweep), 0, sweep.bounds))
    assert analysis.complete
    assert len(models.given) == len(set(models.given)) == 30 - 3 - 5
    assert len({3, 7, 8} & set(models.given)) == len({12, 20} & set(models.given)) == 1
    assert not set(models.given) & set(range(25, 30))
    assert 24 in models.given


def test_results_are_those_of_every_frame_computed(sweep):
    once, every = Brightness(), Brightness()
    analysis = analysed(sweep, once, FrameQueue(len(sweep), None, sweep.bounds))
    alone = Analysis(sweep, every.setup)
    for batch in every.run(sweep, range(len(sweep))):
        alone.add(batch)
    lit = slice(0, 25)
    for name in ("quality", "area_fraction", "ac_mm"):
        assert np.array_equal(getattr(analysis, name)[lit], getattr(alone, name)[lit])
    assert [analysis.packed_mask(f) for f in range(30)] == [alone.packed_mask(f) for f in range(30)]
    assert np.array_equal(analysis.labels(), alone.labels())
    assert np.array_equal(analysis.score, alone.score)
    assert analysis.best_frame() == alone.best_frame()
    assert analysis.quality[25:].tolist() == analysis.area_fraction[25:].tolist() == [0] * 5


def test_a_repeated_frame_is_computed_where_its_first_is_not_wanted(sweep):
    models = Brightness()
    analysis = analysed(sweep, models, [8, 7, 20, 29])
    assert models.given == [8, 20]
    assert np.flatnonzero(analysis.computed).tolist() == [7, 8, 20, 29]
    assert analysis.quality[7] == analysis.quality[8]


def test_frames_whose_checksums_collide_are_told_apart(sweep, monkeypatch):
    monkeypatch.setattr("zlib.crc32", lambda data: 0)
    read_only = sweep.frames.copy()
    read_only.flags.writeable = False
    repeats = find_repeats(SweepVolume(read_only, bounds=sweep.bounds))
    assert np.flatnonzero(repeats.black).tolist() == list(range(25, 30))
    own = np.arange(30)
    own[[7, 8]], own[20], own[25:] = 3, 12, 25
    assert repeats.first.tolist() == own.tolist()


def test_a_black_sweep_asks_no_network():
    sweep = SweepVolume(np.zeros((3, 4, 5), np.uint8))
    models = Brightness()
    analysis = analysed(sweep, models, FrameQueue(3))
    assert analysis.complete
    assert models.given == OnceEach(sweep, [0, 1, 2]).own == []
    assert analysis.labels().tolist() == [0, 0, 0]
