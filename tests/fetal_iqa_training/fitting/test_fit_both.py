import numpy as np
import pytest

from fetal_iqa_models import FramePredictor, load_card, load_model
from fetal_iqa_models.lora import adapter_state
from fetal_iqa_models.shared_encoder import folders_share_encoder
from fetal_iqa_training.fitting.fit_both import fit_both
from napari_fetal_iqa.analysis import engine
from napari_fetal_iqa.analysis.engine import make_predictor
from napari_fetal_iqa.analysis.models import choose_models
from napari_fetal_iqa.model_library.zero_shot import located

from ..conftest import disc_volume, tiny_settings


@pytest.fixture(scope="module")
def both(data, tmp_path_factory):
    """Two model folders of one encoder, which have learnt to find and to outline discs."""
    folder = tmp_path_factory.mktemp("both")
    settings = tiny_settings("seg", epochs=5, head_rate=5.0, schedule="cosine", gradient_clip=1.0)
    outs = {"cls": folder / "m-cls", "seg": folder / "m-seg"}
    return outs, fit_both(data, outs, settings)


@pytest.fixture(scope="module")
def frames():
    return disc_volume(77)[0]


def told(predictor, frames, cascade=None):
    predictor.cascade = cascade
    batches = list(predictor.predict(frames))
    return tuple(
        np.concatenate([getattr(one, name) for one in batches])
        for name in ("quality", "area_fraction", "masks")
    )


def test_one_encoder_learns_both_tasks(both):
    outs, cards = both
    assert cards["seg"].metrics["test"]["dice"] > 0.7
    assert cards["cls"].metrics["test"]["f1"] > 0.8
    assert {task: load_card(out).task for task, out in outs.items()} == {"cls": "cls", "seg": "seg"}
    assert folders_share_encoder(outs["cls"], outs["seg"])
    assert set(cards["cls"].metrics["validation"]) >= {"loss", "f1"}
    assert "dice" not in cards["cls"].metrics["validation"]


@pytest.mark.parametrize("cascade", [None, 0.5])
def test_the_encoder_runs_once_for_both_and_says_the_same(both, frames, cascade):
    outs, _ = both
    cls, seg = (load_model(outs[task]) for task in ("cls", "seg"))
    alone = {
        "cls": list(FramePredictor(classifier=cls, device="cpu").predict(frames)),
        "seg": list(FramePredictor(segmenter=seg, device="cpu").predict(frames)),
    }
    quality = np.concatenate([one.quality for one in alone["cls"]])
    area = np.concatenate([one.area_fraction for one in alone["seg"]])
    masks = np.concatenate([one.masks for one in alone["seg"]])
    predictor = FramePredictor(cls, seg, device="cpu", batch_size=16)
    seen = []
    trunk = predictor._segmenter.encoder.trunk
    trunk.patch_embed.register_forward_hook(lambda layer, given, out: seen.append(len(out)))
    found = told(predictor, frames, cascade)
    assert sum(seen) == len(frames)
    np.testing.assert_allclose(found[0], quality, atol=1e-5)
    outlined = np.ones(len(frames), bool) if cascade is None else quality >= cascade
    assert outlined.any()
    np.testing.assert_allclose(found[1][outlined], area[outlined], atol=1e-5)
    assert np.array_equal(found[2][outlined], masks[outlined])
    assert np.isnan(found[1][~outlined]).all()


def test_one_graph_gives_what_both_say(both, frames, monkeypatch):
    pytest.importorskip("openvino")
    outs, _ = both
    chosen = choose_models(located(outs["cls"]), located(outs["seg"]))
    torchs = told(make_predictor(chosen, device="cpu", engine="torch"), frames)
    monkeypatch.setattr(engine, "_compiled", None)  # no graph of either alone is made
    predictor = make_predictor(chosen, device="cpu", engine="openvino")
    assert predictor.precision == "float32"
    ours = told(predictor, frames)
    for mine, theirs in zip(ours[:2], torchs[:2], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-3)
    assert np.mean(ours[2] != torchs[2]) < 1e-3


def test_models_of_two_trainings_share_nothing(both, bases):
    outs, _ = both
    assert not folders_share_encoder(bases / "cls", bases / "seg")
    assert not folders_share_encoder(outs["cls"], bases / "seg")
    predictor = FramePredictor(load_model(bases / "cls"), load_model(bases / "seg"), "cpu")
    assert not predictor._one_pass


def test_the_command_makes_two_folders(data, tmp_path, command):
    common = (
        "fit", "--data", data, "--task", "both", "--encoder", "fetalclip-tiny", "--out",
        tmp_path / "m", "--from-scratch", "--strategy", "lora", "--epochs", "1", "--copies", "0",
        "--device", "cpu",
    )  # fmt: skip
    code, _, err = command(*common, "--repeats", "2")
    assert code == 2
    assert "--repeats" in err
    code, out, err = command(*common)
    assert code == 0, err
    assert out.count('"model"') == 2
    made = (tmp_path / "m-cls", tmp_path / "m-seg")
    assert folders_share_encoder(*made)
    assert load_card(made[0]).lora is not None
    adapter = adapter_state(load_model(made[1]).encoder.trunk)
    assert all(tensor.any() for name, tensor in adapter.items() if "lora_B" in name)  # it trained
