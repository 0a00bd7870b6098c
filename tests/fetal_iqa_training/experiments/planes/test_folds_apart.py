"""Nothing that one fold learns reaches another, and the epoch is chosen by one loss over all."""

import lightning
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from fetal_iqa_models import load_encoder
from fetal_iqa_training.data.planes import PlaneImage
from fetal_iqa_training.experiments.planes import study
from fetal_iqa_training.experiments.planes.encoders import candidates
from fetal_iqa_training.experiments.planes.learning import PlaneLearner, TrainingOptions
from fetal_iqa_training.experiments.planes.plan import PlanesPlan
from fetal_iqa_training.experiments.planes.study import run_planes


def silent(*_):
    return lambda progress: None


@pytest.fixture
def images(tmp_path):
    """Ten subjects, an image of each of two planes."""
    random, made = np.random.default_rng(0), []
    for subject in range(10):
        for plane, level in (("abdomen", 60), ("brain", 180)):
            path = tmp_path / f"{subject}-{plane}.png"
            pixels = random.normal(level, 8, (48, 48)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(path)
            made.append(PlaneImage(path, str(subject), plane))
    return tuple(made)


def everything(module):
    return torch.cat([value.detach().flatten().double() for value in module.state_dict().values()])


@pytest.mark.parametrize("kind", ["resnet-demo", "swin-demo", "at random", "from a file"])
def test_an_encoder_is_loaded_anew_whatever_its_weights(kind, tmp_path):
    name, given = (kind, {}) if kind.endswith("-demo") else ("fetalclip-tiny", {})
    if kind == "from a file":
        name = "resnet-demo"
        path = tmp_path / "weights.safetensors"
        trunk = load_encoder(name).trunk
        save_file({key: value.contiguous() for key, value in trunk.state_dict().items()}, path)
        given = {name: path}
    (candidate,), _ = candidates([name], given, at_random=kind == "at random", seed=0)
    one, other = candidate.load(), candidate.load()
    before = everything(other)
    with torch.no_grad():
        for value in one.state_dict().values():
            value.add_(1)
    assert torch.equal(everything(other), before)
    assert torch.equal(everything(candidate.load()), before)


def test_every_fold_starts_from_the_weights_of_the_encoder(images, tmp_path, monkeypatch):
    starts, ends = [], []

    def watched(encoder, *others):
        starts.append(everything(encoder))
        found = train_in_full(encoder, *others)
        ends.append(everything(encoder))
        return found

    train_in_full = study.train_in_full
    monkeypatch.setattr(study, "train_in_full", watched)
    found, _ = candidates(["resnet-demo"], {}, False, 0)
    options = TrainingOptions(epochs=1, batch_size=8, learning_rate=1e-2, device="cpu")
    plan = PlanesPlan(images, (), tmp_path / "out", options, ("full",), folds=2)
    for _ in run_planes(plan, found, silent):
        pass
    assert len(starts) == 2
    assert not torch.equal(starts[0], ends[0])
    assert torch.equal(starts[0], starts[1])


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 4.0])])
def test_the_loss_that_chooses_the_epoch_is_that_over_all_images(weights):
    """Images of a subject follow each other: here the rare plane is all in the last batch."""
    torch.manual_seed(0)
    learner = PlaneLearner(load_encoder("resnet-demo"), 2, TrainingOptions(), weights).eval()
    frames = torch.randint(0, 256, (22, 48, 48), dtype=torch.uint8)
    frames[::3] //= 4
    planes = torch.tensor([0] * 16 + [1] * 5 + [0])
    with torch.inference_mode():
        scores = learner(frames)
    expected = float(F.cross_entropy(scores, planes, weights))
    trainer = lightning.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False
    )
    for batch_size in (8, 22):
        loader = DataLoader(TensorDataset(frames, planes), batch_size)
        (logged,) = trainer.validate(learner, loader, verbose=False)
        assert logged["val_loss"] == pytest.approx(expected, rel=1e-5)
