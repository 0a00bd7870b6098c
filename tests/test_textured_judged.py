"""What ``benchmarks/textured_judged.py`` counts, by analyses whose answers are known."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fetal_iqa_training.challenge.scored_folder import read_truth
from fetal_iqa_training.data.phantoms import write_phantoms
from napari_fetal_iqa.io import list_cases

LIMITS = SimpleNamespace(quality=0.5, area=0.01)


class Told:
    """An analysis that says what it was told to."""

    setup = SimpleNamespace(thresholds=LIMITS)

    def __init__(self, shown, masks, best):
        self.quality = np.where(shown, 0.9, 0.1)
        self.area_fraction = np.where(shown, 0.2, 0.0)
        self._masks, self._best = masks, best

    def mask(self, frame):
        return self._masks(frame)

    def best_frame(self):
        return self._best


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("textured")
    write_phantoms(folder, 1, seed=5, size="small")
    (one,) = list_cases(folder)
    return one


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    sys.modules.pop("textured_judged", None)
    import textured_judged

    yield textured_judged
    sys.modules.pop("textured_judged", None)


def test_an_analysis_that_says_the_truth_has_every_frame_right(benchmark, case, monkeypatch):
    truth = read_truth(case)
    shown = truth.planes > 0
    best = int(np.flatnonzero(shown)[0])
    monkeypatch.setattr(
        benchmark, "analyse_sweep", lambda *_, **__: Told(shown, truth.abdomen, best)
    )

    found = benchmark.of_case(case, None)

    positives = int(shown.sum())
    assert (found["frames"], found["positives"]) == (len(shown), positives)
    for name in ("cls", "seg"):
        assert [found[f"{name}_{pair}"] for pair in ("tp", "fp", "fn")] == [positives, 0, 0]
    assert found["dice"] == pytest.approx(positives)
    assert found["measured"] > 0
    assert found["errors"] == pytest.approx(0)
    assert (found["best_frame"], found["hit"]) == (best, True)
    assert found["best_error"] == pytest.approx(0)
    assert benchmark.f1([found], "cls") == 1


def test_an_analysis_that_says_the_contrary_has_none(benchmark, case, monkeypatch):
    truth = read_truth(case)
    shown = truth.planes > 0
    nothing = np.zeros(truth.field_of_view.shape, np.bool_)
    best = int(np.flatnonzero(~shown)[0])
    monkeypatch.setattr(
        benchmark, "analyse_sweep", lambda *_, **__: Told(~shown, lambda frame: nothing, best)
    )

    found = benchmark.of_case(case, None)

    wrong = int((~shown).sum())
    assert [found[f"cls_{pair}"] for pair in ("tp", "fp", "fn")] == [0, wrong, int(shown.sum())]
    assert (found["dice"], found["measured"]) == (0, 0)
    assert (found["hit"], found["best_error"]) == (False, None)
    assert benchmark.f1([found], "seg") == 0


def test_a_case_that_was_kept_is_not_analysed_again(benchmark, case, monkeypatch, tmp_path, capsys):
    row = {"frames": 120, "positives": 10, "dice": 9.0, "errors": 20.0, "measured": 8}
    row |= {"best_frame": 3, "hit": True, "score": 0.5, "best_error": 4.0}
    row |= {"cls_tp": 6, "cls_fp": 2, "cls_fn": 4, "seg_tp": 10, "seg_fp": 0, "seg_fn": 0}
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps({f"demo {case.uuid}": row}))
    monkeypatch.setattr(benchmark, "of_case", lambda *_: pytest.fail("analysed again"))
    monkeypatch.setattr(benchmark, "list_cases", lambda _: [case])
    words = ["textured_judged.py", "--data", "there", "--models", "demo", "--keep", str(kept)]
    monkeypatch.setattr(sys, "argv", words)

    benchmark.main()

    printed = capsys.readouterr().out
    assert "1 cases, 120 frames, 10 positive" in printed
    assert "| demo | 0.67 | 1.00 | 0.90 | 2 % | 8 of 10 | 1 of 1 | 4 % | 0 | 0.50 |" in printed
