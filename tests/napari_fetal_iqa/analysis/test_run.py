import csv
import json
import shutil

import numpy as np
import pytest
import SimpleITK
import torch
from PIL import Image

from fetal_iqa_models import ModelError, load_model, preprocess
from napari_fetal_iqa.analysis import (
    Analyser,
    Analysis,
    Thresholds,
    analyse_sweep,
    choose_models,
    coarse_to_fine,
    write_results,
)
from napari_fetal_iqa.analysis.files import summary
from napari_fetal_iqa.errors import AnalysisError


@pytest.fixture(scope="module")
def analysis(sweep, tiny_models):
    return analyse_sweep(
        sweep, tiny_models["cls"], tiny_models["seg"], device="cpu", use_cache=False
    )


def test_every_frame_gets_the_score_that_the_network_gives_it_alone(analysis, sweep, tiny_models):
    """Oracle: the network called by hand, one frame at a time."""
    model = load_model(tiny_models["cls"])
    for frame in (0, 17, 59):
        image = preprocess(sweep.frames[frame][None], model.encoder.spec.image_size)
        alone = model(image).sigmoid().item()
        assert analysis.quality[frame] == pytest.approx(alone, abs=1e-4)
    assert analysis.complete
    assert analysis.setup.device == "cpu"
    assert [model.id[:4] for model in analysis.setup.models] == ["cls-", "seg-"]


def test_progress_counts_up_to_the_end(sweep, tiny_models):
    seen = []
    chosen = [5, 3, 40]
    part = analyse_sweep(
        sweep,
        tiny_models["cls"],
        None,
        device="cpu",
        frames=chosen,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (3, 3)
    assert np.flatnonzero(part.computed).tolist() == [3, 5, 40]
    assert part.packed_mask(3) is None


def test_after_a_retreat_to_the_cpu_the_results_name_the_cpu(sweep, tiny_models):
    analyser = Analyser(tiny_models["cls"], None, device="cpu", batch_size=4)
    predictor, cpu = analyser._predictor, analyser._predictor.device
    predictor.device = torch.device("mps")
    analysis = Analysis(sweep, analyser.setup)
    assert analysis.setup.device == "mps"
    predictor.device = cpu
    analysis.add(next(analyser.run(sweep, range(4))))
    assert (analysis.setup.device, analyser.setup.device) == ("cpu", "cpu")
    assert summary(analysis)["device"] == "cpu"


def test_closing_the_iterator_cancels(sweep, tiny_models, monkeypatch):
    analyser = Analyser(tiny_models["cls"], None, device="cpu", batch_size=4)
    batches = analyser.run(sweep, range(60))
    first = next(batches)
    batches.close()
    assert first.frames.tolist() == [0, 1, 2, 3]
    assert next(batches, None) is None


def test_a_batch_at_hand_gives_what_the_sweep_gives(analysis, sweep, tiny_models):
    analyser = Analyser(tiny_models["cls"], tiny_models["seg"], device="cpu", batch_size=2)
    numbers = np.array([30, 2, 11])
    found = analyser.run_batch(
        numbers, sweep.frames[numbers], sweep.spacing_mm, sweep.field_of_view
    )
    assert found.frames.tolist() == [30, 2, 11]
    assert found.quality == pytest.approx(analysis.quality[numbers], abs=1e-4)
    assert found.area_fraction == pytest.approx(analysis.area_fraction[numbers], abs=2e-3)
    assert set(found.seconds) >= {"preprocess", "cls", "seg", "restore", "measure"}


@pytest.mark.parametrize(
    ("cls", "seg", "message"),
    [(None, None, "no model is chosen"), ("seg", None, "a seg model where a cls model is needed")],
)
def test_models_that_do_not_fit_are_refused(tiny_models, cls, seg, message):
    with pytest.raises(AnalysisError, match=message):
        Analyser(cls and tiny_models[cls], seg)


def test_the_cards_thresholds_count(tiny_models, tmp_path):
    folders = {}
    for task, field, value in (("cls", "quality_threshold", 0.8), ("seg", "area_threshold", 0.03)):
        folders[task] = tmp_path / task
        shutil.copytree(tiny_models[task], folders[task])
        card = json.loads((folders[task] / "model.json").read_text())
        (folders[task] / "model.json").write_text(json.dumps({**card, field: value}))
    assert choose_models(folders["cls"], folders["seg"]).setup().thresholds == Thresholds(0.8, 0.03)
    alone = Analyser(folders["cls"], None, device="cpu").setup.thresholds
    assert alone == Thresholds(0.8, Thresholds().area)


def test_a_missing_model_is_named():
    with pytest.raises(ModelError, match="no-such-model"):
        Analyser("no-such-model", None)


def test_a_frame_beyond_the_end_is_refused(sweep, tiny_models):
    with pytest.raises(AnalysisError, match="frames 0 to 59, not 60"):
        analyse_sweep(sweep, tiny_models["cls"], None, frames=[60])


def test_the_files_are_those_of_the_contract(analysis, sweep, tmp_path):
    write_results(analysis, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "frames.csv",
        "masks.mha",
        "summary.json",
        "timeline.png",
    ]
    rows = list(csv.DictReader((tmp_path / "out" / "frames.csv").open()))
    assert list(rows[0]) == [
        "frame", "sweep", "frame_in_sweep", "quality", "area_fraction", "label", "ac_mm",
        "plane", "computed", "plane_score", "plane_judged",
    ]  # fmt: skip
    assert {row["plane"] for row in rows} == {""}
    assert len(rows) == 60
    assert (rows[25]["frame"], rows[25]["sweep"], rows[25]["frame_in_sweep"]) == ("25", "2", "5")
    assert float(rows[25]["quality"]) == pytest.approx(analysis.quality[25], abs=1e-4)

    masks = SimpleITK.ReadImage(str(tmp_path / "out" / "masks.mha"))
    assert masks.GetSpacing() == (sweep.spacing_mm[1], sweep.spacing_mm[0], 1)
    assert masks.GetOrigin() == (0, 0, 0)
    assert masks.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert b"CompressedData = True" in (tmp_path / "out" / "masks.mha").read_bytes()[:1000]
    array = SimpleITK.GetArrayFromImage(masks)
    assert array.dtype == np.uint8
    for frame in (0, 25, 59):
        assert np.array_equal(array[frame] > 0, analysis.mask(frame))

    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["content_hash"] == sweep.identity
    assert summary["best_frame"] == analysis.best_frame()
    assert summary["models"]["cls"]["hash"] == analysis.setup.cls_model.hash
    assert "not a medical device" in summary["notice"]
    assert list(summary)[-1] == "spacing_note"
    assert Image.open(tmp_path / "out" / "timeline.png").size[0] > 1000


def test_results_without_a_best_frame_say_so(blank_sweep, tiny_models, tmp_path):
    analysis = analyse_sweep(blank_sweep, tiny_models["cls"], None, device="cpu", frames=[19])
    write_results(analysis, tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["best_frame"] == -1
    assert summary["best_frame_ac_mm"] is None
    assert summary["frames_analysed"] == 1
    rows = list(csv.DictReader((tmp_path / "frames.csv").open()))
    assert rows[0]["quality"] == rows[0]["label"] == ""
    assert rows[19]["label"] == "0"


def test_a_cancelled_analysis_has_what_was_done_and_is_not_kept(sweep, tiny_models):
    models = tiny_models["cls"], None
    cancelled = iter([False, False, True])
    part = analyse_sweep(sweep, *models, device="cpu", batch_size=4, cancel=lambda: next(cancelled))
    assert np.flatnonzero(part.computed).tolist() == sorted(coarse_to_fine(60)[:8])
    assert analyse_sweep(sweep, *models, device="cpu").complete


def test_ctrl_c_brings_what_was_done(sweep, tiny_models):
    def interrupt(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        analyse_sweep(sweep, tiny_models["cls"], None, batch_size=4, progress=interrupt)
    assert caught.value.analysis.computed.sum() == 4


def test_an_analyser_goes_through_many_sweeps_and_loads_only_at_need(
    sweep, blank_sweep, tiny_models, monkeypatch
):
    models = tiny_models["cls"], tiny_models["seg"]
    alone = [analyse_sweep(one, *models, device="cpu") for one in (sweep, blank_sweep)]
    analyser = Analyser(*models, device="cpu")
    kept = [analyse_sweep(one, analyser=analyser) for one in (sweep, blank_sweep)]
    assert not analyser.loaded
    again = [analyse_sweep(o, analyser=analyser, overwrite=True) for o in (sweep, blank_sweep)]
    assert analyser.loaded
    for first, *others in zip(alone, kept, again, strict=True):
        for other in others:
            assert other.setup == first.setup
            assert np.allclose(other.quality, first.quality, atol=1e-4)
            assert np.array_equal(other.labels(), first.labels())
