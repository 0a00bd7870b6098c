import hashlib
import json
import os
import pickle
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fetal_iqa_models import (
    FrameClassifier,
    FrameSegmenter,
    LoraSettings,
    ModelCard,
    ModelError,
    add_lora,
    load_card,
    load_encoder,
    load_model,
    model_hash,
    save_model,
    save_with_card,
    set_strategy,
    weights_record,
)
from fetal_iqa_models.lora import base_state

Network = FrameClassifier | FrameSegmenter
Make = Callable[..., Any]


@pytest.fixture
def saved(network: Network, make_card: Make, stir: Make, tmp_path: Path) -> tuple[Network, Path]:
    """A network with a LoRA that matters, and its folder."""
    add_lora(network)
    stir(network)
    return network.eval(), save_model(network, tmp_path / "model", make_card(network))


def test_a_network_survives_being_saved_and_loaded(
    saved: tuple[Network, Path], images: torch.Tensor
) -> None:
    network, folder = saved
    loaded = load_model(folder)
    assert type(loaded) is type(network)
    assert torch.equal(loaded(images), network(images))
    assert loaded.card == load_card(folder)
    assert loaded.card is not None
    assert loaded.card.lora == loaded.lora == network.lora
    assert loaded.hash == model_hash(folder)
    assert not loaded.training
    assert {p.name for p in folder.iterdir()} == {
        "model.json",
        "adapter_config.json",
        "adapter_model.safetensors",
        "head.safetensors",
        "encoder.safetensors",
    }
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_a_model_with_another_card_has_the_same_tensors_byte_by_byte(
    saved: tuple[Network, Path], images: torch.Tensor, tmp_path: Path
) -> None:
    network, folder = saved
    card = load_card(folder).model_copy(update={"name": "another", "area_threshold": 0.02})
    (folder / "note.txt").write_text("not of the model")
    again = save_with_card(folder, tmp_path / "again", card)
    assert load_card(again) == card
    assert torch.equal(load_model(again)(images), network(images))
    names = {path.name for path in folder.iterdir()} - {"note.txt"}
    assert {path.name for path in again.iterdir()} == names
    for name in names - {"model.json"}:
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "model"]


@pytest.mark.parametrize(
    "change", [{"encoder": "vit_s"}, {"lora": None}, {"taps": (0, 1, 2, 2)}, {"image_size": 64}]
)
def test_a_card_of_other_tensors_is_refused(
    saved: tuple[Network, Path], tmp_path: Path, change: dict[str, Any]
) -> None:
    _, folder = saved
    card = load_card(folder).model_copy(update=change)
    with pytest.raises(ModelError, match="the new card has another"):
        save_with_card(folder, tmp_path / "again", card)
    with pytest.raises(ModelError, match="exists already"):
        save_with_card(folder, folder, load_card(folder))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_loaded_network_can_be_trained_on(saved: tuple[Network, Path]) -> None:
    loaded = load_model(saved[1])
    set_strategy(loaded, "lora")
    loaded.train()
    loaded(torch.randn(2, 3, 56, 56)).square().mean().backward()
    trainable = [p for p in loaded.parameters() if p.requires_grad]
    assert trainable
    assert all(p.grad is not None for p in trainable)


def test_a_loaded_network_does_not_hang_on_the_files(
    saved: tuple[Network, Path], images: torch.Tensor
) -> None:
    network, folder = saved
    loaded = load_model(folder)
    for path in folder.iterdir():
        path.write_bytes(b"")
    assert torch.equal(loaded(images), network(images))


def test_the_adapter_is_in_pefts_own_format(saved: tuple[Network, Path]) -> None:
    from peft import PeftModel

    network, folder = saved
    base = load_encoder("fetalclip-tiny").trunk
    base.load_state_dict(base_state(network.encoder.trunk))
    images = torch.randn(2, 3, 56, 56)
    adapted = PeftModel.from_pretrained(base, str(folder)).eval()
    assert torch.equal(adapted(images), network.encoder(images))


def test_half_precision_is_half_the_size_and_loads_as_float32(
    network: Network, make_card: Make, images: torch.Tensor, tmp_path: Path
) -> None:
    whole = save_model(network, tmp_path / "whole", make_card(network))
    half = save_model(network, tmp_path / "half", make_card(network), half_precision=True)
    sizes = [(f / "encoder.safetensors").stat().st_size for f in (whole, half)]
    assert sizes[1] < 0.55 * sizes[0]
    loaded = load_model(half)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert (loaded(images) - network(images)).abs().max() < 0.02


def test_a_convolutional_network_keeps_its_batch_statistics(
    make_network: Make, make_card: Make, tmp_path: Path
) -> None:
    network = make_network("cls", "efficientnet_b0")
    network.train()(torch.randn(2, 3, 224, 224))
    network.eval()
    folder = save_model(network, tmp_path / "model", make_card(network), half_precision=True)
    loaded = load_model(folder)
    counts = [b for n, b in loaded.named_buffers() if "num_batches" in n]
    assert all(count.item() == 1 for count in counts)
    images = torch.randn(1, 3, 224, 224)
    assert (loaded(images) - network(images)).abs().max() < 0.02


def test_decoder_width_and_taps_are_the_networks_own(tmp_path: Path, make_card: Make) -> None:
    encoder = load_encoder("vit_s", taps=(0, 1, 2, 5))
    network = FrameSegmenter(encoder, decoder_width=3).eval()
    loaded = load_model(save_model(network, tmp_path / "model", make_card(network)))
    assert isinstance(loaded, FrameSegmenter)
    assert loaded.decoder_width == 3
    assert loaded.encoder.spec.taps == (0, 1, 2, 5)
    images = torch.randn(1, 3, 224, 224)
    assert torch.equal(loaded(images), network(images))


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device"),
    ],
)
def test_models_are_never_overwritten_and_never_half_written(
    network: Network,
    make_card: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ModelError, match="exists already"):
        save_model(network, tmp_path / "there", make_card(network))

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("fetal_iqa_models.folders.save_file", fail)
    with pytest.raises(ModelError, match=r"model: cannot be written \(.*No space left"):
        save_model(network, tmp_path / "model", make_card(network))
    assert [p.name for p in tmp_path.iterdir()] == ["there"]


def test_a_card_of_another_network_is_refused(
    network: Network, make_card: Make, tmp_path: Path
) -> None:
    card = make_card(network)
    other = "seg" if network.task == "cls" else "cls"
    for change, word in (
        ({"task": other}, "task"),
        ({"encoder": "fetalclip"}, "encoder"),
        ({"image_size": 224}, "image size"),
    ):
        with pytest.raises(ModelError, match=f"the card's {word} is"):
            save_model(network, tmp_path / "model", card.model_copy(update=change))
    assert not any(tmp_path.iterdir())


def _edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _drop_a_tensor(path: Path) -> None:
    tensors = load_file(path)
    tensors.pop(next(iter(tensors)))
    save_file(tensors, path)


def _add_a_tensor(path: Path) -> None:
    save_file(load_file(path) | {"surprise": torch.zeros(1)}, path)


def _reshape_a_tensor(path: Path) -> None:
    tensors = load_file(path)
    name = next(iter(tensors))
    save_file(tensors | {name: torch.zeros(2, 3, 5)}, path)


def _fill_a_tensor(path: Path, value: float) -> None:
    tensors = load_file(path)
    name = next(iter(tensors))
    save_file(tensors | {name: torch.full_like(tensors[name], value)}, path)


def _retype_a_tensor(path: Path) -> None:
    tensors = load_file(path)
    name = next(iter(tensors))
    save_file(tensors | {name: tensors[name].to(torch.int32)}, path)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _claim_a_huge_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")


def _claim_a_huge_tensor(path: Path) -> None:
    header = json.dumps({"weight": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode())


TENSOR_FILES = ("encoder.safetensors", "head.safetensors", "adapter_model.safetensors")


@pytest.mark.parametrize("name", TENSOR_FILES)
@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        _truncate,
        _drop_a_tensor,
        _add_a_tensor,
        _reshape_a_tensor,
        _retype_a_tensor,
        lambda path: _fill_a_tensor(path, float("nan")),
        _claim_a_huge_header,
        _claim_a_huge_tensor,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(pickle.dumps({"weight": 1})),
    ],
)
def test_a_damaged_tensor_file_is_named_in_one_line(
    saved: tuple[Network, Path], name: str, damage: Callable[[Path], None]
) -> None:
    path = saved[1] / name
    damage(path)
    with pytest.raises(ModelError, match=name) as caught:
        load_model(saved[1])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [{"r": 4}, {"lora_alpha": 1}, {"peft_type": "IA3"}, {"target_modules": ["qkv"]}]
    + [{"target_modules": 3}, {"target_modules": [1, "a"]}],
)
def test_an_adapter_configuration_that_disagrees_with_the_card_is_refused(
    saved: tuple[Network, Path], changes: dict[str, object]
) -> None:
    _edit_json(saved[1] / "adapter_config.json", **changes)
    with pytest.raises(ModelError, match=r"adapter_config\.json: (not an|\w+ does not agree)"):
        load_model(saved[1])


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_a_foreign_adapter_configuration_is_refused(
    saved: tuple[Network, Path], content: bytes
) -> None:
    (saved[1] / "adapter_config.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"adapter_config\.json: not an adapter"):
        load_model(saved[1])


def test_a_card_that_does_not_fit_its_folder_is_refused(saved: tuple[Network, Path]) -> None:
    folder = saved[1]
    original = (folder / "model.json").read_text()
    for changes, message in (
        ({"encoder": "resnet51"}, r"model\.json: no encoder is called 'resnet51'"),
        ({"image_size": 112}, r"model\.json: image size 112, but fetalclip-tiny takes 56"),
        ({"taps": [0, 1, 2, 9]}, r"model\.json: fetalclip-tiny: taps must rise"),
        ({"lora": {"rank": 1024}}, r"adapter_config\.json: r does not agree"),
        (
            {"lora": {"targets": ["attn.prj"]}},
            r"model\.json: fetalclip-tiny: takes no LoRA on attn",
        ),
        ({"lora": {"targets": ["\x1b[2J"]}}, r"model\.json: [ -~]+$"),
        ({"lora": {"targets": ["fc1"]}}, r"target_modules does not agree"),
        ({"encoder": "swin-demo", "image_size": 128}, r"encoder\.safetensors"),
    ):
        (folder / "model.json").write_text(original)
        _edit_json(folder / "model.json", **changes)
        with pytest.raises(ModelError, match=message):
            load_model(folder)


def test_a_segmenters_hostile_decoder_width_allocates_nothing(
    make_network: Make, make_card: Make, tmp_path: Path
) -> None:
    network = make_network("seg")
    folder = save_model(network, tmp_path / "model", make_card(network))
    _edit_json(folder / "model.json", decoder_width=512)
    with pytest.raises(ModelError, match=r"head\.safetensors: .* has shape"):
        load_model(folder)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _huge(path: Path) -> None:
    os.truncate(path, 5 << 30)  # with holes: takes no room on the disk


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither FIFOs nor /dev")
@pytest.mark.parametrize("name", ["model.json", "adapter_config.json", *TENSOR_FILES])
@pytest.mark.parametrize("put", [_fifo, _device, _folder, _circle, _huge])
def test_what_is_no_file_or_has_no_end_is_not_waited_for(
    saved: tuple[Network, Path], tmp_path: Path, name: str, put: Callable[[Path], None]
) -> None:
    card = load_card(saved[1])
    put(saved[1] / name)
    readers: list[Callable[[Path], object]] = [load_model, model_hash]
    if name == "model.json":
        readers.append(load_card)
    else:
        readers.append(lambda folder: save_with_card(folder, tmp_path / "again", card))
    for read in readers:
        with pytest.raises(ModelError, match=re.escape(name)) as caught:
            read(saved[1])
        assert str(caught.value).isprintable()
    assert not (tmp_path / "again").exists()


@pytest.mark.skipif(os.name == "nt", reason="links want a privilege on Windows")
def test_a_folder_of_links_is_a_model_folder(
    saved: tuple[Network, Path], images: torch.Tensor, tmp_path: Path
) -> None:
    """As the hub's cache keeps them."""
    network, folder = saved
    (tmp_path / "links").mkdir()
    for path in folder.iterdir():
        (tmp_path / "links" / path.name).symlink_to(path)
    assert torch.equal(load_model(tmp_path / "links")(images), network(images))
    assert model_hash(tmp_path / "links") == model_hash(folder)


SECRET = "Jane Doe 1970"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace('"cls"', f'"{SECRET}"').replace('"seg"', f'"{SECRET}"'),
        lambda text: text.replace('"image_size": 56', f'"image_size": "{SECRET}"'),
        lambda text: text.replace('"image_size": 56', f'"image_size": {"9" * 6000}'),
        lambda text: text.replace('"metrics": {}', f'"metrics": {{"a": {"9" * 6000}}}'),
        lambda text: text.replace('"metrics": {}', f'"metrics": {{"a": [{{"b": {2**64}}}]}}'),
        lambda text: text.replace('"metrics": {}', f'"metrics": {"[" * 100_000}'),
        lambda text: text.replace('"metrics": {}', f'"metrics": {"[" * 900}{"]" * 900}'),
        lambda text: text[:-40] + SECRET,
        lambda text: text + " " * 8_400_000,
    ],
    ids=lambda _: "",
)
def test_a_damaged_card_is_refused_without_its_words(
    saved: tuple[Network, Path], damage: Callable[[str], str]
) -> None:
    path = saved[1] / "model.json"
    changed = damage(path.read_text())
    assert changed != path.read_text()
    path.write_text(changed)
    with pytest.raises(ModelError, match=r"model\.json: ") as caught:
        load_model(saved[1])
    assert SECRET not in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300 + len(str(path))


def test_names_of_others_are_shown_without_control_characters(
    saved: tuple[Network, Path],
) -> None:
    odd = "\x1b[2J\u202egnp\n" + "x" * 5000
    path = saved[1] / "head.safetensors"
    sound = path.read_bytes()
    save_file(load_file(path) | {odd: torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=r"such as \[2J gnp x+…$") as caught:
        load_model(saved[1])
    assert str(caught.value).isprintable()
    path.write_bytes(sound)
    _edit_json(saved[1] / "model.json", **{odd: 1})
    with pytest.raises(ModelError, match=r"not a model card: .*…: Extra inputs") as caught:
        load_model(saved[1])
    assert str(caught.value).isprintable()


def test_no_pickle_in_a_model_folder_is_ever_opened(
    saved: tuple[Network, Path], images: torch.Tensor
) -> None:
    network, folder = saved

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path(folder / "exploded").touch, ()

    for name in ("adapter_model.bin", "head.pt", "encoder.pt", "pytorch_model.bin"):
        (folder / name).write_bytes(pickle.dumps(Bomb()))
    assert torch.equal(load_model(folder)(images), network(images))
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"adapter_model\.safetensors"):
        load_model(folder)
    assert not (folder / "exploded").exists()


class TestWeightsElsewhere:
    """The encoder is not in the folder, as FetalCLIP's never is."""

    @pytest.fixture
    def weights(self, network: Network, tmp_path: Path) -> Path:
        path = tmp_path / "pretrained.safetensors"
        save_file(network.encoder.trunk.state_dict(), path)
        return path

    @pytest.fixture
    def folder(self, network: Network, weights: Path, make_card: Make, tmp_path: Path) -> Path:
        card: ModelCard = make_card(network, encoder_weights=weights_record(weights))
        add_lora(network, LoraSettings(rank=2))
        return save_model(network.eval(), tmp_path / "model", card)

    def test_they_are_loaded_from_their_file(
        self, folder: Path, weights: Path, network: Network, images: torch.Tensor
    ) -> None:
        assert not (folder / "encoder.safetensors").exists()
        assert torch.equal(load_model(folder, weights)(images), network(images))

    def test_without_them_the_message_names_them(self, folder: Path) -> None:
        with pytest.raises(ModelError, match=r"fetalclip-tiny \(pretrained\.safetensors\)"):
            load_model(folder)

    def test_other_weights_are_refused(self, folder: Path, weights: Path, tmp_path: Path) -> None:
        other = tmp_path / "other.safetensors"
        save_file(load_file(weights), other, metadata={"note": "same tensors, another file"})
        with pytest.raises(ModelError, match=r"other\.safetensors: not the weights"):
            load_model(folder, other)
        shutil.copy(weights, other)
        load_model(folder, other)

    def test_a_header_that_claims_to_be_the_source_is_not_believed(
        self, folder: Path, weights: Path, tmp_path: Path
    ) -> None:
        forged = tmp_path / "forged.safetensors"
        source = weights_record(weights).sha256
        save_file(load_file(weights), forged, metadata={"source_sha256": source})
        assert weights_record(forged).sha256 == hashlib.sha256(forged.read_bytes()).hexdigest()
        with pytest.raises(ModelError, match=r"forged\.safetensors: not the weights"):
            load_model(folder, forged)

    def test_where_the_card_names_none_a_file_must_be_given(
        self, network: Network, weights: Path, make_card: Make, tmp_path: Path
    ) -> None:
        folder = save_model(network, tmp_path / "other", make_card(network, encoder_weights=None))
        with pytest.raises(ModelError, match="does not name"):
            load_model(folder)
        load_model(folder, weights)
