import tracemalloc
from dataclasses import replace

import numpy as np

from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, FrameResults, ModelRef, Thresholds
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.sweep import SweepVolume

CLS = ModelRef(id="cls-0000", hash="0" * 64, name="quality")
SEG = ModelRef(id="seg-1111", hash="1" * 64, name="outline", demo=True)


def results(frames, quality=None, area=None, masks=None, non_black=True):
    count = len(frames)
    return FrameResults(
        frames=np.array(frames),
        quality=None if quality is None else np.array(quality, np.float32),
        area_fraction=None if area is None else np.array(area, np.float32),
        masks=masks,
        ac_mm=np.full(count, np.nan),
        non_black=np.full(count, non_black),
        seconds={"cls": 0.5},
    )


def test_an_empty_analysis_has_no_results(blank_sweep):
    analysis = Analysis(blank_sweep)
    assert (analysis.labels() == -1).all()
    assert analysis.best_frame() == -1
    assert not analysis.complete
    assert not analysis.mask(3).any()
    assert analysis.packed_mask(3) is None


def test_both_networks_must_find_the_abdomen(blank_sweep):
    analysis = Analysis(blank_sweep, AnalysisSetup(CLS, SEG, Thresholds(quality=0.5, area=0.01)))
    code = encode_mask(np.zeros((30, 40), bool))
    analysis.add(
        results(
            [0, 1, 2, 3],
            quality=[0.9, 0.9, 0.1, 0.5],
            area=[0.2, 0.001, 0.2, 0.2],
            masks=(code,) * 4,
        )
    )
    assert analysis.labels()[:5].tolist() == [1, 0, 0, 0, -1]
    assert analysis.best_frame() == 0


def test_one_network_alone_decides_where_there_is_no_other(blank_sweep):
    by_quality = Analysis(blank_sweep, AnalysisSetup(cls_model=CLS))
    by_quality.add(results([0, 1], quality=[0.2, 0.8]))
    assert by_quality.labels()[:2].tolist() == [0, 1]
    assert by_quality.best_frame() == 1
    by_area = Analysis(blank_sweep, AnalysisSetup(seg_model=SEG))
    code = encode_mask(np.ones((30, 40), bool))
    by_area.add(results([0, 1], area=[0.0, 0.3], masks=(code, code)))
    assert by_area.labels()[:2].tolist() == [0, 1]
    assert by_area.best_frame() == 1
    assert by_area.mask(1).all()


def test_trailing_black_frames_are_never_best(blank_sweep):
    analysis = Analysis(blank_sweep, AnalysisSetup(cls_model=CLS))
    analysis.add(results([17], quality=[0.6]))
    analysis.add(results([18, 19], quality=[1.0, 1.0], non_black=False))
    assert analysis.labels()[17:].tolist() == [1, 0, 0]
    assert analysis.best_frame() == 17


def test_black_frames_lend_their_neighbours_no_score():
    """They score as the network pleases: seen at 0.0 and at 1.0."""
    sweep = SweepVolume(np.full((30, 30, 40), 100, np.uint8))
    best = []
    for score in (0.0, 1.0):
        analysis = Analysis(sweep, AnalysisSetup(cls_model=CLS))
        quality = np.full(30, 0.1)
        quality[8:13] = 0.7
        quality[20:24] = 0.6
        analysis.add(results(range(24), quality=quality[:24]))
        analysis.add(results(range(24, 30), quality=[score] * 6, non_black=False))
        assert (analysis.score[24:] == 0).all()
        best.append(analysis.best_frame())
    assert best == [10, 10]


def test_frames_that_were_not_computed_have_no_score(blank_sweep):
    analysis = Analysis(blank_sweep, AnalysisSetup(seg_model=SEG))
    assert np.isnan(analysis.score).all()


def test_the_device_is_that_of_the_last_results(blank_sweep):
    analysis = Analysis(blank_sweep, AnalysisSetup(CLS, device="cuda", precision="bfloat16"))
    analysis.add(results([0], quality=[0.1]))
    assert (analysis.setup.device, analysis.setup.precision) == ("cuda", "bfloat16")
    moved = replace(results([1], quality=[0.1]), device="cpu", precision="float32")
    analysis.add(moved)
    assert (analysis.setup.device, analysis.setup.precision) == ("cpu", "float32")


def test_the_masks_of_a_whole_case_stay_under_50_mb():
    """840 ragged ellipses, each larger than an abdomen ever is on an ACOUSLIC frame."""
    shape = (562, 744)
    sweep = SweepVolume(np.broadcast_to(np.uint8(9), (840, *shape)))
    analysis = Analysis(sweep, AnalysisSetup(seg_model=SEG))
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    radius = np.hypot((rows - 281) / 250, (columns - 372) / 330)
    rng = np.random.default_rng(0)
    tracemalloc.start()
    for frame in range(840):
        if frame % 40 == 0:
            mask = radius + rng.normal(0, 0.02, shape) < 1
        code = encode_mask(np.roll(mask, frame, axis=1))
        analysis.add(results([frame], area=[0.3], masks=(code,)))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert analysis.complete
    assert 840 * 1000 < held < 50e6


def test_seconds_add_up_over_batches(blank_sweep):
    analysis = Analysis(blank_sweep, AnalysisSetup(cls_model=CLS))
    analysis.add(results([0], quality=[0.1]))
    analysis.add(results([1], quality=[0.1]))
    assert analysis.seconds == {"cls": 1.0}


def test_a_setup_with_a_demo_model_says_so():
    assert AnalysisSetup(CLS, SEG).demo
    assert not AnalysisSetup(CLS).demo
    assert AnalysisSetup(CLS, SEG).models == (CLS, SEG)
