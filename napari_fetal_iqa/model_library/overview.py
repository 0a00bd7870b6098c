"""All models of this machine at a glance: what a list of them shows."""

from dataclasses import dataclass, replace
from typing import Self

from fetal_iqa_models.cards import Task, model_id
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.registry import encoder_spec
from napari_fetal_iqa.model_library import zero_shot
from napari_fetal_iqa.model_library.hold_out import IN_WORDS, hold_out, is_worse
from napari_fetal_iqa.model_library.library import ModelEntry, ModelLibrary
from napari_fetal_iqa.model_library.soundness import lacking
from napari_fetal_iqa.model_library.wording import (
    DOES,
    IN_USE,
    fact,
    good_for_words,
    in_words,
    metrics_table,
    plain,
    used_words,
)
from napari_fetal_iqa.storage import paths


@dataclass(frozen=True)
class ModelRow:
    """One model, in words.

    Parameters
    ----------
    id, reference : str
        As :class:`~napari_fetal_iqa.model_library.library.ModelEntry` has them.
    task : {"cls", "seg"} or None
        None where the folder is damaged.
    in_use : bool
    name, figure, parent, licence : str
        For people; empty where there is none.
    problem : str
        Why it cannot be used, in one line; empty where it can.
    worse : str
        How much worse than its parent it is; empty where it is not.
    why_kept : str
        Why it must not be deleted; empty where it may be.
    why_not_sent : str
        Why it cannot be packed into one file; empty where it can.
    details : tuple of str
        All that is known of it, a line each.
    suits : str
        The sweeps for which it is in use where nobody chose it; else empty.
    """

    id: str
    reference: str
    task: Task | None
    in_use: bool
    name: str
    figure: str = ""
    parent: str = ""
    licence: str = ""
    problem: str = ""
    worse: str = ""
    why_kept: str = ""
    why_not_sent: str = ""
    details: tuple[str, ...] = ()
    suits: str = ""

    def used(self, in_use: bool, suits: str = "") -> Self:
        """Return the row of the same model in use, or not; its details say so, too."""
        stale = fact(IN_USE, used_words(self.in_use, self.suits))
        now = fact(IN_USE, used_words(in_use, suits))
        details = tuple(now if line == stale else line for line in self.details)
        return replace(self, in_use=in_use, suits=suits, details=details)


def model_rows(library: ModelLibrary) -> list[ModelRow]:
    """Return a row for each model; reads and hashes all of them, which may take seconds.

    Raises
    ------
    ModelError
        Where the folder of models cannot be read.
    """
    rows = [_row(library, entry) for entry in library.entries()]
    if library.folder == paths.models() and not zero_shot.folder().exists():
        rows.append(_to_be_made())
    return rows


def _to_be_made() -> ModelRow:
    """Return the row of the model that is made when it is first used."""
    problem, spec = zero_shot.why_not() or "", encoder_spec(zero_shot.ENCODER)
    return ModelRow(
        zero_shot.NAME,
        zero_shot.NAME,
        "cls",
        False,
        zero_shot.TITLE,
        licence=spec.licence,
        problem=problem,
        why_kept=f"{zero_shot.NAME}: is not made yet",
        why_not_sent="It is kept nowhere yet: use it once, and it is made",
        details=(
            fact("name", zero_shot.TITLE),
            fact("task", f"cls, {DOES['cls']}"),
            fact("kept", "nowhere yet; made when it is first used"),
            fact("good for", good_for_words(spec)),
            fact("licence", spec.licence),
        ),
    )


def _row(library: ModelLibrary, entry: ModelEntry) -> ModelRow:
    card = entry.card
    kept = library.why_kept(entry) or ""
    if card is None:
        problem = entry.damaged or "damaged"
        return ModelRow(
            entry.id,
            entry.reference,
            None,
            entry.in_use,
            plain(entry.id),
            problem=problem,
            why_kept=kept,
            why_not_sent="A damaged model cannot be sent",
            details=(problem,),
        )
    judged = hold_out(card)
    figure = f"{IN_WORDS[card.task]} {judged.child:.3g}" if judged else ""
    if judged:
        figure += f" (parent {judged.parent:.3g})"
    return ModelRow(
        entry.id,
        entry.reference,
        card.task,
        entry.in_use,
        plain(card.name),
        figure=figure or _tested(card.metrics.get("test"), card.task),
        parent=model_id(card.task, card.parent) if card.parent else "",
        licence=plain(card.licence),
        problem=_lacking(entry),
        worse=is_worse(card) or "",
        why_kept=kept,
        details=(*in_words(entry, card, library.lineage(entry)), *metrics_table(card)),
        suits=entry.suits,
    )


def _lacking(entry: ModelEntry) -> str:
    try:
        lacks = lacking(entry.reference, entry.card) if entry.card else None
    except ModelError as error:  # its graph is damaged
        return str(error)
    return f"{entry.id}: {lacks}" if lacks else ""


def _tested(measured: object, task: Task) -> str:
    """Return the main metric of a model that has no parent, on its own test set."""
    value = measured.get(IN_WORDS[task].lower()) if isinstance(measured, dict) else None
    return f"{IN_WORDS[task]} {value:.3g}, own test" if isinstance(value, float) else ""
