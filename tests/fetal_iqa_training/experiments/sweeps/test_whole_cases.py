import shutil

import numpy as np

from fetal_iqa_training.experiments.sweeps.whole_cases import analyse_cases
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.acouslic import IMAGES, list_cases


def test_whole_cases_have_all_frames_their_labels_and_what_is_not_annotated(data, tiny_models):
    models = tiny_models["cls"], tiny_models["seg"]
    names = {"case1", "case4"}
    cases, thresholds = analyse_cases(data, names, models, None, "cpu", lambda progress: None)
    assert [case.name for case in cases] == ["case1", "case4"]
    assert (thresholds.quality, thresholds.area) == (0.5, 0.01)
    truth = [case for case in list_cases(data) if case.uuid in names]
    for found, case in zip(cases, truth, strict=True):
        masks = np.asarray(read_sweep(case.mask_path).frames)
        assert np.array_equal(found.labels, masks.max(axis=(1, 2)))
        assert found.bounds == tuple((start, start + 6) for start in range(0, 36, 6))
        assert np.isfinite(found.quality).all()
        assert np.array_equal(np.isnan(found.reference_ac_mm), [False] * 5 + [True])


def test_a_case_that_was_analysed_before_is_not_analysed_again(data, tiny_models, monkeypatch):
    models = tiny_models["cls"], tiny_models["seg"]
    first = analyse_cases(data, {"case1"}, models, None, "cpu", lambda progress: None)[0][0]
    monkeypatch.setattr("fetal_iqa_models.FramePredictor.predict", None)
    again = analyse_cases(data, {"case1"}, models, None, "cpu", lambda progress: None)[0][0]
    assert np.array_equal(first.quality, again.quality)
    assert np.array_equal(first.ac_mm, again.ac_mm, equal_nan=True)


def test_a_volume_that_is_missing_elsewhere_does_not_matter(data, tiny_models, tmp_path):
    models = tiny_models["cls"], tiny_models["seg"]
    folder = shutil.copytree(data, tmp_path / "data")
    (folder / IMAGES / "case0.mha").unlink()
    cases, _ = analyse_cases(folder, {"case1"}, models, None, "cpu", lambda progress: None)
    assert [case.name for case in cases] == ["case1"]
