"""The validation and test frames as the CLS and SEG of every run score them."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from fetal_iqa_models import FrameClassifier, FrameSegmenter, encoder_spec, load_model
from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.experiments.part_frames import read_part
from fetal_iqa_training.experiments.tables.csv_text import as_csv
from fetal_iqa_training.experiments.tables.plan import Plan, Weights
from fetal_iqa_training.experiments.tables.results import ResultPair, paired_runs
from fetal_iqa_training.experiments.threshold.scored_parts import ScoredPart, score_part
from fetal_iqa_training.progress import Progress, Report
from napari_fetal_iqa.storage import paths

ScoredRun = tuple[ScoredPart, ScoredPart]
"""Validation and test."""


def score_runs(
    plan: Plan, weights: Weights, results: ResultPair, report: Report
) -> Iterator[ScoredRun]:
    """Score the validation and test frames by each run's CLS and SEG; write them frame by frame.

    Parameters
    ----------
    plan : Plan
    weights : mapping
        Pretrained weights by encoder.
    results : (RowResult, RowResult)
        Of CLS and of SEG, on one encoder.
    report : callable

    Yields
    ------
    (ScoredPart, ScoredPart)
        Validation and test; their frames can be used only until the last is done.
    """
    encoder = results[0].encoder
    size = encoder_spec(encoder).image_size
    split = plan.split_cases()
    # Windows keeps files that are still memory-mapped, hence ignore_cleanup_errors
    with TemporaryDirectory(prefix="fetal-iqa-", ignore_cleanup_errors=True) as folder:
        parts = [
            (name, read_part(cases, size, Path(folder) / name, report))
            for name, cases in (("validation", split.validation), ("test", split.test))
        ]
        pairs = paired_runs(results)
        for done, pair in enumerate(pairs, start=1):
            cls, seg = (load_model(r.folder, weights[encoder], paths.weights()) for r in pair)
            assert isinstance(cls, FrameClassifier)
            assert isinstance(seg, FrameSegmenter)
            scored = [(name, score_part(cls, seg, p, plan.common.device)) for name, p in parts]
            frames = as_csv(line for name, part in scored for line in part.lines(name))
            write_atomically(plan.out / "threshold" / f"frames-seed-{pair[0].seed}.csv", frames)
            report(Progress("evaluating", done, len(pairs)))
            yield scored[0][1], scored[1][1]
