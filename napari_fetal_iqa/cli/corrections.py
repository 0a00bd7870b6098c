"""``napari-fetal-iqa corrections``: experts' corrections, counted, checked, exported and merged."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_fetal_iqa.cli.terminal import echo, to_reader
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.corrections.agreement import Agreement
from napari_fetal_iqa.corrections.export_request import ExportRequest, written_line
from napari_fetal_iqa.corrections.integrity import check_store
from napari_fetal_iqa.corrections.integrity import repair as repair_store
from napari_fetal_iqa.corrections.merge import merge as merge_stores
from napari_fetal_iqa.corrections.rescued import look_for_rescued
from napari_fetal_iqa.corrections.statistics import ReviewerCounts, overview
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.errors import FetalIqaError, StoreError
from napari_fetal_iqa.fields import help_of
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.storage import paths

if TYPE_CHECKING:
    from napari_fetal_iqa.corrections.export import ExportedCase

app = typer.Typer(
    help="The experts' corrections: list, check and export them, merge two stores.",
    no_args_is_help=True,
)

Store = Annotated[
    Path | None, typer.Option(help="Corrections store; by default the one that the window uses.")
]


@app.command("list")
def list_corrections(
    store: Store = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for other programs.")
    ] = False,
) -> None:
    """List who corrected how much of which sweep, and how far two reviewers agree.

    Kappa is Cohen's, of the labels; Dice is the mean overlap of the outlines. Two differ on
    a frame where their labels do, or where the Dice of their outlines is below 0.8.

    Example: napari-fetal-iqa corrections list
    """
    _tell_rescued(store or paths.default_store())
    path = _existing(store)
    with CorrectionStore(path, "rw") as opened:
        sweeps = overview(opened)
    if as_json:
        found = [{"name": _name(sweep.identity), **asdict(sweep)} for sweep in sweeps]
        typer.echo(json.dumps(found, indent=2))
        return
    if not sweeps:
        echo(f"{path}: no corrections yet; open a sweep in the window and correct a frame")
    for sweep in sweeps:
        name = _name(sweep.identity) or "not seen on this machine"
        echo(f"{shown(name)}  {shown(sweep.identity[:8])}  {counted(sweep.frames, 'frame')}")
        for line in [
            *map(_counts_in_words, sweep.reviewers),
            *map(_agreement_in_words, sweep.agreements),
        ] or ["no corrections yet"]:
            echo(f"    {shown(line)}")


@app.command()
def subject(
    sweeps: Annotated[
        list[str] | None,
        typer.Argument(help="Sweeps: their files, or 8 digits of their identity or more."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--subject", help="Whose sweeps they are; kept as a salted hash alone."),
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="It is not known any more.")] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="Read whose each sweep is from a folder in the layout of ACOUSLIC-AI."),
    ] = None,
    store: Store = None,
) -> None:
    """Say whose sweeps these are, so that no subject both trains and judges a model.

    Example: napari-fetal-iqa corrections subject first.mha second.mha --subject P-0012

    Example: napari-fetal-iqa corrections subject --data acouslic
    """
    from napari_fetal_iqa.corrections.subject_sources import identity_of, subjects_of_folder

    said = bool(sweeps) and (name is not None) != forget
    if said == (data is not None) or (data is not None and (sweeps or name or forget)):
        raise typer.BadParameter(
            "expected sweeps with --subject or --forget, or --data alone", param_hint="SWEEPS"
        )
    found: dict[str, str | None]
    with CorrectionStore(_existing(store), "rw") as opened:
        if data is not None:
            found = {**subjects_of_folder(data, {one.identity for one in opened.sweeps()})}
        else:
            found = {identity_of(sweep, opened): name for sweep in sweeps or ()}
        for identity, whose in found.items():
            opened.set_subject(identity, whose)
        known, sweeps_here = len(opened.subjects()), len(opened.sweeps())
    echo(f"{opened.path}: the subjects of {known} of {sweeps_here} sweeps are known")


@app.command()
def check(
    store: Store = None,
    repair: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Write all that is sound into this new store; the damaged one stays as it is.",
        ),
    ] = None,
) -> None:
    """Read all of a store, down to the last mask, and name what is damaged.

    What is damaged is passed over by everything else, so that it takes nothing else with it.

    Example: napari-fetal-iqa corrections check
    """
    _tell_rescued(store or paths.default_store())
    path = _existing(store)
    if repair is not None:
        saved = repair_store(path, repair)
        for problem in saved.problems:
            echo(shown(problem))
        echo(
            f"{shown(repair)}: {saved.events} events of {saved.sweeps} sweeps saved, "
            f"problems left out: {len(saved.problems)}"
        )
        return
    found = check_store(path)
    for problem in found.problems:
        echo(shown(problem))
    if found.problems:
        raise StoreError(
            f"{path}: damaged, problems: {len(found.problems)}; use a backup, or save what is "
            "sound with --repair OUT"
        )
    echo(f"ok: {found.events} events of {found.sweeps} sweeps")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help=help_of(ExportRequest, "folder"))],
    store: Store = None,
    reviewer: Annotated[str | None, typer.Option(help=help_of(ExportRequest, "reviewer"))] = None,
    sweeps: Annotated[
        list[Path] | None,
        typer.Option(help=f"{help_of(ExportRequest, 'sweeps')} May be given several times."),
    ] = None,
) -> None:
    """Write the corrected sweeps as a data set in the ACOUSLIC-AI layout, to train on or share.

    Masks hold 1 where the frame is labelled optimal, else 2. Only outlines get into the masks:
    who reads the layout takes every other frame of an outlined sweep for one without an abdomen,
    so correct sweeps to the end before you export them. Where several reviewers spoke of a frame,
    the label of most of them counts, as in fine-tuning. Free calipers, which belong to no label,
    become the table free_calipers.csv, and the six criteria of the plane plane_criteria.csv. Cases
    are named by their content; look for names that are burnt into the frames yourself.

    Example: napari-fetal-iqa corrections export my-data --sweeps archive
    """
    # takes half a second
    from napari_fetal_iqa.corrections.caliper_table import CALIPER_TABLE, write_caliper_table
    from napari_fetal_iqa.corrections.corrected_sweeps import gather_corrections
    from napari_fetal_iqa.corrections.criteria_table import CRITERIA_TABLE, write_criteria_table
    from napari_fetal_iqa.corrections.export import export_case
    from napari_fetal_iqa.corrections.sweep_finder import SweepFinder

    path = _existing(store)
    finder = SweepFinder(sweeps or ())
    failed = []
    with CorrectionStore(path, "rw") as opened:
        _check_speaks(opened, reviewer)
        gathered = gather_corrections([opened], reviewer)
        if calipers := write_caliper_table(folder, opened, reviewer):
            said = f"{CALIPER_TABLE}: {counted(calipers, 'free caliper')}"
            echo(to_reader(said, written_line(calipers, "free caliper")))
        if judged := write_criteria_table(folder, opened, reviewer):
            said = f"{CRITERIA_TABLE}: {counted(judged, 'judged frame')}"
            echo(to_reader(said, written_line(judged, "judged frame")))
        if not gathered and not calipers and not judged:
            raise StoreError(f"{path}: no corrections to export; correct some frames first")
        for corrected in gathered:
            try:
                done = export_case(folder, corrected, finder.find(corrected.record))
            except FetalIqaError as error:
                failed.append(corrected.record.identity[:8])
                said = to_reader(str(error), error.in_window)
                echo(f"napari-fetal-iqa: {said}", err=True)
                continue
            in_mm = ", ".join("-" if ac is None else f"{ac:.1f}" for ac in done.case.ac_mm)
            said = (
                f"{done.case.uuid}: {done.optimal} optimal and {done.suboptimal} suboptimal "
                f"frames outlined, AC by sweep in mm: {in_mm}"
            )
            echo(to_reader(said, written_line(1, "sweep")))
            for warning in _warnings(done):
                echo(f"napari-fetal-iqa: {done.case.uuid}: {warning}", err=True)
    if failed:
        raise FetalIqaError(
            f"{len(failed)} of {len(gathered)} sweeps could not be exported: {', '.join(failed)}"
        )


@app.command()
def merge(
    other: Annotated[Path, typer.Argument(help="Corrections store to take over; never changed.")],
    store: Annotated[
        Path | None,
        typer.Option(help="Store that grows; made where there is none. By default the window's."),
    ] = None,
) -> None:
    """Take over all events of another store; what is here already stays as it is.

    Close the window before, so that it shows what is new. Merging twice does no harm.

    Example: napari-fetal-iqa corrections merge from_room_2.sqlite
    """
    if not other.is_file():
        raise StoreError(f"{other}: there is no corrections store; check the path")
    with CorrectionStore(store or paths.default_store()) as opened:
        done = merge_stores(opened, other)
        echo(
            f"{opened.path}: {counted(done.events, 'new event')} and "
            f"{counted(done.sweeps, 'new sweep')} from {other}, here already: "
            f"{counted(done.known, 'event')}"
        )
        if done.reviewed:
            echo(f"sweeps marked as fully reviewed there, and now here as well: {done.reviewed}")
        if done.other_ages:
            names = ", ".join(shown(name[:8]) for name in done.other_ages[:8])
            more = ", ..." if len(done.other_ages) > 8 else ""
            echo(
                "sweeps whose age by dates differs there, and stays as it is here: "
                f"{len(done.other_ages)} ({names}{more})"
            )
        if done.other_bounds:
            names = ", ".join(shown(name[:8]) for name in done.other_bounds[:8])
            more = ", ..." if len(done.other_bounds) > 8 else ""
            echo(
                "sweeps whose bounds differ there, and stay as they are here: "
                f"{len(done.other_bounds)} ({names}{more})"
            )


def _existing(store: Path | None) -> Path:
    path = store or paths.default_store()
    if not path.exists():
        raise StoreError(
            f"{path}: there is no corrections store yet; correct a frame in the window, or give "
            "the path of another store"
        )
    return path


def _tell_rescued(store: Path) -> None:
    """Name what earlier sessions could not write, and its way into the store."""
    for one in look_for_rescued(store):
        if one.problem:
            echo(f"rescued by the window, but unreadable: {one.problem}", err=True)
        elif one.corrections:
            echo(
                f"{counted(one.corrections, 'correction')} of an earlier session not in the store "
                f"yet: napari-fetal-iqa corrections merge {one.path}",
                err=True,
            )


def _check_speaks(store: CorrectionStore, reviewer: str | None) -> None:
    names = store.reviewers()
    if reviewer is not None and reviewer not in names:
        known = ", ".join(names) or "nobody"
        raise StoreError(f"{store.path}: {reviewer!r} corrected nothing; who did: {known}")


def _warnings(done: "ExportedCase") -> Iterator[str]:
    if done.not_outlined:
        one = done.not_outlined == 1
        yield (
            f"{'1 frame is' if one else f'{done.not_outlined} frames are'} labelled as an abdomen "
            f"but not outlined, and will pass for {'one' if one else 'frames'} without an abdomen"
        )
    if not any(done.case.ac_mm):
        yield "nothing could be measured, so programs that go by the table leave the case out"


def _name(identity: str) -> str | None:
    """Name of the file that held a sweep when it was last opened on this machine."""
    place = paths.known_location(identity)
    return None if place is None else place.name


def _counts_in_words(counts: ReviewerCounts) -> str:
    free = f"{counted(counts.calipers, 'free caliper')}, " if counts.calipers else ""
    free += f"criteria judged on {counted(counts.judged, 'frame')}, " if counts.judged else ""
    return (
        f"{counts.reviewer}: {counted(counts.labelled, 'frame')} labelled "
        f"({counts.optimal} optimal, {counts.suboptimal} suboptimal, {counts.none} none), "
        f"{counted(counts.masks, 'mask')}, {counts.accepted} accepted, {free}"
        f"last {counts.last[:16].replace('T', ' ')} UTC"
    )


def _agreement_in_words(found: Agreement) -> str:
    parts = []
    if found.labelled:
        kappa = "not defined" if found.kappa is None else f"{found.kappa:.2f}"
        parts.append(f"kappa {kappa} on {counted(found.labelled, 'frame')}")
    if found.dice is not None:
        parts.append(f"Dice {found.dice:.2f} on {counted(found.outlined, 'outline')}")
    parts += [
        f"{one.criterion.words.lower()}: {one.same} of {one.judged} alike"
        + ("" if one.kappa is None else f", kappa {one.kappa:.2f}")
        for one in found.criteria
    ]
    if found.disagreements:
        parts.append(f"differ on frames {_ranges(found.disagreements)}")
    return f"{' and '.join(found.reviewers)}: {', '.join(parts)}"


def _ranges(frames: Iterable[int]) -> str:
    """Write frame numbers in order as ``analyse --frames`` reads them: 3,17,40-60."""
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
