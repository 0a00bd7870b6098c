"""Options of the commands that speak of a case, and what is made of them."""

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.errors import FetalIqaError, StoreError
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.storage import paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_fetal_iqa.corrections import CorrectionStore
    from napari_fetal_iqa.review.reviewed_frames import ReviewedFrames

_DAY = ["%Y-%m-%d"]

Weeks = Annotated[
    str | None,
    typer.Option(help="Gestational age by dates on the day of the examination: 27w3d."),
]
Lmp = Annotated[
    datetime | None,
    typer.Option(formats=_DAY, help="First day of the last menstrual period."),
]
Edd = Annotated[datetime | None, typer.Option(formats=_DAY, help="Expected date of delivery.")]
Examined = Annotated[
    datetime | None,
    typer.Option(formats=_DAY, help="Day of the examination; --lmp and --edd need it."),
]
Chart = Annotated[
    Literal["intergrowth", "hadlock"], typer.Option(help="Growth chart of the circumference.")
]
Reviewer = Annotated[
    str | None, typer.Option(help="Whose corrections count; by default the window's reviewer.")
]
Store = Annotated[
    Path | None,
    typer.Option(help="Corrections store; by default the one that the window uses."),
]


def dating_of(
    weeks: str | None, lmp: datetime | None, edd: datetime | None, examined: datetime | None
) -> Dating | None:
    """Return the age by dates as entered, in one of its ways; None where it is not.

    Raises
    ------
    typer.BadParameter
        Where two ways are given, or they make no age.
    """
    given = [one for one in (weeks, lmp, edd) if one is not None]
    if not given:
        return None
    if len(given) > 1:
        raise typer.BadParameter("give one of --weeks, --lmp and --edd", param_hint="--weeks")
    if weeks is None and examined is None:
        raise typer.BadParameter(
            "needed with --lmp or --edd: the age on that day is what counts",
            param_hint="--examined",
        )
    try:
        if weeks is not None:
            return Dating.from_weeks(weeks)
        assert examined is not None  # checked above
        day: date = examined.date()
        if lmp is not None:
            return Dating.from_lmp(lmp.date(), day)
        assert edd is not None  # one of the three was given
        return Dating.from_edd(edd.date(), day)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def dating_of_case(given: Dating | None, volumes: "Sequence[ReviewedFrames]") -> Dating | None:
    """Return the age by dates of a case: as given, or else as it is kept with the review.

    Where both are there and differ, a line says which counts.

    Raises
    ------
    FetalIqaError
        Where nothing is given and the sweeps of the case are kept with several ages.
    """
    kept = {volume.age for volume in volumes} - {None}
    days = {one.days for one in kept if one is not None}
    if given is not None:
        if days - {given.days}:
            told = ", ".join(sorted(str(one) for one in kept))
            echo(f"age by dates {given}, instead of {told} kept with the review", err=True)
        return given
    if len(days) > 1:
        told = " and ".join(sorted(str(one) for one in kept))
        raise FetalIqaError(
            f"the sweeps of this case are kept with several ages by dates, {told}; say which with "
            "--weeks, or give the sweeps of one examination"
        )
    found = next(iter(kept), None)
    if found is not None:
        echo(f"age by dates {found}, as kept with the review", err=True)
    return found


def opened_store(store: Path | None) -> "CorrectionStore":
    """Open the corrections to read; where there are none by default, an empty store.

    Raises
    ------
    StoreError
        Where the one that was named is not there, or cannot be opened.
    """
    from napari_fetal_iqa.corrections import CorrectionStore

    path = store or paths.default_store()
    if path.exists():
        return CorrectionStore(path, "ro")
    if store is not None:
        raise StoreError(f"{store}: there is no such corrections store")
    return CorrectionStore(path, "memory")


def check_reviewer(
    store: "CorrectionStore", volumes: "list[ReviewedFrames]", reviewer: str
) -> None:
    """Say whose corrections of the case do not count, where the reviewer has none."""
    if any(volume.corrections() for volume in volumes):
        return
    others = sorted({name for one in volumes for name in store.reviewers(one.sweep.identity)})
    if others:
        echo(
            f"{reviewer} corrected nothing here; there are some corrections by "
            f"{', '.join(others)}: choose with --reviewer",
            err=True,
        )
