import os
from collections import Counter
from pathlib import Path

import pytest
import torch

from fetal_iqa_models import (
    FrameClassifier,
    FrameSegmenter,
    encoder_spec,
    set_strategy,
    trainable_parameters,
)
from fetal_iqa_models.encoders import blank_encoder
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.tables.catalogue import CLS, RANKS, SEG, TABLES
from fetal_iqa_training.experiments.tables.format import count_in_words
from fetal_iqa_training.experiments.tables.systems import choose_rows
from fetal_iqa_training.fitting.published_recipe import hold_back_as_published, tap_as_published

QUICK = ("fetalclip", "densenet121", "vit_s")
"""Encoders whose networks are traced in a few seconds."""
ROWS = {row.name: row for table in TABLES.values() for row in table.rows}


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_a_name_tells_a_row_from_all_others_of_its_table(table):
    assert max(Counter(row.name for row in table.rows).values()) == 1
    assert table.reference in {row.name for row in table.rows}


def test_rows_of_one_name_are_one_system_whatever_the_table():
    for table in TABLES.values():
        for row in table.rows:
            first = ROWS[row.name]
            assert (row.encoder, row.task, row.strategy, row.lora, row.recipe, row.paper) == (
                first.encoder, first.task, first.strategy, first.lora, first.recipe, first.paper,
            )  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_every_row_names_an_encoder_that_can_be_trained_so(row):
    spec = encoder_spec(row.encoder)
    assert row.strategy != "lora" or spec.lora_targets is not None


def built(row):
    """Build the network of a row at full size, without its tensors."""
    encoder = blank_encoder(row.encoder)
    decoder = "ours"
    if row.recipe == "published":
        tap_as_published(encoder)
        decoder = "published"
    with torch.device("meta"):
        network = (
            FrameClassifier(encoder)
            if row.task == "cls"
            else FrameSegmenter(encoder, decoder=decoder)
        )
        set_strategy(network, row.strategy, row.lora)
    if row.recipe == "published":
        hold_back_as_published(network)
    return network


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_every_row_is_built_at_full_size_and_trains_what_its_strategy_says(row):
    network = built(row)
    head = sum(parameter.numel() for parameter in network.head.parameters())
    of_encoder = trainable_parameters(network) - head
    whole = sum(parameter.numel() for parameter in network.encoder.parameters())
    if row.strategy == "linear" or (row.task, row.recipe) == ("seg", "published"):
        assert of_encoder == 0
    elif row.strategy == "full":
        assert of_encoder > 0.99 * whole
    else:
        assert 0 < of_encoder < 0.2 * whole


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, marks=[] if row.encoder in QUICK else [pytest.mark.slow], id=row.name)
        for row in ROWS.values()
        if row.in_paper
    ],
)
def test_every_row_of_the_paper_trains_as_many_parameters_as_the_paper_says(row):
    assert count_in_words(trainable_parameters(built(row))) == count_in_words(row.paper_trainable)


def test_rank_has_each_rank_of_both_networks_with_and_without_qkv():
    found = Counter((row.task, row.lora.rank, row.with_qkv) for row in TABLES["rank"].rows)
    assert found == {
        (task, rank, qkv): 1 for task in ("cls", "seg") for rank in RANKS for qkv in (False, True)
    }
    assert all(row.lora.alpha == 2 * row.lora.rank for row in TABLES["rank"].rows)
    assert CLS in TABLES["rank"].rows  # shared with the tables
    assert SEG in TABLES["rank"].rows


def test_rows_are_chosen_by_name_encoder_task_or_pattern_in_the_order_of_the_table():
    rows = TABLES["strategies"].rows
    linear = choose_rows(rows, ["*-linear"])
    assert {row.strategy for row in linear} == {"linear"}
    assert len(linear) == sum(row.strategy == "linear" for row in rows)
    chosen = choose_rows(rows, ["vgg16-cls-full", "densenet121"])
    assert [row.name for row in chosen] == [
        "densenet121-cls-linear", "densenet121-cls-full", "vgg16-cls-full",
    ]  # fmt: skip
    assert {row.task for row in choose_rows(TABLES["rank"].rows, ["seg"])} == {"seg"}
    assert choose_rows(rows, []) == rows
    systems = TABLES["encoders"].rows
    assert choose_rows(systems, ["paper"]) == tuple(row for row in systems if row.in_paper)


def test_a_row_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(TrainingError, match=r"'resnet'; choose of: densenet121-cls-full, .*fetalc"):
        choose_rows(TABLES["table1"].rows, ["fetalclip", "resnet"])


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "table4"])
def test_the_papers_tables_have_its_rows_and_no_others(name):
    rows = TABLES[name].rows
    assert choose_rows(rows, ["paper"]) == rows
    assert [(row.title, row.strategy) for row in rows] == PAPER[name]


LORA, FULL, HEAD = "lora", "full", "linear"
PAPER = {
    "table1": [
        ("DenseNet", FULL), ("EfficientNet", FULL), ("VGG", FULL), ("Swin", LORA), ("DeiT", LORA),
        ("ViT_400M", LORA), ("FetalCLIP_CLS", LORA),
    ],
    "table2": [("FetalCLIP_CLS", LORA), ("FetalCLIP_SEG", LORA)],
    "table3": [
        ("DenseNet", HEAD), ("DenseNet", FULL), ("ViT_400M", HEAD), ("ViT_400M", FULL),
        ("ViT_400M", LORA), ("ViT_small", FULL),
    ],
    "table4": [("ViT_400M", LORA), ("ViT_2B", LORA), ("FetalCLIP_CLS", LORA)],
}  # fmt: skip


def test_every_figure_of_the_paper_is_there_the_zero_included():
    """F1 is that of its precision and recall."""
    for row in ROWS.values():
        if not row.in_paper:
            continue
        figures = row.paper
        precision, recall = figures["precision"].mean, figures["recall"].mean
        assert {"accuracy", "f1"} <= figures.keys()
        if precision:
            harmonic = 2 * precision * recall / (precision + recall)
            # a mean of five F1 is near, and not equal to, the F1 of the means
            assert figures["f1"].mean == pytest.approx(harmonic, abs=0.01)
    zero = ROWS["vit_l_clip_400m-cls-full"].paper
    assert (zero["f1"].mean, zero["f1"].std, str(zero["accuracy"])) == (0, 0, "0.9105 ± 0.000")


STRATEGIES = {"full": FULL, "LoRA": LORA, "LP": HEAD, "FP": FULL}
COLUMNS = {
    "Dice": "dice_pooled", "accuracy": "accuracy", "F1": "f1", "precision": "precision",
    "recall": "recall",
}  # fmt: skip


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_each_table_is_the_papers_line_by_line(number):
    """Oracle: the page on the paper; system, strategy, every figure with its ±, and parameters."""
    page = Path(os.environ.get("FETAL_IQA_DATA", ".")).parent / "PAPER.md"
    if not page.is_file():
        pytest.skip("the paper's page is not here")
    _, _, after = page.read_text(encoding="utf-8").partition(f"**Table {number}")
    block = after[after.index("\n|") :].lstrip("\n").split("\n\n")[0]
    header, _, *lines = ([c.strip() for c in x.strip("|").split("|")] for x in block.splitlines())
    theirs = [dict(zip(header, line, strict=True)) for line in lines]
    rows = TABLES[f"table{number}"].rows
    assert [line["system"].split(" (")[0] for line in theirs] == [row.title for row in rows]
    for line, row in zip(theirs, rows, strict=True):
        assert row.strategy == STRATEGIES[line.get("strategy", "LoRA")]
        figures = {name: line[title] for title, name in COLUMNS.items() if line.get(title)}
        assert {name: str(figure) for name, figure in row.paper.items()} == figures
        assert count_in_words(row.paper_trainable) == line["trainable"]


def test_a_row_that_starts_from_anothers_adapter_brings_it_along():
    rows = TABLES["initialisation"].rows
    chosen = choose_rows(rows, ["fetalclip-cls-lora-from-*"])
    assert [row.name for row in chosen] == [SEG.name, f"{CLS.name}-from-{SEG.name}"]
