"""``fetal-iqa-train prepare``: is this data set what it should be, who trains on which case."""

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import Bars
from napari_fetal_iqa.counted import counted

if TYPE_CHECKING:
    from fetal_iqa_training.data.validate_acouslic import DataSetCheck

prepare = typer.Typer(
    help="Check a data set and split it by subject.", no_args_is_help=True, rich_markup_mode=None
)


@prepare.command(
    epilog="Example: fetal-iqa-train prepare acouslic DATA --out split.json --build prepared"
)
def acouslic(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Data set in the layout of ACOUSLIC-AI.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write the split to this JSON file, by uuid.")
    ] = None,
    build: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write training and validation frames at the network's size to this new folder, "
            "for fetal-iqa-train fit --prepared.",
        ),
    ] = None,
    image_size: Annotated[
        int, typer.Option(min=16, max=4096, help="Side of the network's input, for --build.")
    ] = 224,
    copies: Annotated[
        int, typer.Option(min=0, help="Augmented copies of each training frame, for --build.")
    ] = 2,
    workers: Annotated[int, typer.Option(min=0, help="Processes that make copies.")] = 0,
    leave_out_damaged: Annotated[
        bool,
        typer.Option("--leave-out-damaged", help="Split the other cases, and end with success."),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the split.")] = 0,
    validation_share: Annotated[float, typer.Option(min=0, max=1, help="Of the subjects.")] = 0.1,
    test_share: Annotated[float, typer.Option(min=0, max=1, help="Of the subjects.")] = 0.2,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was found as JSON on stdout.")
    ] = False,
) -> None:
    """Check a data set against the facts of ACOUSLIC-AI, and split it by subject.

    Every volume is read to its end, one at a time. A damaged case is named with what is wrong;
    unless it is left out on request, nothing is written and the exit code is 1. What only differs
    from the public data set is named, and no failure. With --build, one sweep is in memory at a
    time.
    """
    from fetal_iqa_training.data.split import write_split
    from fetal_iqa_training.data.validate_acouslic import check_data_set

    if build is not None:
        from fetal_iqa_training.data.fixed_copies import CopyRecipe
        from fetal_iqa_training.data.prepared import build_prepared, check_is_new

        check_is_new(build)
    with closing(Bars()) as report:
        found = check_data_set(folder, report)
    for case, wrong in found.damaged.items():
        typer.echo(f"{case}: {wrong}", err=True)
    refused = bool(found.damaged) and not leave_out_damaged
    split = None
    if not refused:
        wanted = out is not None or build is not None
        split = _split(found, (validation_share, test_share), seed, wanted)
    if split is not None and out is not None:
        write_split(out, split, found.damaged)
    if split is not None and build is not None:
        with closing(Bars()) as report:
            recipe = CopyRecipe(copies, seed, workers) if copies else None
            build_prepared(folder, split, found.damaged, image_size, build, report, recipe)
    typer.echo(json.dumps(_as_json(found, split), indent=2) if as_json else _summary(found, split))
    if refused:
        raise TrainingError(
            f"{folder}: {len(found.damaged)} of {len(found.cases)} cases are damaged, as named "
            "above; copy them again, or use --leave-out-damaged"
        )


@prepare.command(
    epilog="Example: fetal-iqa-train prepare collection --out all --data planes --data phantoms "
    "--other-anatomy heads, then fetal-iqa-train fit --data all --split all/split.json"
)
def collection(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to make.", show_default=False)],
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="DIR", help="Data set with outlines; may be given several times.", min=1
        ),
    ],
    other_anatomy: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Data set that shows no abdomen, whatever is outlined in it; may be given "
            "several times.",
        ),
    ] = None,
    same_people: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Those of the above that name the same people by the same numbers, so that each "
            "of them stays on one side.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the split.")] = 0,
    validation_share: Annotated[
        float, typer.Option(min=0, max=1, help="Of the subjects that do not judge.")
    ] = 0.1,
    test_share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Of the subjects that no data set says anything of."),
    ] = 0.1,
) -> None:
    """List several data sets as one, with one split by subject for all of them.

    Writes collection.json and split.json into a new folder; the data stay where they are. Subjects
    that a data set holds back only judge: they are the test part. Chests whose subject nobody names
    are compared with the thoraxes of the same people (--same-people): one that is nearly the same
    frame gets that subject, one that may be is left out; collection.json says which.
    """
    from fetal_iqa_training.data.collection import COLLECTION, Part, write_collection
    from fetal_iqa_training.data.datasets import list_annotated
    from fetal_iqa_training.data.split import PARTS, SPLIT, split_keeping_held_back, write_split
    from fetal_iqa_training.data.whose_chests import with_subjects_by_content

    if out.exists():
        raise TrainingError(f"{out}: exists; choose another folder, or remove it")
    others = other_anatomy or []
    alike = {place.resolve() for place in same_people or []}
    if strange := alike - {place.resolve() for place in (*data, *others)}:
        raise typer.BadParameter(f"{strange.pop()}: not among the data", param_hint="--same-people")
    parts = with_subjects_by_content(
        Part(
            folder=str(place.resolve()),
            other_anatomy=place in others,
            subjects="people" if place.resolve() in alike else "",
        )
        for place in (*data, *others)
    )
    write_collection(out, parts)
    try:
        cases = list_annotated(out)
        split = split_keeping_held_back(cases, validation_share, test_share, seed)
    except BaseException:
        (out / COLLECTION).unlink()
        out.rmdir()
        raise
    named: dict[str, Any] = {part: [case.name for case in getattr(split, part)] for part in PARTS}
    write_split(out / SPLIT, {"seed": seed, "validation_share": validation_share, **named}, {})
    people = {part: {case.subject_id for case in getattr(split, part)} for part in PARTS}
    for part in PARTS:
        typer.echo(f"{part}: {len(named[part])} cases of {len(people[part])} subjects")
    told = {name for one in parts for name in one.subject_of}
    left_out = {name for one in parts for name in one.left_out}
    if told or left_out:
        typer.echo(
            f"{counted(len(told), 'chest')} without a subject told by a thorax that is nearly the "
            f"same; {len(left_out)} left out, for they may be of a subject on the other side"
        )


def _split(
    found: "DataSetCheck", shares: tuple[float, float], seed: int, wanted: bool
) -> dict[str, Any] | None:
    """Split the sound cases; None where they are too few and nobody requested it."""
    from fetal_iqa_training.data.split import split_list

    try:
        return split_list((check.case for check in found.sound), shares, seed)
    except TrainingError:
        if wanted:
            raise
        return None


def _as_json(found: "DataSetCheck", split: dict[str, Any] | None) -> dict[str, Any]:
    return {
        **found.counts,
        "damaged": found.damaged,
        "remarks": {check.case.uuid: check.remarks for check in found.sound if check.remarks},
        "not_in_the_table": found.strangers,
        "split": split,
    }


def _summary(found: "DataSetCheck", split: dict[str, Any] | None) -> str:
    counts = found.counts
    lines = [
        f"{counted(int(counts['cases']), 'case')} of {counted(int(counts['subjects']), 'subject')} "
        f"({counts['subjects_with_several_cases']} with several cases), "
        f"{len(found.damaged)} damaged",
        f"{counts['annotated_frames']} of {counts['frames']} frames annotated "
        f"({counts['annotated_share']:.1%}); "
        f"{counted(int(counts['cases_with_suboptimal_frames_only']), 'case')} "
        "with suboptimal frames only",
        f"{counted(int(counts['sweeps_with_a_circumference']), 'sweep')} with a circumference",
    ]
    lines += [
        f"differs in {cases} of {counts['cases']} cases: {text}"
        for text, cases in found.remarks.items()
    ]
    lines += [f"not in the table: {path}" for path in found.strangers]
    if split:
        parts = ", ".join(
            f"{len(split[part])} {part}" for part in ("training", "validation", "test")
        )
        lines.append(f"split by subject, seed {split['seed']}: {parts}")
    return "\n".join(lines)
