"""SonoNet16 against the published arrays and an arithmetic of its own, in numpy and scipy."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from fetal_iqa_models import (
    FrameClassifier,
    ModelCard,
    WeightsError,
    WeightsStore,
    add_lora,
    load_encoder,
    load_model,
    preprocess,
    save_model,
    set_strategy,
    weights_record,
)
from fetal_iqa_models.sononet import PLANES
from fetal_iqa_models.weights.importing import verify_weights
from fetal_iqa_models.weights.sononet_arrays import convert, from_published, main
from fetal_iqa_models.weights.store import SHIPPED

NOWHERE = Path("nowhere")


@pytest.fixture(scope="module")
def shipped():
    (stored,) = WeightsStore(NOWHERE).entries("sononet16")
    return stored


@pytest.fixture(scope="module")
def sononet(shipped):
    return load_encoder("sononet16", shipped.path)


@pytest.fixture(scope="module")
def published():
    path = Path(os.environ.get("FETAL_IQA_DATA", "../shared/data")) / "sononet" / "SonoNet16.npz"
    if not path.is_file():
        pytest.skip("SonoNet16.npz is not among the test data")
    return path


def arrays_of(path):
    with np.load(path) as file:
        return [file[f"arr_{number}"] for number in range(75)]


def by_hand(arrays, image):
    """The whole published network on one (H, W) image, without torch: (14, h, w)."""
    maps = (255 * (image - image.mean()) / image.std())[None]
    for layer in range(15):
        weight, beta, gamma, mean, inverse = arrays[5 * layer : 5 * layer + 5]
        maps = np.stack(
            [
                sum(correlate2d(m, k, "same") for m, k in zip(maps, kernels, strict=True))
                for kernels in weight
            ]
        )
        maps = (maps - mean[:, None, None]) * (inverse * gamma)[:, None, None]
        maps += beta[:, None, None]
        if layer < 14:
            maps = np.maximum(maps, 0)
        if layer in (1, 3, 6, 9):
            n, h, w = maps.shape
            maps = maps.reshape(n, h // 2, 2, w // 2, 2).max(axis=(2, 4))
    return maps


def test_what_is_shipped_is_the_published_network(shipped, published, tmp_path):
    verify_weights(shipped.path)
    again = convert(published, tmp_path)
    assert again.name == shipped.path.name
    assert verify_weights(again).header == shipped.header
    assert "Apache License" in (SHIPPED / "SonoNet-LICENSE.txt").read_text()


def test_it_gives_what_the_published_arrays_give_worked_out_in_numpy(sononet, published):
    image = np.random.default_rng(0).uniform(20, 255, (32, 48))
    normalised = torch.from_numpy(image / 127.5 - 1).float().expand(1, 3, -1, -1)
    expected = by_hand([array.astype(np.float64) for array in arrays_of(published)], image)
    with torch.no_grad():
        found = sononet.trunk.class_map(normalised)[0].numpy()
        planes = sononet.trunk.plane_probabilities(normalised)[0].numpy()
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-3)
    logits = expected.mean(axis=(1, 2))
    softmax = np.exp(logits - logits.max())
    assert planes == pytest.approx(softmax / softmax.sum(), abs=1e-4)


def test_arrays_in_another_layout_are_refused(published):
    arrays = arrays_of(published)
    with pytest.raises(WeightsError, match="74 arrays, expected 75"):
        from_published(arrays[:-1])
    with pytest.raises(WeightsError, match=r"layer 1: .* shape"):
        from_published([*arrays[:5], arrays[5][:8], *arrays[6:]])
    with pytest.raises(WeightsError, match="arr_4: no inverse standard deviation"):
        from_published([*arrays[:4], -arrays[4], *arrays[5:]])


@pytest.mark.parametrize("content", [None, b"no archive", b"", b"PK\x03\x04"])
def test_what_is_no_archive_ends_in_one_line(tmp_path, content):
    archive = tmp_path / "arrays.npz"
    if content is not None:
        archive.write_bytes(content)
    with pytest.raises(SystemExit, match=r"arrays\.npz: not the published arrays \(.+\)"):
        main([str(archive), str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_bars_around_a_frame_and_its_brightness_change_nothing(sononet):
    frame = np.random.default_rng(1).integers(30, 200, (224, 288)).astype(np.uint8)
    frame[60:150, 80:200] //= 3
    spec = sononet.spec
    square = preprocess(frame[None], spec.image_size, spec.mean, spec.std)
    bare = torch.from_numpy(frame / np.float32(127.5) - 1).expand(1, 3, -1, -1)
    with torch.no_grad():
        padded, plain = (sononet.trunk.plane_probabilities(x) for x in (square, bare))
        brighter = sononet.trunk.plane_probabilities((bare + 1) * 1.2 - 1)
    assert padded.shape == (1, len(PLANES))
    assert padded.sum() == pytest.approx(1)
    assert (padded - plain).abs().max() < 1e-3
    assert (brighter - plain).abs().max() < 1e-3
    assert torch.isfinite(sononet(torch.full((1, 3, 288, 288), -1.0))).all()  # all black


def test_it_carries_an_adapter_and_a_head_and_finds_its_weights_again(shipped, tmp_path):
    classifier = FrameClassifier(load_encoder("sononet16", shipped.path))
    settings = add_lora(classifier)
    set_strategy(classifier, "lora")
    adapted = {n for n, p in classifier.encoder.named_parameters() if p.requires_grad}
    assert len(adapted) == 2 * 13  # each convolution that an embedding depends on
    classifier.eval()  # its batch statistics stay the published ones, as in our training
    images = torch.rand(2, 3, 288, 288) * 2 - 1
    classifier(images).sum().backward()
    assert all(p.grad is not None for p in classifier.parameters() if p.requires_grad)
    card = ModelCard(
        name="sononet",
        task="cls",
        encoder="sononet16",
        encoder_weights=weights_record(shipped.path, NOWHERE),
        image_size=288,
        lora=settings,
    )
    save_model(classifier, tmp_path / "model", card)
    assert not (tmp_path / "model" / "encoder.safetensors").exists()
    again = load_model(tmp_path / "model", weights_folder=NOWHERE)
    with torch.no_grad():
        assert torch.equal(again(images), classifier(images))


@pytest.mark.slow
def test_it_tells_real_abdomens_from_other_planes(sononet, published):
    import csv

    from PIL import Image
    from sklearn.metrics import roc_auc_score

    folder = published.parents[1] / "fetal_planes_640"
    with (folder / "annotations.csv").open() as file:
        rows = list(csv.DictReader(file))[::4]
    scores = []
    for row in rows:
        size = int(row["original_width"]), int(row["original_height"])
        with Image.open(folder / "images" / row["file"]) as image:
            frame = np.array(image.convert("L").resize(size))
        spec = sononet.spec
        square = preprocess(frame[None], spec.image_size, spec.mean, spec.std)
        with torch.no_grad():
            scores.append(float(sononet.trunk.plane_probabilities(square)[0, 2]))
    abdomen = [row["plane"] == "Fetal abdomen" for row in rows]
    assert roc_auc_score(abdomen, scores) > 0.97  # 0.988 is noted beside the published arrays
