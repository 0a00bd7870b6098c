"""A model in words: what it is, what it is good for, where it comes from, how well it does."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fetal_iqa_models.built_in import BUILT_IN, BuiltInModel
from fetal_iqa_models.cards import ModelCard
from fetal_iqa_models.errors import ModelError, printable
from fetal_iqa_models.registry import EncoderSpec, encoder_spec
from napari_fetal_iqa.model_library.hold_out import is_worse
from napari_fetal_iqa.model_library.library import ModelEntry
from napari_fetal_iqa.model_library.shipped_weights import built_in_with
from napari_fetal_iqa.storage.settings import AUTOMATIC

_SIDES = {
    "hold_out": "On the hold-out",
    "reference": "On the reference",
    "corrections": "On the corrections it learnt from",
    "validation": "On the validation set",
    "test": "On the test set",
}
DOES = {"cls": "scores the quality of frames", "seg": "outlines the abdomen"}
IN_USE = "in use"

_LONGEST_TEXT = 500  # a card may have a megabyte of them


def good_for(card: ModelCard, reference: str = "") -> str:
    """Say in one line which frames a model knows, and what it must not be used for."""
    if built_in := _built_in(card, reference):
        return built_in.good_for
    if card.prompts_sha256 is not None and card.parent is None:
        try:
            return good_for_words(encoder_spec(card.encoder))
        except ModelError:
            pass
    if card.demo:
        return "simulated sweeps (phantoms), to try the program; not for clinical use"
    frames = card.training.get("frames")
    known = f"frames like the {frames} that it learnt from" if isinstance(frames, int) else ""
    known = known or "frames like those that it learnt from, which its card does not count"
    if "imported" in card.training:
        known = "frames like those that somebody trained it on, which its file does not say"
    try:
        spec = encoder_spec(card.encoder)
    except ModelError:
        return known
    restricted = spec.restricted and card.encoder_weights is not None
    return f"{known}; its encoder is {spec.terms}" if restricted else known


def _limits(card: ModelCard, reference: str) -> dict[str, str]:
    built_in = _built_in(card, reference)
    return {"limits": built_in.limits} if built_in and built_in.limits else {}


def _built_in(card: ModelCard, reference: str) -> BuiltInModel | None:
    if reference in BUILT_IN or not reference:
        return BUILT_IN.get(reference)
    try:
        return built_in_with(Path(reference), card)
    except (ModelError, OSError):  # what is wrong with the folder is said by whoever opens it
        return None


def good_for_words(spec: EncoderSpec) -> str:
    """Say what a model is good for that was made of words."""
    said = (
        "what its prompts describe, as far as its encoder knows such frames; learnt from none of "
        "yours, not validated, not for clinical use"
    )
    return f"{said}; its encoder is {spec.terms}" if spec.restricted else said


def in_words(entry: ModelEntry, card: ModelCard, line: Sequence[ModelEntry | str]) -> Iterator[str]:
    """Write the facts of a model, a line each.

    Parameters
    ----------
    entry : ModelEntry
    card : ModelCard
        That of the entry.
    line : sequence of ModelEntry or str
        Its lineage, from itself to the oldest.
    """
    facts = {
        "name": plain(card.name),
        "id": entry.id,
        "hash": entry.hash,
        "task": f"{card.task}, {DOES[card.task]}",
        IN_USE: used_words(entry.in_use, entry.suits),
        "kept": "comes with the program" if entry.shipped else plain(entry.reference),
        "encoder": f"{plain(card.encoder)}, {card.image_size} x {card.image_size} pixels",
        "adapter": f"LoRA of rank {card.lora.rank}" if card.lora else "none",
        "good for": good_for(card, entry.reference),
        **_limits(card, entry.reference),
        **_tells_apart(card),
        "licence": plain(card.licence),
        "made from": " < ".join(map(_ancestor, line[1:])) or "no other model",
        "data": f"sha256 {card.training_data[:12]}…" if card.training_data else "not recorded",
        "made with": f"napari-fetal-iqa {plain(card.tool_version) or 'of unknown version'}",
    }
    for name, text in facts.items():
        yield fact(name, text)
    if teacher := _group(card.training, "teacher"):
        named, digest, its_id = (plain(str(teacher.get(key))) for key in ("name", "hash", "id"))
        yield fact("student of", f"{its_id} ({named}), hash {digest[:12]}…")
    if imported := _group(card.training, "imported"):
        file, made_by = (plain(str(imported.get(key))) for key in ("file", "made_by"))
        yield fact("imported", f"{file} of {made_by}; somebody's own training")
    if card.demo:
        yield "A demo model, trained on phantoms only: not for clinical use."
    if worse := is_worse(card):
        yield f"It is {worse}."


def used_words(in_use: bool, suits: str) -> str:
    """Say whether a model is in use, and for which sweeps where nobody chose it."""
    if suits:
        return f"yes, {AUTOMATIC}: for {suits}"
    return "yes" if in_use else "no"


def _tells_apart(card: ModelCard) -> dict[str, str]:
    if card.classes is None:
        return {}
    named = [plain(one.name) + (" (the quality)" if one.target else "") for one in card.classes]
    return {"tells apart": ", ".join(named)}


def fact(name: str, text: str) -> str:
    """Write one fact of a model as a line."""
    return f"{name + ':':11} {text}"


def _ancestor(known: ModelEntry | str) -> str:
    if isinstance(known, str) or known.card is None:
        return str(known)
    return f"{known.id} ({plain(known.card.name)})"


def metrics_table(card: ModelCard) -> Iterator[str]:
    """Write what was measured as a table: of parent and child, or of a model without parent."""
    parent, child = (_group(card.metrics, whose) for whose in ("parent", "child"))
    for side, where in _SIDES.items():
        columns = {"before": _group(parent, side), "after": _group(child, side)}
        if not any(columns.values()):
            columns = {"": _group(card.metrics, side)}
        names = dict.fromkeys(name for metrics in columns.values() for name in metrics)
        numbers = {
            name: [_number(metrics.get(name)) for metrics in columns.values()] for name in names
        }
        shown = {name: row for name, row in numbers.items() if any(row)}
        if shown:
            heads = "".join(f"{column:>10}" for column in columns)
            yield ""
            yield f"{where + ':':36}{heads}".rstrip()
            for name, row in shown.items():
                yield f"    {plain(name):32}" + "".join(f"{cell or '-':>10}" for cell in row)


def _group(metrics: dict[str, Any], name: str) -> dict[str, Any]:
    found = metrics.get(name)
    return found if isinstance(found, dict) else {}


def _number(value: object) -> str:
    """Write a number; nothing for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def plain(text: str) -> str:
    """Return a text from a card, which may be a stranger's, in one line that moves no cursor."""
    line = " ".join(printable(text[:_LONGEST_TEXT]).split())
    return line if len(text) <= _LONGEST_TEXT else f"{line}…"
