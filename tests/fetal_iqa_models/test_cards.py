import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetal_iqa_models import (
    LoraSettings,
    ModelCard,
    ModelError,
    load_card,
    model_hash,
    model_id,
    resolve_model,
)

CARD = ModelCard(
    name="a model",
    task="seg",
    encoder="fetalclip-tiny",
    encoder_weights="own",
    image_size=56,
    lora=LoraSettings(targets=("attn.proj",)),
    parent="a" * 64,
    training={"seed": 1, "optimizer": {"lr": 3e-4}},
    metrics={"dice": 0.91},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.json").write_text(CARD.model_dump_json())
    return tmp_path


def test_a_card_survives_being_written_and_read(folder: Path) -> None:
    assert load_card(folder) == CARD
    assert load_card(str(folder)) == CARD


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("task", "detect"),
        ("quality_threshold", 1.5),
        ("mask_threshold", "NaN"),
        ("image_size", -1),
        ("image_size", 10**9),
        ("schema_version", 2),
        ("parent", "not a hash"),
        ("encoder_weights", "elsewhere"),
        ("encoder_weights", {"name": "x", "sha256": "../../etc"}),
        ("decoder_width", 10**6),
        ("decoder", "theirs"),
        ("resize", "somehow"),
        ("taps", [0, 1]),
        ("labels", ["one"]),
        ("lora", {"rank": 10**6}),
        ("lora", {"targets": ["(a+)+$"]}),
        ("lora", {"targets": []}),
        ("surprise", 1),
        ("encoder", ""),
        ("encoder", "x" * 1000),
    ],
)
def test_a_card_with_a_foreign_field_or_value_is_refused_by_name(
    folder: Path, field: str, value: Any
) -> None:
    content = json.loads(CARD.model_dump_json()) | {field: value}
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=rf"model\.json: not a model card: {field}") as caught:
        load_card(folder)
    assert "\n" not in str(caught.value)


def test_a_card_from_before_has_our_decoder_and_resizing(folder: Path) -> None:
    old = json.loads(CARD.model_dump_json())
    del old["decoder"], old["resize"]
    (folder / "model.json").write_text(json.dumps(old))
    assert (load_card(folder).decoder, load_card(folder).resize) == ("ours", "antialiased")


@pytest.mark.parametrize("value", [0, -1, 1e9, "NaN", "Infinity", "hot", None])
def test_a_temperature_is_a_positive_number(folder: Path, value: Any) -> None:
    content = json.loads(CARD.model_dump_json()) | {"task": "cls", "temperature": value}
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"not a model card: temperature"):
        load_card(folder)


def test_only_a_classifier_has_a_temperature(folder: Path) -> None:
    content = json.loads(CARD.model_dump_json()) | {"temperature": 1.5}
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"temperature 1\.5 of a seg model"):
        load_card(folder)
    (folder / "model.json").write_text(json.dumps(content | {"task": "cls"}))
    assert load_card(folder).temperature == 1.5


def test_a_card_from_before_there_was_a_temperature_has_1(folder: Path) -> None:
    content = json.loads(CARD.model_dump_json())
    del content["temperature"]
    (folder / "model.json").write_text(json.dumps(content))
    assert load_card(folder).temperature == 1
    assert load_card("demo-cls").temperature == 1


def test_another_temperature_is_another_model(folder: Path) -> None:
    content = json.loads(CARD.model_dump_json()) | {"task": "cls"}
    hashes = set()
    for temperature in (1.0, 2.0):
        (folder / "model.json").write_text(json.dumps(content | {"temperature": temperature}))
        hashes.add(model_hash(folder))
    assert len(hashes) == 2


def test_a_hostile_fields_name_stays_on_one_short_line(folder: Path) -> None:
    content = json.loads(CARD.model_dump_json()) | {"a\nb" * 1000: 1}
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="a ba b") as caught:
        load_card(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(folder)) + 400


@given(st.binary(max_size=200))
def test_anything_else_in_model_json_is_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "model.json").write_bytes(content)
    with pytest.raises(ModelError, match="not a model card") as caught:
        load_card(folder)
    assert "\n" not in str(caught.value)


def test_what_is_missing_or_oversize_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model folder"):
        load_card(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"model\.json: cannot be read \(No such file"):
        load_card(tmp_path)
    (tmp_path / "model.json").write_text(" " * 9_000_000 + "{}")
    with pytest.raises(ModelError, match="larger than 8 megabytes"):
        load_card(tmp_path)


def test_shipped_models_have_names() -> None:
    for task in ("cls", "seg"):
        assert resolve_model(f"demo-{task}").parts[-3:] == ("fetal_iqa_models", "demo", task)
        card = load_card(f"demo-{task}")
        assert card.demo
        assert card.task == task


def test_the_hash_is_of_the_models_own_files_only(folder: Path) -> None:
    before = model_hash(folder)
    (folder / "notes.txt").write_text("a thumbnail, a note")
    (folder / "adapter_model.bin").write_bytes(b"a pickle")
    assert model_hash(folder) == before
    (folder / "head.safetensors").write_bytes(b"x")
    after = model_hash(folder)
    assert after != before
    (folder / "head.safetensors").rename(folder / "encoder.safetensors")
    assert model_hash(folder) not in {before, after}
    assert len(before) == 64
    assert model_id("cls", "7f3a" + before[4:]) == "cls-7f3a"


def test_a_file_that_cannot_be_hashed_is_named(folder: Path) -> None:
    (folder / "head.safetensors").mkdir()
    with pytest.raises(ModelError, match=r"head\.safetensors: cannot be read"):
        model_hash(folder)
