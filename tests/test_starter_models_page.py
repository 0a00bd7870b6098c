"""What ``benchmarks/starter_models_page.py`` writes of models not run, or that find nothing."""

import sys
from pathlib import Path

import pytest


@pytest.fixture
def page(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    sys.modules.pop("starter_models_page", None)
    import starter_models_page

    yield starter_models_page
    sys.modules.pop("starter_models_page", None)


def test_a_model_that_outlines_nothing_has_no_error_and_one_that_was_not_run_no_figure(
    page, tmp_path
):
    whole = {"auc": 0.99, "f1": 0.9, "dice": 0.0, "no_abdomen_by_seg": 1.0}
    whole["ac_error_median_percent"] = float("nan")
    encoders = {"sononet16": whole, "efficientnet_lite0": {"auc": 0.9, "f1": 0.7}}

    rows = [line for line in page.encoder_lines(encoders, tmp_path) if line.startswith("| ")]

    assert rows[1] == "| SonoNet16, 13 fetal planes | 0.99 | 0.9 | 0 | outlines none | 1 |"
    assert rows[2] == ("| EfficientNet-Lite0, ImageNet | 0.9 | 0.7 | not run | not run | not run |")
