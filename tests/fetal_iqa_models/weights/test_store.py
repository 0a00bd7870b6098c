import logging
import os
import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from open_clip import CLIP
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fetal_iqa_models import (
    FrameClassifier,
    ModelError,
    WeightsError,
    WeightsStore,
    encoder_spec,
    import_weights,
    load_encoder,
    load_model,
    registry,
    save_model,
    verify_weights,
    weights_record,
    zero_shot,
)
from fetal_iqa_models.weights.importing import content_hash
from fetal_iqa_models.weights.recording import file_content_hash
from fetal_iqa_models.weights.store import read_header

ENCODER = "fetalclip-tiny"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    vision = CLIPVisionCfg(layers=4, width=64, head_width=32, patch_size=14, image_size=56)
    text = CLIPTextCfg(context_length=7, vocab_size=11, width=16, heads=2, layers=1)
    return CLIP(embed_dim=64, vision_cfg=vision, text_cfg=text).state_dict()


@pytest.fixture
def checkpoint(state: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    path = tmp_path / "FetalCLIP_weights.pt"
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    return path


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    return WeightsStore(tmp_path / "not" / "there" / "yet")


class TestImporting:
    def test_the_imported_file_is_the_encoder(
        self, checkpoint: Path, store: WeightsStore, images: torch.Tensor
    ) -> None:
        stored = import_weights(ENCODER, checkpoint, store)
        first, second = (load_encoder(ENCODER, path) for path in (checkpoint, stored.path))
        assert torch.equal(first(images), second(images))
        assert stored.path.suffix == ".safetensors"

    def test_the_text_side_is_kept(
        self, state: dict[str, torch.Tensor], checkpoint: Path, store: WeightsStore
    ) -> None:
        kept = load_file(import_weights(ENCODER, checkpoint, store).path)
        assert kept.keys() == state.keys()
        assert all(torch.equal(kept[name], state[name]) for name in state)

    def test_it_is_recorded_by_the_original(self, checkpoint: Path, store: WeightsStore) -> None:
        stored = import_weights(ENCODER, checkpoint, store)
        assert stored.header.source_sha256 == weights_record(checkpoint).sha256
        assert weights_record(stored.path).sha256 == weights_record(checkpoint).sha256
        assert stored.header.source_file == "FetalCLIP_weights.pt"
        assert stored.header.source_size == checkpoint.stat().st_size
        assert store.entries() == [stored] == [read_header(stored.path)]

    def test_importing_again_changes_nothing(self, checkpoint: Path, store: WeightsStore) -> None:
        first, second = (import_weights(ENCODER, checkpoint, store) for _ in range(2))
        assert first == second
        assert list(store.folder.iterdir()) == [first.path]

    def test_several_at_once_do_no_harm(self, checkpoint: Path, store: WeightsStore) -> None:
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda _: import_weights(ENCODER, checkpoint, store), range(4)))
        assert len({stored.path for stored in made}) == 1
        assert list(store.folder.iterdir()) == [made[0].path]
        assert verify_weights(made[0].path) == made[0]

    def test_tensors_that_share_memory_are_kept_apart(
        self, state: dict[str, torch.Tensor], tmp_path: Path, store: WeightsStore
    ) -> None:
        weight = state["visual.transformer.resblocks.0.mlp.c_fc.weight"]
        together = torch.stack([weight, weight])
        tied = dict(state)
        for block, view in enumerate(together):
            tied[f"visual.transformer.resblocks.{block}.mlp.c_fc.weight"] = view
        tied["visual.transformer.resblocks.2.mlp.c_fc.weight"] = together[0]
        path = tmp_path / "tied.pt"
        torch.save(tied, path)
        kept = load_file(import_weights(ENCODER, path, store).path)
        assert all(torch.equal(kept[name], tied[name]) for name in tied)

    def test_timms_own_files_are_imported_too(self, tmp_path: Path, store: WeightsStore) -> None:
        encoder = load_encoder("efficientnet_b0")
        path = tmp_path / "model.safetensors"
        classifier = {
            "classifier.weight": torch.zeros(10, 1280),
            "classifier.bias": torch.zeros(10),
        }
        save_file(encoder.trunk.state_dict() | classifier, path)
        stored = import_weights("efficientnet_b0", path, store)
        images = torch.randn(1, 3, 64, 64)
        assert torch.equal(load_encoder("efficientnet_b0", stored.path)(images), encoder(images))

    @pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda s: s.pop("visual.proj"), r"missing: head\.weight"),
            (lambda s: s.update({"visual.more": torch.zeros(1)}), "unexpected: more"),
            (lambda s: s.update({"visual.proj": torch.zeros(3, 4)}), "of the wrong shape"),
            (lambda s: s.update({"visual.proj": torch.full((64, 64), np.nan)}), "are no numbers"),
            (lambda s: s.update({"logit_scale": torch.zeros(2).to_sparse()}), "by name"),
        ],
    )
    def test_what_does_not_fit_leaves_no_trace(
        self,
        state: dict[str, torch.Tensor],
        tmp_path: Path,
        store: WeightsStore,
        change: Callable[[dict[str, Any]], object],
        message: str,
    ) -> None:
        changed = dict(state)
        change(changed)
        path = tmp_path / "weights.pt"
        torch.save(changed, path)
        with pytest.raises(WeightsError, match=message) as caught:
            import_weights(ENCODER, path, store)
        assert str(path) in str(caught.value)
        assert not store.folder.exists()

    @pytest.mark.parametrize("keep", [0, 1000, -100])
    def test_a_truncated_checkpoint_leaves_no_trace(
        self, checkpoint: Path, store: WeightsStore, keep: int
    ) -> None:
        checkpoint.write_bytes(checkpoint.read_bytes()[:keep])
        with pytest.raises(WeightsError, match="download it again"):
            import_weights(ENCODER, checkpoint, store)
        assert not store.folder.exists()

    def test_an_unknown_encoder_is_refused(self, checkpoint: Path, store: WeightsStore) -> None:
        with pytest.raises(ModelError, match="no encoder is called 'fetalclap'"):
            import_weights("fetalclap", checkpoint, store)

    def test_a_store_that_cannot_be_written_is_named(
        self, checkpoint: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("no folder")
        with pytest.raises(WeightsError, match="cannot be written") as caught:
            import_weights(ENCODER, checkpoint, WeightsStore(tmp_path / "file"))
        assert "\n" not in str(caught.value)


class TestPublished:
    """Whether the store's file is the one that the table of encoders names."""

    @pytest.fixture
    def publish(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
        def publish(sha256: str | None) -> None:
            source = registry.WeightsSource("someone/encoder", "weights.pt", sha256=sha256)
            row = replace(encoder_spec(ENCODER), source=source)
            monkeypatch.setitem(registry._TABLE, ENCODER, row)

        return publish

    def test_by_its_sha256(
        self, checkpoint: Path, store: WeightsStore, publish: Callable[[str | None], None]
    ) -> None:
        stored = import_weights(ENCODER, checkpoint, store)
        assert not stored.published  # nothing is
        publish("0" * 64)
        assert not stored.published
        publish(stored.header.source_sha256)
        assert stored.published

    def test_by_its_origin_where_the_sha256_is_not_known(
        self, checkpoint: Path, store: WeightsStore, publish: Callable[[str | None], None]
    ) -> None:
        publish(None)
        assert not import_weights(ENCODER, checkpoint, store).published
        for repository, published in (("someone/encoder", True), ("someone/else", False)):
            stored = import_weights(
                ENCODER, checkpoint, store, source_repository=f"{repository}@abc"
            )
            assert stored.published == published

    def test_published_weights_come_first(
        self,
        state: dict[str, torch.Tensor],
        tmp_path: Path,
        store: WeightsStore,
        publish: Callable[[str | None], None],
    ) -> None:
        kept = []
        for scale in (1.0, 2.0, 3.0):
            path = tmp_path / f"{scale}.pt"
            torch.save({**state, "logit_scale": torch.tensor(scale)}, path)
            kept.append(import_weights(ENCODER, path, store))
        for stored in kept:
            publish(stored.header.source_sha256)
            assert store.entries(ENCODER)[0] == stored
        assert len(store.entries(ENCODER)) == 3
        assert store.entries("fetalclip") == []


class TestDamage:
    @pytest.fixture
    def kept(self, checkpoint: Path, store: WeightsStore) -> Path:
        return import_weights(ENCODER, checkpoint, store).path

    def test_one_bit_is_noticed(self, kept: Path) -> None:
        assert verify_weights(kept).path == kept
        content = bytearray(kept.read_bytes())
        content[-1000] ^= 1
        kept.write_bytes(content)
        with pytest.raises(WeightsError, match="damaged, its tensors are not those"):
            verify_weights(kept)

    @pytest.mark.parametrize("keep", [0, 5, 200, -1])
    def test_a_truncated_file_is_noticed(
        self, kept: Path, store: WeightsStore, keep: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        sha256 = read_header(kept).header.source_sha256
        kept.write_bytes(kept.read_bytes()[:keep])
        with pytest.raises(WeightsError, match="delete it and") as caught:
            verify_weights(kept)
        assert "\n" not in str(caught.value)
        with caplog.at_level(logging.WARNING):
            assert store.entries() == []
            assert store.find(sha256) is None
        assert kept.name in caplog.text

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("encoder", "fetalclap", "no encoder is called"),
            ("source_sha256", "short", "source_sha256 is missing or wrong"),
            ("content_sha256", None, "content_sha256 is missing or wrong"),
        ],
    )
    def test_a_header_that_makes_no_sense_is_refused(
        self, kept: Path, field: str, value: str | None, message: str
    ) -> None:
        with safe_open(kept, framework="pt") as file:
            header = {**file.metadata(), field: value}
        save_file(load_file(kept), kept, {k: v for k, v in header.items() if v is not None})
        with pytest.raises(WeightsError, match=message) as caught:
            read_header(kept)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        "other",
        [
            {"a": torch.tensor([1.0, 2.5])},
            {"b": torch.tensor([1.0, 2.0])},
            {"a": torch.tensor([[1.0, 2.0]])},
            {"a": torch.tensor([1.0, 2.0]).view(torch.int32)},
            {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor(0)},
            {},
        ],
    )
    def test_the_hash_sees_names_shapes_types_and_values(
        self, other: dict[str, torch.Tensor]
    ) -> None:
        tensors = {"a": torch.tensor([1.0, 2.0])}
        assert content_hash(tensors) == content_hash({"a": torch.tensor([1.0, 2.0])})
        assert content_hash(tensors) != content_hash(other)


@pytest.mark.parametrize(
    "dtype",
    [
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8),
    ],
    ids=str,
)
def test_a_file_is_hashed_as_its_tensors_are(dtype: torch.dtype, tmp_path: Path) -> None:
    tensors = {
        "b": (torch.rand(3, 2) * 9).to(dtype),
        "a": torch.ones((), dtype=dtype),
        "none": torch.ones(0, 4, dtype=dtype),
    }
    save_file(tensors, tmp_path / "file.safetensors", metadata={"note": "does not count"})
    assert file_content_hash(tmp_path / "file.safetensors") == content_hash(tensors)


class TestModelsFindTheirEncoder:
    """A card names its encoder's weights by sha256; the store has them or not."""

    @pytest.fixture
    def folder(self, checkpoint: Path, make_card: Callable[..., Any], tmp_path: Path) -> Path:
        network = FrameClassifier(load_encoder(ENCODER, checkpoint)).eval()
        card = make_card(network, encoder_weights=weights_record(checkpoint))
        return save_model(network, tmp_path / "model", card)

    def test_after_an_import_no_file_need_be_given(
        self, folder: Path, checkpoint: Path, store: WeightsStore, images: torch.Tensor
    ) -> None:
        expected = load_model(folder, checkpoint)(images)
        import_weights(ENCODER, checkpoint, store)
        checkpoint.unlink()
        assert torch.equal(load_model(folder, weights_folder=store.folder)(images), expected)

    def test_a_file_of_the_store_is_believed_where_the_store_is(
        self, folder: Path, checkpoint: Path, store: WeightsStore, tmp_path: Path
    ) -> None:
        """A forged file is made as those of the store are, but somebody else sent it."""
        stored = import_weights(ENCODER, checkpoint, store).path
        assert weights_record(stored).sha256 == weights_record(checkpoint).sha256
        load_model(folder, stored, store.folder)
        sent = tmp_path / stored.name
        shutil.copy(stored, sent)
        for weights_folder in (store.folder, None):
            with pytest.raises(ModelError, match="not the weights"):
                load_model(folder, sent, weights_folder)

    def test_a_file_of_the_store_with_other_tensors_is_not_loaded(
        self, folder: Path, checkpoint: Path, store: WeightsStore
    ) -> None:
        stored = import_weights(ENCODER, checkpoint, store).path
        content = bytearray(stored.read_bytes())
        content[-1000] ^= 1
        stored.write_bytes(content)
        with pytest.raises(ModelError, match="damaged; delete it"):
            load_model(folder, weights_folder=store.folder)

    def test_before_it_the_message_says_what_is_missing(
        self, folder: Path, store: WeightsStore
    ) -> None:
        with pytest.raises(ModelError, match="fetch or import them first"):
            load_model(folder, weights_folder=store.folder)

    def test_weights_of_the_same_encoder_that_are_others_do_not_count(
        self,
        folder: Path,
        state: dict[str, torch.Tensor],
        tmp_path: Path,
        store: WeightsStore,
    ) -> None:
        path = tmp_path / "others.pt"
        torch.save({**state, "logit_scale": torch.tensor(1.5)}, path)
        import_weights(ENCODER, path, store)
        with pytest.raises(ModelError, match="fetch or import them first"):
            load_model(folder, weights_folder=store.folder)

    def test_a_model_with_its_own_encoder_asks_nobody(
        self, make_network: Callable[..., Any], make_card: Callable[..., Any], tmp_path: Path
    ) -> None:
        network = make_network("cls")
        folder = save_model(network, tmp_path / "own", make_card(network))
        load_model(folder, weights_folder=tmp_path / "nowhere")


class Bomb:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


ENTRANCES: dict[str, Callable[[Path, Path], object]] = {
    "import_weights": lambda bomb, tmp: import_weights(ENCODER, bomb, WeightsStore(tmp / "store")),
    "load_encoder": lambda bomb, _: load_encoder(ENCODER, bomb),
    "weights_record and load_model": lambda bomb, tmp: load_model(tmp / "model", bomb),
    "zero_shot": lambda bomb, _: zero_shot(
        np.zeros((1, 8, 8), np.uint8), {"a": ["b"]}, bomb, ENCODER, "cpu"
    ),
}


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("suffix", [".pt", ".bin", ".safetensors"])
def test_a_malicious_pickle_runs_through_no_entrance(
    entrance: str,
    suffix: str,
    make_network: Callable[..., Any],
    make_card: Callable[..., Any],
    tmp_path: Path,
) -> None:
    exploded = tmp_path / "exploded"
    bomb = tmp_path / f"bomb{suffix}"
    bomb.write_bytes(pickle.dumps(Bomb(exploded), protocol=2))
    network = make_network("cls")
    save_model(network, tmp_path / "model", make_card(network, encoder_weights=None))
    reason = "not a readable weights" if suffix == ".safetensors" else "a pickle of another program"
    with pytest.raises(WeightsError, match=reason) as caught:
        ENTRANCES[entrance](bomb, tmp_path)
    assert "\n" not in str(caught.value)
    assert not exploded.exists()
    pickle.loads(bomb.read_bytes())  # noqa: S301 - the bomb is live
    assert exploded.exists()


def test_pickles_in_a_model_folder_or_in_the_store_are_not_even_read(
    make_network: Callable[..., Any], make_card: Callable[..., Any], tmp_path: Path
) -> None:
    exploded = tmp_path / "exploded"
    network = make_network("cls")
    folder = save_model(network, tmp_path / "model", make_card(network))
    store = WeightsStore(tmp_path / "store")
    store.folder.mkdir()
    for place in (folder, store.folder):
        for name in ("encoder.pt", "pytorch_model.bin", "head.pt", f"{ENCODER}-{'0' * 16}.pt"):
            torch.save(Bomb(exploded), place / name)
    load_model(folder, weights_folder=store.folder)
    assert store.entries() == []
    assert not exploded.exists()
