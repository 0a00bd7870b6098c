"""A checkpoint of the published code becomes a model that predicts the same, or is refused."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from fetal_iqa_models import (
    FramePredictor,
    ModelError,
    WeightsError,
    WeightsStore,
    import_published,
    import_weights,
    load_card,
    load_model,
    preprocess,
    registry,
    save_model,
    set_strategy,
    trainable_parameters,
)

from .published_reference import Taps, decode, inputs_of, random_decoder, tower, with_lora

WIDTH, BLOCKS, HEADS, SIZE, EMBEDDING = 32, 12, 2, 112, 24
FRAMES = np.random.default_rng(3).integers(0, 256, (3, 90, 124), dtype=np.uint8)
State = dict[str, Any]
Forward = Callable[[Tensor], Tensor]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of the table like FetalCLIP's, with taps of its own and a grid that 16 divides."""
    row = registry.encoder_spec("fetalclip-tiny")
    options = {
        "img_size": SIZE, "patch_size": 14, "embed_dim": WIDTH, "depth": BLOCKS,
        "num_heads": HEADS, "num_classes": EMBEDDING,
    }  # fmt: skip
    spec = replace(
        row, name="small", timm_options=options, image_size=SIZE, taps=(2, 5, 8, 11),
        licence="CC-BY-NC-4.0",
    )  # fmt: skip
    monkeypatch.setitem(registry._TABLE, "small", spec)


def small_tower() -> nn.Module:
    return tower(WIDTH, BLOCKS, HEADS, SIZE, EMBEDDING)


def classifier(lora: bool) -> tuple[State, Forward]:
    """Make a CLS checkpoint's tensors, and the published network of them."""
    encoder = with_lora(small_tower()) if lora else small_tower()
    head = nn.Linear(EMBEDDING, 1)
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    state |= {f"classifier.{name}": value for name, value in head.state_dict().items()}
    encoder.eval()
    return state, lambda images: head(encoder(images))


def segmenter(wrapped: str) -> tuple[State, Forward]:
    """Make a SEG checkpoint's tensors: LoRA on the tower, on the wrapper, or none."""
    encoder: Any = Taps(with_lora(small_tower()) if wrapped == "tower" else small_tower())
    if wrapped == "wrapper":
        encoder = with_lora(encoder)
    decoder = random_decoder(WIDTH)
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    state |= {f"decoder.{name}": value for name, value in decoder.items()}
    encoder.eval()
    return state, lambda images: decode(decoder, images, encoder(images))


NETWORKS: dict[str, tuple[str, Callable[[], tuple[State, Forward]]]] = {
    "cls with LoRA": ("cls", lambda: classifier(True)),
    "cls without": ("cls", lambda: classifier(False)),
    "seg, LoRA on the tower": ("seg", lambda: segmenter("tower")),
    "seg, LoRA on the wrapper": ("seg", lambda: segmenter("wrapper")),
    "seg without": ("seg", lambda: segmenter("none")),
}


def write(state: Mapping[str, Any], path: Path) -> Path:
    """Write what Lightning writes, with another few things that it may hold."""
    moments = {0: {"step": torch.tensor(5.0), "exp_avg": torch.zeros(4)}}
    torch.save(
        {
            "epoch": 4,
            "global_step": 1234,
            "pytorch-lightning_version": "2.5.2",
            "state_dict": dict(state),
            "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"current": {"ready": 5}}}},
            "callbacks": {"ModelCheckpoint{'monitor': 'val/loss'}": {"best": torch.tensor(0.1)}},
            "optimizer_states": [{"state": moments, "param_groups": [{"betas": (0.9, 0.999)}]}],
            "lr_schedulers": [],
            "hparams_name": "kwargs",
            "hyper_parameters": {"input_dim": 768, "num_classes": 1, "freeze_encoder": True},
        },
        path,
    )
    return path


def predicted(folder: Path, frames: NDArray[np.uint8] = FRAMES, **given: Any) -> Tensor:
    """Logits of a model folder, from frames as they come from a sweep."""
    model = load_model(folder, **given)
    spec = model.encoder.spec
    with torch.no_grad():
        return model(preprocess(frames, spec.image_size, spec.mean, spec.std, model.resize))


@pytest.mark.parametrize("which", NETWORKS)
def test_the_model_says_of_raw_frames_what_the_published_network_says(
    which: str, tmp_path: Path
) -> None:
    task, make = NETWORKS[which]
    state, forward = make()
    file = write(state, tmp_path / "epoch=4.ckpt")
    imported = import_published(file, task, encoder="small")  # type: ignore[arg-type]
    folder = save_model(imported.network, tmp_path / "model", imported.card)
    with torch.no_grad():
        expected = forward(inputs_of(FRAMES, SIZE))
    assert expected.std() > 0.02  # there is something to get wrong
    found = predicted(folder)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-5 * max(1.0, float(expected.abs().max()))
    if task == "cls":
        (batch,) = FramePredictor(load_model(folder), device="cpu").predict(FRAMES)
        np.testing.assert_allclose(
            batch.logits, expected[:, 0], rtol=0, atol=2e-5, err_msg="with the LoRA merged"
        )
    card = load_card(folder)
    assert (card.decoder, card.resize) == ("published" if task == "seg" else "ours", "published")
    assert card.taps == ((2, 3, 5, 11) if task == "seg" else None)
    assert (card.lora is None) == ("without" in which)


def test_the_card_says_where_the_model_is_from_and_what_its_licence_is(tmp_path: Path) -> None:
    file = write(classifier(True)[0], tmp_path / "epoch=4.ckpt")
    imported = import_published(file, "cls", encoder="small", tool_version="1.2")
    noted = imported.card.training["imported"]
    assert isinstance(noted, dict)
    assert noted["file"] == "epoch=4.ckpt"
    assert len(str(noted["sha256"])) == 64
    assert "somebody's own training" in str(noted["note"])
    assert imported.card.licence == "CC-BY-NC-4.0"
    assert imported.card.tool_version == "1.2"
    assert "keeps it whole" in " ".join(imported.notes)


class Published(lightning.LightningModule):
    """The published CLS as it was trained, in miniature."""

    def __init__(self, encoder: nn.Module, input_dim: int, num_classes: int = 1) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["encoder"])
        self.encoder = encoder
        self.classifier = nn.Linear(input_dim, num_classes)

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        return self.classifier(self.encoder(batch)).square().mean()

    def validation_step(self, batch: Tensor, index: int) -> None:
        self.log("val/loss", self.training_step(batch, index))

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=1e-2)


def test_what_lightning_itself_wrote_is_read_with_all_that_it_holds_beside(tmp_path: Path) -> None:
    network = Published(with_lora(small_tower()), EMBEDDING)
    best = ModelCheckpoint(tmp_path, monitor="val/loss", mode="min")
    data = DataLoader(torch.randn(4, 3, SIZE, SIZE), batch_size=2)  # type: ignore[arg-type]
    trainer = lightning.Trainer(
        max_epochs=1, logger=False, accelerator="cpu", enable_progress_bar=False,
        enable_model_summary=False, callbacks=[best, EarlyStopping("val/loss")],
    )  # fmt: skip
    trainer.fit(network, data, data)
    (file,) = tmp_path.glob("*.ckpt")
    held = torch.load(file, weights_only=True)
    assert held["optimizer_states"]
    assert held["callbacks"]
    assert held["hyper_parameters"] == {"input_dim": EMBEDDING, "num_classes": 1}
    imported = import_published(file, "cls", encoder="small")
    folder = save_model(imported.network, tmp_path / "model", imported.card)
    network.eval()
    with torch.no_grad():
        expected = network.classifier(network.encoder(inputs_of(FRAMES, SIZE)))
    torch.testing.assert_close(predicted(folder), expected, atol=1e-5, rtol=0)


def store_of(state: Mapping[str, Tensor], folder: Path) -> WeightsStore:
    """Keep an encoder as the fetched FetalCLIP is kept, with its text side."""
    published = {f"visual.{name}": value for name, value in state.items()}
    torch.save(published | {"logit_scale": torch.tensor(1.0)}, folder / "fetched.pt")
    store = WeightsStore(folder / "store")
    import_weights("small", folder / "fetched.pt", store)
    return store


def test_an_encoder_that_is_the_fetched_one_is_named_and_not_kept_again(tmp_path: Path) -> None:
    visual = small_tower()
    store = store_of({k: v.clone() for k, v in visual.state_dict().items()}, tmp_path)
    encoder = with_lora(visual)
    head = nn.Linear(EMBEDDING, 1)
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    state |= {f"classifier.{name}": value for name, value in head.state_dict().items()}
    file = write(state, tmp_path / "epoch=4.ckpt")
    imported = import_published(file, "cls", encoder="small", weights_folder=store.folder)
    assert imported.notes == ()
    folder = save_model(imported.network, tmp_path / "model", imported.card)
    assert not (folder / "encoder.safetensors").exists()
    with torch.no_grad():
        expected = head(encoder.eval()(inputs_of(FRAMES, SIZE)))
    found = predicted(folder, weights_folder=store.folder)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)

    state["encoder.base_model.model.ln_pre.bias"] = torch.ones(WIDTH)
    other = import_published(
        write(state, file), "cls", encoder="small", weights_folder=store.folder
    )
    assert other.card.encoder_weights == "own"


def test_an_imported_model_can_be_trained_on_with_all_of_its_lora(tmp_path: Path) -> None:
    file = write(segmenter("tower")[0], tmp_path / "epoch=4.ckpt")
    network = import_published(file, "seg", encoder="small").network
    decoder = sum(parameter.numel() for parameter in network.head.parameters())
    set_strategy(network, "lora")
    lora = BLOCKS * 8 * ((WIDTH + WIDTH) + 2 * (WIDTH + 4 * WIDTH))
    # the last block's output is tapped, so that all of it trains
    assert trainable_parameters(network) == lora + decoder


def test_a_lora_that_the_published_network_never_calls_is_told_and_left_out(
    tmp_path: Path,
) -> None:
    state, forward = classifier(True)
    for name, value in state.items():
        if "out_proj.lora_B" in name:
            nn.init.normal_(value)
    file = write(state, tmp_path / "epoch=4.ckpt")
    imported = import_published(file, "cls", encoder="small")
    assert "LoRA on attn.out_proj is not zero" in imported.notes[0]
    folder = save_model(imported.network, tmp_path / "model", imported.card)
    with torch.no_grad():
        expected = forward(inputs_of(FRAMES, SIZE))
    torch.testing.assert_close(predicted(folder), expected, atol=1e-5, rtol=0)


def test_a_lora_of_another_rank_needs_its_alpha(tmp_path: Path) -> None:
    encoder = with_lora(small_tower(), rank=4, alpha=12).eval()
    head = nn.Linear(EMBEDDING, 1)
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    state |= {f"classifier.{name}": value for name, value in head.state_dict().items()}
    file = write(state, tmp_path / "epoch=4.ckpt")
    with pytest.raises(WeightsError, match=r"rank 4, the published code's 8, .* give --alpha"):
        import_published(file, "cls", encoder="small")
    imported = import_published(file, "cls", encoder="small", alpha=12)
    folder = save_model(imported.network, tmp_path / "model", imported.card)
    with torch.no_grad():
        expected = head(encoder(inputs_of(FRAMES, SIZE)))
    torch.testing.assert_close(predicted(folder), expected, atol=1e-5, rtol=0)


BLOCK = "encoder.base_model.model.transformer.resblocks.3"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("classifier.bias"), r"missing: classifier\.bias$"),
        (lambda s: s.pop(f"{BLOCK}.attn.in_proj_bias"), r"missing: .*blocks\.3\.attn\.in_proj_b"),
        (lambda s: s.pop(f"{BLOCK}.mlp.c_fc.lora_A.default.weight"), "missing: .*c_fc.lora_A"),
        (lambda s: s.update({"encoder.surprise": torch.zeros(1)}), "unexpected: encoder.surprise"),
        (lambda s: s.update({"a\nb": torch.zeros(1)}), "unexpected: a b$"),
        (
            lambda s: s.update({f"{BLOCK}.mlp.c_fc.lora_A.other.weight": torch.zeros(8, WIDTH)}),
            "unexpected: .*lora_A.other",
        ),
        (
            lambda s: s.update({"classifier.weight": torch.zeros(2, EMBEDDING)}),
            r"wrong shape: classifier\.weight \(2, 24\) in place of \(1, 24\)",
        ),
        (
            lambda s: s.update({"encoder.base_model.model.proj": torch.zeros(EMBEDDING, WIDTH)}),
            r"wrong shape: .*proj \(24, 32\) in place of \(32, 24\)",
        ),
        (
            lambda s: s.update({"classifier.bias": torch.zeros(1, dtype=torch.int64)}),
            r"wrong type: classifier\.bias torch\.int64",
        ),
        (
            lambda s: s.update({"classifier.bias": torch.full((1,), torch.nan)}),
            r"classifier\.bias holds values that are no numbers",
        ),
        (
            lambda s: s.update({f"{BLOCK}.mlp.c_fc.lora_A.default.weight": torch.zeros(())}),
            r"is no LoRA|missing|wrong shape",
        ),
        (
            lambda s: [s.update({f"decoder{k[10:]}": s.pop(k)}) for k in [*s] if k[:4] == "clas"],
            r"is a seg checkpoint \(decoder\.…\) and the task is cls; give --task seg$",
        ),
        (
            lambda s: [s.pop(k) for k in [*s] if k[:4] == "clas"],
            r"not a checkpoint of the published FetalCLIP-IQA code; no classifier\.… is in it$",
        ),
        (
            lambda s: [s.pop(k) for k in [*s] if k[:4] == "enco"],
            r"holds no encoder by the names of the published code",
        ),
        (lambda s: s.update({"classifier.bias": "text"}), "found str at classifier.bias"),
    ],
)
def test_a_checkpoint_that_is_not_tensor_by_tensor_the_networks_is_refused_in_one_line(
    tmp_path: Path, change: Callable[[State], object], message: str
) -> None:
    state, _ = classifier(True)
    change(state)
    file = write(state, tmp_path / "epoch=4.ckpt")
    with pytest.raises(WeightsError, match=message) as caught:
        import_published(file, "cls", encoder="small")
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


class Bomb:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return self.target.touch, ()


def test_code_in_a_checkpoint_never_runs(tmp_path: Path) -> None:
    state, _ = classifier(True)
    exploded = tmp_path / "exploded"
    for held in (
        {"state_dict": state, "hyper_parameters": Bomb(exploded)},
        {"state_dict": state | {"classifier.bias": Bomb(exploded)}},
    ):
        torch.save(held, tmp_path / "epoch=4.ckpt")
        with pytest.raises(WeightsError, match="holds more than tensors") as caught:
            import_published(tmp_path / "epoch=4.ckpt", "cls", encoder="small")
        assert "\n" not in str(caught.value)
    assert not exploded.exists()


@pytest.mark.parametrize("keep", [0, 3, 1000, -100])
def test_a_cut_checkpoint_is_refused(tmp_path: Path, keep: int) -> None:
    file = write(classifier(False)[0], tmp_path / "epoch=4.ckpt")
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(WeightsError, match="not a readable weights file"):
        import_published(file, "cls", encoder="small")


@pytest.mark.parametrize("encoder", ["vit_s", "resnet-demo", "sononet16"])
def test_an_encoder_of_another_architecture_is_refused(tmp_path: Path, encoder: str) -> None:
    with pytest.raises(ModelError, match=f"{encoder}: not of FetalCLIP's architecture"):
        import_published(tmp_path / "any.ckpt", "cls", encoder=encoder)
    with pytest.raises(ModelError, match="has 4 blocks, too few for the published taps"):
        import_published(tmp_path / "any.ckpt", "seg", encoder="fetalclip-tiny")


@pytest.mark.slow
@pytest.mark.parametrize("task", ["cls", "seg"])
def test_a_full_size_checkpoint_predicts_as_the_published_network(
    task: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    visual = tower(1024, 24, 16, 224, 768)
    frames = np.random.default_rng(4).integers(0, 256, (2, 562, 744), dtype=np.uint8)
    if task == "cls":
        encoder = with_lora(visual)
        head = nn.Linear(768, 1)
        of_head = {f"classifier.{name}": value for name, value in head.state_dict().items()}
    else:
        encoder = with_lora(Taps(visual))
        decoder = random_decoder(1024)
        of_head = {f"decoder.{name}": value for name, value in decoder.items()}
        assert sum(v.numel() for k, v in decoder.items() if "running" not in k) == (
            1_591_941 + sum("num_batches" in k for k in decoder)
        )
    encoder.eval()
    inputs = inputs_of(frames, 224)
    with torch.inference_mode():
        if task == "cls":
            expected = head(encoder(inputs))
        else:
            expected = decode(decoder, inputs, encoder(inputs))
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    file = write(state | of_head, tmp_path / "epoch=4.ckpt")
    del encoder, visual, state
    imported = import_published(file, task)  # type: ignore[arg-type]
    folder = save_model(imported.network, tmp_path / "model", imported.card)
    del imported
    found = predicted(folder, frames)
    assert expected.std() > 0.01
    assert (found - expected).abs().max() < 1e-4 * max(1.0, float(expected.abs().max()))
