import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fetal_iqa_models import (
    DeviceError,
    FrameClassifier,
    FramePredictor,
    FrameSegmenter,
    LoraSettings,
    ModelError,
    PredictionBatch,
    add_lora,
    load_encoder,
    preprocess,
    restore_masks,
)

Make = Callable[..., Any]


@pytest.fixture
def classifier(make_network: Make, stir: Make) -> FrameClassifier:
    network: FrameClassifier = make_network("cls")
    add_lora(network, LoraSettings(dropout=0.5))
    stir(network)
    with torch.no_grad():
        network.head.weight.mul_(20)  # scores that differ between frames
    return network.eval()


@pytest.fixture
def segmenter(make_network: Make) -> FrameSegmenter:
    network: FrameSegmenter = make_network("seg")
    with torch.no_grad():
        network.head.outline[-1].weight.mul_(20)  # outlines that differ between frames
    return network


@pytest.fixture
def frames() -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (13, 6, 8), np.uint8)
    return coarse.repeat(10, axis=1).repeat(10, axis=2)


def joined(batches: Iterable[PredictionBatch]) -> dict[str, Any]:
    """All batches as one, sorted by frame."""
    found = list(batches)
    order = np.argsort(np.concatenate([b.frames for b in found]))
    return {
        name: np.concatenate([getattr(b, name) for b in found])[order]
        for name in ("frames", "quality", "area_fraction", "masks")
    }


def test_predictions_are_what_the_networks_say_frame_by_frame(
    classifier: FrameClassifier, segmenter: FrameSegmenter, frames: NDArray[np.uint8]
) -> None:
    result = joined(FramePredictor(classifier, segmenter, device="cpu").predict(frames))
    assert result["frames"].tolist() == list(range(13))
    assert result["frames"].dtype == np.int64
    assert result["masks"].dtype == bool
    assert result["quality"].dtype == result["area_fraction"].dtype == np.float32
    with torch.inference_mode():
        for number, frame in enumerate(frames):
            images = preprocess(frame[None], 56)
            quality = classifier(images).sigmoid()
            probabilities = segmenter(images).sigmoid()[:, 0]
            assert abs(result["quality"][number] - quality.item()) < 1e-5
            share = (probabilities > 0.5).float().mean().item()
            assert abs(result["area_fraction"][number] - share) <= 2 / 56**2
            mask = restore_masks(probabilities, (60, 80))[0].numpy()
            assert (result["masks"][number] != mask).mean() < 1e-3
    assert 0.05 < result["masks"].mean() < 0.95
    assert result["quality"].std() > 1e-3


@pytest.mark.parametrize("batch_size", [1, 3, 13, 100])
def test_results_depend_on_neither_batch_size_nor_order(
    classifier: FrameClassifier,
    segmenter: FrameSegmenter,
    frames: NDArray[np.uint8],
    batch_size: int,
) -> None:
    expected = joined(FramePredictor(classifier, segmenter, "cpu").predict(frames))
    order = np.random.default_rng(batch_size).permutation(13)
    predictor = FramePredictor(classifier, segmenter, "cpu", batch_size)
    batches = list(predictor.predict(frames, order))
    assert np.concatenate([b.frames for b in batches]).tolist() == order.tolist()
    assert [len(b.frames) for b in batches[:-1]] == [batch_size] * (len(batches) - 1)
    found = joined(batches)
    np.testing.assert_allclose(found["quality"], expected["quality"], atol=1e-5)
    np.testing.assert_allclose(found["area_fraction"], expected["area_fraction"], atol=2 / 56**2)
    assert (found["masks"] != expected["masks"]).mean() < 1e-3


def test_a_part_of_the_frames_can_be_requested(
    classifier: FrameClassifier, frames: NDArray[np.uint8]
) -> None:
    (batch,) = FramePredictor(classifier).predict(frames, [7, 2])
    assert batch.frames.tolist() == [7, 2]
    assert batch.masks is None
    assert batch.area_fraction is None
    assert list(FramePredictor(classifier).predict(frames, [])) == []


def test_a_segmenter_alone_gives_no_quality(
    segmenter: FrameSegmenter, frames: NDArray[np.uint8]
) -> None:
    batch = next(FramePredictor(segmenter=segmenter).predict(frames))
    assert batch.quality is None
    assert batch.masks is not None
    assert batch.masks.shape == (len(batch.frames), 60, 80)


def test_the_cards_mask_threshold_counts(
    segmenter: FrameSegmenter, frames: NDArray[np.uint8], make_card: Make
) -> None:
    areas = []
    for threshold in (0.3, 0.5, 0.7):
        segmenter.card = make_card(segmenter, mask_threshold=threshold)
        batch = next(FramePredictor(segmenter=segmenter).predict(frames))
        assert batch.area_fraction is not None
        assert batch.masks is not None
        areas.append((batch.area_fraction.sum(), batch.masks.sum()))
    assert areas == sorted(areas, reverse=True)
    assert len(set(areas)) == 3


def test_the_cards_temperature_divides_the_logits(
    classifier: FrameClassifier, frames: NDArray[np.uint8], make_card: Make
) -> None:
    without = next(FramePredictor(classifier, device="cpu").predict(frames))
    for temperature in (0.5, 1.0, 3.0):
        classifier.card = make_card(classifier, temperature=temperature)
        batch = next(FramePredictor(classifier, device="cpu").predict(frames))
        assert batch.quality is not None
        assert batch.logits is not None
        np.testing.assert_array_equal(batch.logits, without.logits)
        expected = 1 / (1 + np.exp(-batch.logits.astype(float) / temperature))
        np.testing.assert_allclose(batch.quality, expected, atol=1e-6)
        assert (batch.quality > 0.5).tolist() == (without.logits > 0).tolist()


def test_the_callers_networks_stay_as_they_are(
    classifier: FrameClassifier, frames: NDArray[np.uint8]
) -> None:
    classifier.train()
    before = {k: v.clone() for k, v in classifier.state_dict().items()}
    list(FramePredictor(classifier).predict(frames))
    after = classifier.state_dict()
    assert classifier.training
    assert classifier.lora is not None
    assert before.keys() == after.keys()
    assert all(torch.equal(after[k], v) for k, v in before.items())
    assert any(p.requires_grad for p in classifier.parameters())


class LazyFrames:
    """Frames that are read one at a time, as from a compressed file."""

    def __init__(self, frames: NDArray[np.uint8]) -> None:
        self.frames = frames
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, frame: int, /) -> NDArray[np.uint8]:
        self.read.append(frame)
        if frame == 11:
            raise OSError("frame 11 is damaged")
        return self.frames[frame]


def test_frames_are_read_lazily_and_reading_stops_when_the_generator_is_closed(
    classifier: FrameClassifier, frames: NDArray[np.uint8]
) -> None:
    lazy = LazyFrames(frames)
    batches = FramePredictor(classifier, batch_size=2).predict(lazy)
    assert lazy.read == []
    next(batches)
    batches.close()
    assert len(lazy.read) <= 4  # the batch, and the one read ahead
    assert not [t for t in threading.enumerate() if t.name.startswith("fetal-iqa-read")]
    assert list(batches) == []


def test_an_error_in_reading_reaches_the_caller_after_the_batches_before_it(
    classifier: FrameClassifier, frames: NDArray[np.uint8]
) -> None:
    batches = FramePredictor(classifier, batch_size=5).predict(LazyFrames(frames))
    assert next(batches).frames.tolist() == [0, 1, 2, 3, 4]
    assert next(batches).frames.tolist() == [5, 6, 7, 8, 9]
    with pytest.raises(OSError, match="frame 11 is damaged"):
        next(batches)


def test_seconds_are_reported_by_stage(
    classifier: FrameClassifier, segmenter: FrameSegmenter, frames: NDArray[np.uint8]
) -> None:
    both = next(FramePredictor(classifier, segmenter).predict(frames)).seconds
    assert set(both) == {"read", "preprocess", "cls", "seg", "restore"}
    assert all(value > 0 for value in both.values())
    alone = next(FramePredictor(classifier).predict(frames)).seconds
    assert alone["seg"] == alone["restore"] == 0


def test_networks_of_one_kind_of_encoder_share_the_preprocessing(
    classifier: FrameClassifier,
    segmenter: FrameSegmenter,
    frames: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = []

    def counted(images: torch.Tensor, size: int, *rest: Any) -> torch.Tensor:
        sizes.append(size)
        return preprocess(images, size, *rest)

    monkeypatch.setattr("fetal_iqa_models.predictor.preprocess", counted)
    next(FramePredictor(classifier, segmenter).predict(frames))
    assert sizes == [56]
    larger = FrameSegmenter(load_encoder("swin-demo"))
    next(FramePredictor(classifier, larger).predict(frames))
    assert sizes == [56, 56, 128]


class ShortOfMemory(FrameClassifier):
    """A network for which memory is too short above a number of frames."""

    limit = 3
    message = "CUDA out of memory. Tried to allocate 2.00 GiB"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) > self.limit:
            raise RuntimeError(self.message)
        return super().forward(images)


@pytest.fixture
def short_of_memory() -> ShortOfMemory:
    return ShortOfMemory(load_encoder("fetalclip-tiny")).eval()


def test_out_of_memory_halves_the_batch_and_loses_no_frame(
    short_of_memory: ShortOfMemory, frames: NDArray[np.uint8], caplog: pytest.LogCaptureFixture
) -> None:
    predictor = FramePredictor(short_of_memory, device="cpu", batch_size=12)
    with caplog.at_level(logging.WARNING):
        batches = list(predictor.predict(frames))
    assert np.concatenate([b.frames for b in batches]).tolist() == list(range(13))
    assert max(len(b.frames) for b in batches) == 3
    assert predictor.batch_size == 3
    assert [r.args[1] for r in caplog.records if r.args] == [6, 3]
    assert all(b.quality is not None and len(b.quality) == len(b.frames) for b in batches)


def test_without_memory_for_one_frame_the_cpu_goes_on(
    short_of_memory: ShortOfMemory,
    frames: NDArray[np.uint8],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predictor = FramePredictor(short_of_memory, device="cpu", batch_size=2)
    emptied = pretend_mps(predictor, monkeypatch)
    monkeypatch.setattr(ShortOfMemory, "limit", property(lambda _: _limit(predictor)))
    with caplog.at_level(logging.WARNING):
        result = list(predictor.predict(frames[:4]))
    assert predictor.device.type == "cpu"
    assert np.concatenate([b.frames for b in result]).tolist() == [0, 1, 2, 3]
    assert caplog.messages == [
        "mps: out of memory, going on with 1 frames per batch",
        "mps: no memory for one frame, going on on the CPU",
    ]
    assert predictor.batch_size == 1
    assert len(emptied) == 3


def test_on_the_cpu_the_batch_starts_again(
    short_of_memory: ShortOfMemory, frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = FramePredictor(short_of_memory, device="cpu")
    first = predictor.batch_size
    pretend_mps(predictor, monkeypatch)
    limits = {"mps": 0, "cpu": 100}
    monkeypatch.setattr(ShortOfMemory, "limit", property(lambda _: limits[predictor.device.type]))
    sizes = [len(batch.frames) for batch in predictor.predict(frames)]
    assert sum(sizes) == 13
    assert sizes[0] == first


def pretend_mps(predictor: FramePredictor, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a predictor compute as the CPU and call itself mps; note when its cache is emptied."""
    emptied: list[str] = []
    monkeypatch.setattr("fetal_iqa_models.predictor.FramePredictor._upload", _upload_to_cpu)
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda _: None)
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: emptied.append("mps"))
    predictor.device = torch.device("mps")
    return emptied


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
    ],
)
def test_networks_that_do_not_fit_on_the_device_go_to_the_cpu(
    classifier: FrameClassifier,
    frames: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    move = torch.nn.Module.to

    def full(module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
        if device.type == "mps":
            raise error
        return move(module, device)

    monkeypatch.setattr(torch.nn.Module, "to", full)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: None)
    with caplog.at_level(logging.WARNING):
        predictor = FramePredictor(classifier, device="mps")
    assert predictor.device.type == "cpu"
    assert caplog.messages == ["mps: no memory for the networks, going on on the CPU"]
    assert sum(len(batch.frames) for batch in predictor.predict(frames)) == 13


def test_without_memory_for_the_networks_one_line_says_so(
    classifier: FrameClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(DeviceError, match="no memory for the networks"):
        FramePredictor(classifier, device="cpu")


def test_without_memory_to_read_one_line_says_so(
    classifier: FrameClassifier, frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    predictor = FramePredictor(classifier, device="cpu")
    monkeypatch.setattr(np, "stack", full)
    with pytest.raises(DeviceError, match="no memory to read 8 frames"):
        list(predictor.predict(frames))


def _upload_to_cpu(_: FramePredictor, images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(images)


def _limit(predictor: FramePredictor) -> int:
    return 0 if predictor.device.type == "mps" else 1


def test_without_memory_at_all_one_line_says_so(
    short_of_memory: ShortOfMemory, frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShortOfMemory, "limit", 0)
    monkeypatch.setattr(ShortOfMemory, "message", "[enforce fail] not enough memory: you tried")
    with pytest.raises(DeviceError, match="no memory for a single frame"):
        list(FramePredictor(short_of_memory, device="cpu").predict(frames))


def test_another_failure_of_the_networks_is_not_taken_for_memory(
    short_of_memory: ShortOfMemory, frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShortOfMemory, "message", "mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        list(FramePredictor(short_of_memory, device="cpu").predict(frames))


def test_precision_and_device_are_reported(classifier: FrameClassifier) -> None:
    predictor = FramePredictor(classifier, device="cpu")
    assert predictor.device == torch.device("cpu")
    assert predictor.precision == "float32"
    assert predictor.batch_size >= 1


@pytest.mark.parametrize(("has_it", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_a_gpu_computes_in_bfloat16_where_it_has_it(
    classifier: FrameClassifier, monkeypatch: pytest.MonkeyPatch, has_it: bool, precision: str
) -> None:
    predictor = FramePredictor(classifier, device="cpu")
    predictor.device = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda _: has_it)
    assert predictor.precision == precision


def test_what_cannot_be_is_refused(classifier: FrameClassifier) -> None:
    with pytest.raises(ModelError, match="give a classifier, a segmenter"):
        FramePredictor()
    with pytest.raises(ModelError, match="one frame or more, not 0"):
        FramePredictor(classifier, batch_size=0)
    with pytest.raises(DeviceError, match="no device is called 'tpu'"):
        FramePredictor(classifier, device="tpu")


def test_half_the_cores_can_be_left_to_others_and_taken_back(
    classifier: FrameClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = [6]
    monkeypatch.setattr("fetal_iqa_models.predictor._CORES", 6)
    monkeypatch.setattr(torch, "get_num_threads", lambda: used[-1])
    monkeypatch.setattr(torch, "set_num_threads", used.append)
    for half in (False, True, True):
        FramePredictor(classifier, device="cpu").use_cores(half)
    FramePredictor(classifier, device="cpu").use_cores(half=False)  # of a later model
    assert used == [6, 3, 6]


@pytest.mark.gpu
def test_on_a_gpu_results_are_those_of_the_cpu_within_bfloat16(
    classifier: FrameClassifier, segmenter: FrameSegmenter, frames: NDArray[np.uint8]
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    expected = joined(FramePredictor(classifier, segmenter, "cpu").predict(frames))
    predictor = FramePredictor(classifier, segmenter, "cuda", batch_size=4)
    found = joined(predictor.predict(frames))
    assert predictor.precision == "bfloat16"
    np.testing.assert_allclose(found["quality"], expected["quality"], atol=0.02)
    assert (found["masks"] != expected["masks"]).mean() < 0.05
