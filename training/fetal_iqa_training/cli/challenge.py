"""``fetal-iqa-train export challenge`` and ``score``: submission folders and their scores."""

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.challenge.rules import Rules
from fetal_iqa_training.cli.prepare import prepare
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import Bars, Progress

if TYPE_CHECKING:
    from pydantic import JsonValue

    from fetal_iqa_training.challenge.scored_folder import SubmissionScore

RULES = typer.Option(
    help="Of the challenge. corrected: as the metrics were meant; literal: as the challenge's "
    "own evaluation counts, with its quirks."
)

VIEW = typer.Option(
    "--field-of-view",
    metavar="FILE",
    help="One field of view for all cases, not 0 inside: data/fov_mask.mha of the challenge's "
    "evaluation. By default it is found in the images of each case.",
    show_default=False,
)

export = typer.Typer(
    help="Write results as others expect them.", no_args_is_help=True, rich_markup_mode=None
)


@export.callback()
def _export() -> None:
    """Keep ``challenge`` a command of its own though it is the only one."""


@export.command(
    epilog="Example: fetal-iqa-train export challenge results --out submission",
)
def challenge(
    results: Annotated[
        Path,
        typer.Argument(metavar="RESULTS_DIR", help="What napari-fetal-iqa analyse --out wrote."),
    ],
    out: Annotated[Path, typer.Option(help="Submission folder; made where it is missing.")],
) -> None:
    """Write the best frame of each analysed sweep as a submission to the ACOUSLIC-AI challenge.

    Each sweep gets a folder of its name with the mask of that frame and its number. A sweep that
    cannot be used is named, and the others go on.
    """
    from fetal_iqa_training.challenge.submission import export_submission

    wrong, done = 0, 0
    with closing(Bars()) as report:
        for done, case in enumerate(export_submission(results, out), start=1):
            if case.wrong is not None:
                wrong += 1
                typer.echo(f"{case.case}: {case.wrong}", err=True)
            report(Progress("writing", done))
    typer.echo(f"{out}: {done - wrong} of {done} cases written")
    if wrong:
        raise TrainingError(f"{wrong} of {done} cases could not be exported; they are named above")


def score(
    submission: Annotated[
        Path, typer.Option(help="Submission folder, a folder per case.", show_default=False)
    ],
    data: Annotated[
        Path, typer.Option(help="Data set in the layout of ACOUSLIC-AI.", show_default=False)
    ],
    rules: Annotated[Rules, RULES] = "corrected",
    field_of_view: Annotated[Path | None, VIEW] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            help="Write the scores to this file, and to stdout in place of the table for people.",
        ),
    ] = None,
) -> None:
    """Score a submission by the metrics of the ACOUSLIC-AI challenge, per case and on average.

    Cases that are missing, extra or damaged are named; the mean is over the cases that were
    scored. Exit code 1 where a case of the data set was not.
    """
    from fetal_iqa_training.challenge.scored_folder import read_field_of_view, score_submission

    view = None if field_of_view is None else read_field_of_view(field_of_view)
    with closing(Bars()) as report:
        scored = score_submission(submission, data, rules, report, field_of_view=view)
    print_scores(scored, scored.as_json(), json_file)
    report_scores(scored, scored.as_json(), json_file)


def print_scores(
    scored: "SubmissionScore", whole: dict[str, "JsonValue"], json_file: Path | None
) -> None:
    """Print a table for people, or, where JSON is asked for, that and nothing else."""
    table = "\n".join(score_table(scored))
    typer.echo(table if json_file is None else json.dumps(whole, indent=2))


def report_scores(
    scored: "SubmissionScore", whole: dict[str, "JsonValue"], json_file: Path | None
) -> None:
    """Name the cases that were not scored, and write a file; raise where a case was not."""
    if scored.hollow:
        what = "taken as they are" if scored.rules == "literal" else "filled, as for training"
        typer.echo(
            f"annotations of {len(scored.hollow)} of {len(scored.cases)} cases are outlines that "
            f"are not filled, or have holes; {what}: {', '.join(scored.hollow)}",
            err=True,
        )
    for case in scored.missing:
        typer.echo(f"{case}: missing from the submission", err=True)
    for case, wrong in scored.damaged.items():
        typer.echo(f"{case}: {wrong}", err=True)
    for case in scored.extra:
        typer.echo(f"{case}: not in the data set; not scored", err=True)
    if json_file is not None:
        write_atomically(json_file, json.dumps(whole, indent=2) + "\n")
    if not scored.complete:
        unscored = len(scored.missing) + len(scored.damaged)
        raise TrainingError(
            f"{unscored} of {unscored + len(scored.cases)} cases were not scored; they are named "
            "above"
        )


def score_table(scored: "SubmissionScore") -> list[str]:
    """Lines of a table: the metrics of each case and their mean."""
    from fetal_iqa_training.challenge.scored_folder import METRICS

    width = max(map(len, [*scored.cases, f"mean of {len(scored.cases)}"]))
    heads = ("NAE", "WFSS", "DSC_soft", "Hausdorff", "score")
    lines = [f"{'case':{width}}  frame" + "".join(f"{head:>11}" for head in heads)]
    rows = [(case, str(s.frame), vars(s)) for case, s in scored.cases.items()]
    if scored.cases:
        rows.append((f"mean of {len(scored.cases)}", "", scored.means))
    for case, frame, metrics in rows:
        shown = "".join(f"{metrics[name]:>11.4f}" for name in METRICS)
        lines.append(f"{case:{width}}  {frame:>5}{shown}")
    return [*lines, f"rules: {scored.rules}"]


def register(app: typer.Typer) -> None:
    """Add these commands, and the preparation of the data, to ``fetal-iqa-train``."""
    app.add_typer(prepare, name="prepare")
    app.add_typer(export, name="export")
    app.command(
        epilog="Example: fetal-iqa-train score --submission submission --data acouslic "
        "--json scores.json"
    )(score)
