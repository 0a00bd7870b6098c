"""Which plane a frame shows: from the model into the analysis, its files and its cache."""

import csv
import json

import numpy as np
import pytest
import torch

from fetal_iqa_models import FrameClassifier, ModelCard, load_encoder, preprocess, save_model
from fetal_iqa_models.classes import FrameClass
from napari_fetal_iqa.analysis import analyse_sweep, cache, write_results
from napari_fetal_iqa.analysis.models import choose_models
from napari_fetal_iqa.analysis.result import Analysis
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.sweep import SweepVolume

CLASSES = tuple(
    FrameClass(name=name, target=name == "abdomen") for name in ("=head", "abdomen", "nothing")
)


@pytest.fixture(scope="module")
def sweep():
    frames = np.random.default_rng(0).integers(0, 256, (12, 40, 60), np.uint8)
    frames[1::3] //= 4
    frames[2::3, 10:] //= 9
    frames[7] = 0
    return SweepVolume(frames, name="case", spacing_mm=(0.3, 0.3))


@pytest.fixture(scope="module")
def model(sweep, tmp_path_factory):
    torch.manual_seed(3)
    network = FrameClassifier(load_encoder("fetalclip-tiny"), CLASSES).eval()
    with torch.no_grad():  # each class wins somewhere
        scores = network.scores(preprocess(np.asarray(sweep.frames), 56))
        network.head.weight *= 20
        network.head.bias -= 20 * (scores - network.head.bias).mean(0) + network.head.bias
    card = ModelCard(
        name="planes",
        task="cls",
        encoder="fetalclip-tiny",
        encoder_weights="own",
        image_size=56,
        classes=CLASSES,
    )
    folder = tmp_path_factory.mktemp("models") / "planes"
    save_model(network, folder, card)
    return network, folder


@pytest.fixture(scope="module")
def planes(model, sweep):
    """What the network itself says of each frame; nothing of the black one."""
    with torch.no_grad():
        places = model[0].scores(preprocess(np.asarray(sweep.frames), 56)).argmax(1)
    names = [CLASSES[place].name for place in places]
    names[7] = ""
    return names


def analysed(sweep, model, **options):
    return analyse_sweep(sweep, model[1], None, device="cpu", **options)


def test_the_plane_is_a_column_and_counted_in_the_summary(sweep, model, planes, tmp_path):
    assert len(set(planes)) > 2  # else agreement would mean little
    write_results(analysed(sweep, model, use_cache=False), tmp_path)
    header, *rows = csv.reader((tmp_path / "frames.csv").open())
    shown = [row[header.index("plane")] for row in rows]
    assert [plane.removeprefix("'") for plane in shown] == planes
    assert "=head" not in shown  # no formula in a spreadsheet
    counts = json.loads((tmp_path / "summary.json").read_text())["planes"]
    assert counts == {one.name: planes.count(one.name) for one in CLASSES}


def test_planes_come_back_from_the_cache_and_older_files_are_made_anew(
    sweep, model, planes, monkeypatch
):
    whole = analysed(sweep, model)
    setup = choose_models(model[1], None).setup()
    found = cache.load(sweep, setup)
    assert found.setup.planes == tuple(one.name for one in CLASSES)
    assert [found.plane(frame) for frame in range(12)] == planes
    tensors = cache._tensors(whole)
    del tensors["planes"]
    monkeypatch.setattr(cache, "_tensors", lambda analysis: tensors)
    cache.save(whole)
    assert cache.load(sweep, setup) is None


def test_what_is_not_analysed_shows_no_plane(sweep, model, planes):
    part = analysed(sweep, model, frames=[0, 7], use_cache=False)
    assert [part.plane(frame) for frame in (0, 1, 7)] == [planes[0], "", ""]


def test_the_review_says_the_plane_of_the_frame_that_is_seen(
    sweep, model, planes, tiny_models, tmp_path
):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        session = ReviewSession(sweep, store, "AK")
        assert session.view(0).plane is None
        session.begin_analysis(analysed(sweep, model, use_cache=False))
        assert [session.view(frame).plane for frame in range(12)] == planes
        scored = analyse_sweep(sweep, tiny_models["cls"], None, device="cpu", use_cache=False)
        session.begin_analysis(scored)
        assert session.view(0).plane is None


def test_results_say_what_must_be_known_of_a_model(sweep, tmp_path):
    setup = choose_models("sononet-cls", None).setup()
    assert not setup.demo
    write_results(Analysis(sweep, setup), tmp_path)
    notice = json.loads((tmp_path / "summary.json").read_text())["notice"]
    assert "not validated on blind sweeps" in notice
    assert choose_models("demo-cls", "demo-seg").setup().notices == ()
