"""Options that would do nothing are refused, in one line, before anything is read."""

import pytest
from typer.testing import CliRunner

from fetal_iqa_training.cli.app import app
from fetal_iqa_training.settings import FitSettings


def refused(*words):
    ran = CliRunner().invoke(app, [*map(str, words)], env={"COLUMNS": "400", "TERM": "dumb"})
    assert ran.exit_code == 2, ran.output
    (line,) = [line for line in ran.output.splitlines() if "does nothing with" in line]
    return line


@pytest.mark.parametrize(
    ("task", "options", "words"),
    [
        ("cls", ("--from-scratch", "--weights", "w.pt"), "--weights: does nothing with --from-s"),
        (
            "cls",
            ("--from-scratch", "--start-from", "m"),
            "--start-from: does nothing with --from-s",
        ),
        ("cls", ("--cross-entropy", "1"), "--cross-entropy: does nothing with --task cls"),
        ("seg", ("--class-weights", "balanced"), "--class-weights: does nothing with --task seg"),
        ("cls", ("--strategy", "linear", "--rank", "8", "--from-scratch"), "the strategy linear"),
        ("cls", ("--rank", "4", "--from-scratch"), "--rank: does nothing with the strategy full"),
    ],
)
def test_a_fit_refuses_what_would_do_nothing(tmp_path, task, options, words):
    line = refused(
        "fit", "--data", tmp_path, "--out", tmp_path / "m", "--task", task, "--encoder",
        "fetalclip-tiny", *options,
    )  # fmt: skip
    assert words in line
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("table4", ("--from-scratch", "--weights", "fetalclip=w.pt"), "with --from-scratch"),
        ("table4", ("--encoder", "fetalclip-tiny", "--weights", "fetalclip=w.pt"), "--encoder"),
        ("planes", ("--from-scratch", "--weights", "usfm=w.pt"), "with --from-scratch"),
        ("table2", ("--class-weights", "10"), "the rows fetalclip-seg-lora, which outline"),
        ("segmentation", ("--class-weights", "balanced", "--rows", "vit_l*"), "which outline"),
        ("threshold", ("--class-weights", "2"), "the rows fetalclip-seg-lora, which outline"),
    ],
)
def test_an_experiment_refuses_what_would_do_nothing(tmp_path, name, options, words):
    out = tmp_path / "out"
    assert words in refused("experiment", name, "--data", tmp_path, "--out", out, *options)
    assert not out.exists()


@pytest.mark.parametrize(
    ("changes", "has_weights", "strategy"),
    [
        ({}, True, "lora"),
        ({}, False, "full"),
        ({"encoder": "densenet121"}, True, "full"),
        ({"recipe": "published"}, False, "lora"),
        ({"strategy": "linear"}, True, "linear"),
    ],
)
def test_what_is_trained_is_known_before_the_network_is_built(changes, has_weights, strategy):
    settings = FitSettings(**{"task": "cls", "encoder": "fetalclip", **changes})
    assert settings.strategy_with(has_weights) == strategy
