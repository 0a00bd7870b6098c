"""The model called zero-shot: made of words when it is first asked for, then one like any other."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import open_clip
import pytest
import torch
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from scipy.special import expit, logsumexp
from typer.testing import CliRunner

from fetal_iqa_models import ModelError, import_weights, load_card, load_model, preprocess
from fetal_iqa_models.making.zero_shot import PROMPTS, read_classes
from fetal_iqa_models.weights.store import WeightsStore
from napari_fetal_iqa.analysis import analyse_sweep
from napari_fetal_iqa.analysis.models import choose_models
from napari_fetal_iqa.cli import app
from napari_fetal_iqa.model_library import zero_shot
from napari_fetal_iqa.model_library.library import ModelLibrary
from napari_fetal_iqa.model_library.overview import model_rows
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.sweep import SweepVolume


@pytest.fixture(autouse=True)
def _small_encoder(monkeypatch):
    monkeypatch.setattr(zero_shot, "ENCODER", "fetalclip-tiny")


@pytest.fixture(scope="module")
def clip():
    """Random weights in FetalCLIP's layout, with its context; towers that are small."""
    torch.manual_seed(4)
    vision = CLIPVisionCfg(layers=4, width=64, head_width=32, patch_size=14, image_size=56)
    text = CLIPTextCfg(context_length=117, width=128, heads=2, layers=2)
    model = open_clip.CLIP(embed_dim=64, vision_cfg=vision, text_cfg=text).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += 0.1 * torch.randn_like(parameter)
    return model


@pytest.fixture(scope="module")
def checkpoint(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "weights.pt"
    torch.save(clip.state_dict(), path)
    return path


@pytest.fixture
def _fetched(checkpoint):
    import_weights("fetalclip-tiny", checkpoint, WeightsStore(paths.weights()))


@pytest.fixture(scope="module")
def sweep():
    frames = np.random.default_rng(5).integers(0, 256, (6, 56, 56), np.uint8)
    frames[3:, 20:] //= 6
    return SweepVolume(frames, name="case", spacing_mm=(0.3, 0.3))


def by_open_clip(clip, frames, classes):
    """Scores of classes by open_clip's own towers, and the probability of the targets."""
    tokenizer = open_clip.SimpleTokenizer(context_length=117)
    with torch.no_grad():
        images = clip.encode_image(preprocess(frames, 56)).double().numpy()
        labels = []
        for one in classes:
            rows = clip.encode_text(tokenizer(list(one.prompts))).double().numpy()
            mean = np.mean([row / np.linalg.norm(row) for row in rows], axis=0)
            labels.append(mean / np.linalg.norm(mean))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    scores = 100 * images @ np.array(labels).T
    target = [one.target for one in classes]
    logit = logsumexp(scores[:, target], axis=1) - logsumexp(scores[:, np.invert(target)], axis=1)
    return scores, logit


def run(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    return result.exit_code, result.output, result.exception


@pytest.mark.usefixtures("_fetched")
def test_it_is_made_when_first_used_and_scores_as_open_clip_does(clip, sweep):
    found = analyse_sweep(sweep, "zero-shot", None, device="cpu", use_cache=False)
    scores, logit = by_open_clip(clip, sweep.frames, PROMPTS)
    assert np.ptp(logit) > 0.1  # frames differ, so agreement means something
    assert found.quality == pytest.approx(expit(logit), abs=2e-3)
    assert [found.plane(n) for n in range(6)] == [PROMPTS[n].name for n in scores.argmax(1)]
    card = load_card(zero_shot.folder())
    assert card.classes == PROMPTS
    assert card.encoder_weights != "own"
    made = (zero_shot.folder() / "head.safetensors").stat().st_mtime_ns
    assert zero_shot.made("zero-shot") == str(zero_shot.folder())
    assert (zero_shot.folder() / "head.safetensors").stat().st_mtime_ns == made


def test_without_its_weights_one_line_says_what_to_do(monkeypatch, sweep):
    monkeypatch.setattr(zero_shot, "ENCODER", "fetalclip")
    with pytest.raises(ModelError, match=r"needs the pretrained weights of fetalclip.*") as caught:
        analyse_sweep(sweep, "zero-shot", None)
    assert not zero_shot.folder().exists()
    assert "\n" not in str(caught.value)
    assert "the tab of the pretrained weights" in zero_shot.why_not()
    row = next(row for row in model_rows(ModelLibrary()) if row.reference == "zero-shot")
    assert row.problem == zero_shot.why_not()
    assert "CC-BY-NC-4.0" in "\n".join(row.details)


@pytest.mark.usefixtures("_fetched")
def test_the_list_offers_it_and_its_use_makes_it(monkeypatch):
    assert "zero-shot  FetalCLIP in words" in run("models", "list")[1]
    (row,) = (row for row in model_rows(ModelLibrary()) if row.reference == "zero-shot")
    assert (row.problem, row.task, row.in_use) == ("", "cls", False)
    code, out, error = run("models", "use", "zero-shot")
    assert (code, error) == (0, None), out
    (row,) = (row for row in model_rows(ModelLibrary()) if "zero-shot" in row.reference)
    assert row.in_use
    assert row.reference == str(zero_shot.folder())
    assert any("abdomen (the quality)" in line for line in row.details)
    assert "made when it is first used" not in run("models", "list")[1]
    chosen = choose_models("zero-shot", None)
    assert chosen.cls.folder == zero_shot.folder()
    assert chosen.setup().notices[0].startswith("Zero-shot: it learnt from no such frames")


@pytest.mark.usefixtures("_fetched")
def test_edited_prompts_make_another_model_and_never_speak_for_the_old(tmp_path, clip, sweep):
    usual = json.loads(run("models", "zero-shot", "--show-prompts")[1])
    usual[1]["prompts"] = ["A head.", "Another head."]
    (tmp_path / "mine.json").write_text(json.dumps(usual))
    code, out, error = run(
        "models", "zero-shot", "--prompts", tmp_path / "mine.json", "--out", "mine"
    )
    assert (code, error) == (0, None), out
    classes = read_classes(tmp_path / "mine.json")
    mine = load_model(paths.models() / "mine", weights_folder=paths.weights())
    with torch.no_grad():
        logits = mine(preprocess(sweep.frames, 56))[:, 0].numpy()
    assert logits == pytest.approx(by_open_clip(clip, sweep.frames, classes)[1], abs=2e-3)
    # in the card alone they would say what the head does not do
    card = json.loads((paths.models() / "mine" / "model.json").read_text())
    card["classes"][0]["prompts"] = ["A belly."]
    (paths.models() / "mine" / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="prompts were edited"):
        load_card(paths.models() / "mine")
    code, out, error = run(
        *("models", "zero-shot", "--prompts", paths.models() / "mine" / "model.json"),
        *("--out", "again"),
    )
    assert (code, error) == (0, None), out
    assert load_card(paths.models() / "again").classes[0].prompts == ("A belly.",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"classes": null}', "no classes with prompts"),
        (json.dumps([{"name": "a", "target": True}, {"name": "b"}]), "describe each in words"),
        (json.dumps([{"name": str(n), "prompts": ["x" * 10_000]} for n in range(9)]), "500"),
        (" " * 2_000_000, "larger than a megabyte"),
    ],
)
def test_prompts_that_are_none_are_refused_in_one_line(tmp_path, content, said):
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(ModelError, match=said) as caught:
        read_classes(tmp_path / "p.json")
    assert "\n" not in str(caught.value)


def test_looking_for_it_needs_no_torch_and_no_open_clip():
    code = (
        "import sys; from napari_fetal_iqa.model_library import library, overview; "
        "overview.model_rows(library.ModelLibrary()); "
        "assert not {'torch', 'open_clip', 'qtpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))


@pytest.mark.usefixtures("_fetched")
def test_predicting_needs_no_open_clip_once_it_is_made(sweep, tmp_path):
    zero_shot.made("zero-shot")
    code = (
        "import sys\n"
        "from napari_fetal_iqa.analysis import analyse_sweep\n"
        "from napari_fetal_iqa.sweep import SweepVolume\n"
        "import numpy as np\n"
        "sweep = SweepVolume(np.full((2, 30, 30), 9, np.uint8))\n"
        "print(analyse_sweep(sweep, 'zero-shot', None, device='cpu').plane(0))\n"
        "assert 'open_clip' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, env=dict(os.environ), capture_output=True
    )
    assert done.stdout.decode().strip() in {one.name for one in PROMPTS}


@pytest.mark.usefixtures("_fetched")
def test_analyse_takes_it_by_its_name(sweep, tmp_path):
    from napari_fetal_iqa.io import write_volume

    write_volume(tmp_path / "case.mha", sweep.frames, (0.3, 0.3))
    code, out, error = run(
        *("analyse", tmp_path / "case.mha", "--cls", "zero-shot", "--seg", ""),
        *("--out", tmp_path / "out", "--device", "cpu"),
    )
    assert (code, error) == (0, None), out
    rows = list(csv.DictReader((tmp_path / "out" / "case" / "frames.csv").open()))
    assert {row["plane"] for row in rows} <= {one.name for one in PROMPTS}
    assert rows[0]["quality"]
