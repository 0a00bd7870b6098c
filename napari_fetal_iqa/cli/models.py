"""``napari-fetal-iqa models``: the models on this machine, and which of them are in use."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fetal_iqa_models import model_id
from fetal_iqa_models.cards import Task
from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.cli.compiling import compile_model, compiled_in_words
from napari_fetal_iqa.cli.terminal import echo, to_reader
from napari_fetal_iqa.cli.zero_shot import make_zero_shot
from napari_fetal_iqa.model_library import zero_shot
from napari_fetal_iqa.model_library.adding import add_model
from napari_fetal_iqa.model_library.automatic import automatic_words
from napari_fetal_iqa.model_library.graphs import find_graph
from napari_fetal_iqa.model_library.hold_out import IN_WORDS, hold_out, is_worse
from napari_fetal_iqa.model_library.importing import import_checkpoint
from napari_fetal_iqa.model_library.in_use import FOR, TASKS, reference_in_use
from napari_fetal_iqa.model_library.library import ModelEntry, ModelLibrary
from napari_fetal_iqa.model_library.packing import pack_model
from napari_fetal_iqa.model_library.soundness import check_usable, load_whole
from napari_fetal_iqa.model_library.wording import good_for, in_words, metrics_table, plain
from napari_fetal_iqa.model_library.zero_shot import made
from napari_fetal_iqa.storage.settings import AUTOMATIC

app = typer.Typer(
    help="Models on this machine: list them, use them, go back, delete, send and receive them.",
    no_args_is_help=True,
)

app.command("zero-shot")(make_zero_shot)
app.command("compile")(compile_model)

Model = Annotated[
    str,
    typer.Argument(
        help="Id, at least 4 digits of the hash, folder, or the name of a shipped model."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]

_LONGEST_NAME = 40
_TASKS = "cls scores frames, seg outlines the abdomen."
_REOPEN = "close and reopen the window if it is open"


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List which models are here, which are in use (*), and how they did on the hold-out.

    Where none was chosen for a task, each sweep has the built-in one that suits it: automatic.

    The metric is F1 of a CLS model and Dice of a SEG model, with that of its parent.

    Example: napari-fetal-iqa models list
    """
    entries = ModelLibrary().entries()
    if as_json:
        typer.echo(json.dumps([_facts(entry) for entry in entries], indent=2))
        return
    header = ("", "id", "name", "parent", "hold-out", "")
    for line in _aligned([header, *map(_row, entries)]):
        echo(line)
    for task in TASKS:
        if reference_in_use(task) == AUTOMATIC:
            echo(f"in use for {task}: {automatic_words(task)}")
    if not zero_shot.folder().exists():
        when = "made when it is first used"
        if zero_shot.weights_here() is None:
            when = f"weights fetch {zero_shot.ENCODER} first"
        echo(f"   {zero_shot.NAME}  {zero_shot.TITLE}: {when}")


@app.command()
def show(model: Model, as_json: AsJson = False) -> None:
    """Show what a model is, whose child it is, and how it did before and after it learnt.

    Example: napari-fetal-iqa models show cls-7f3a
    """
    if model == AUTOMATIC:
        for task in TASKS:
            echo(f"{task}: {automatic_words(task)}")
        return
    library = ModelLibrary()
    entry = library.find(made(model))
    line = library.lineage(entry)
    if as_json:
        card = None if entry.card is None else entry.card.model_dump(mode="json")
        lineage = [known if isinstance(known, str) else known.hash for known in line]
        typer.echo(json.dumps({**_facts(entry), "lineage": lineage, "card": card}, indent=2))
    elif entry.card is None:
        raise ModelError(entry.damaged or "")
    else:
        facts = in_words(entry, entry.card, line)
        for text in (*facts, *compiled_in_words(entry), *metrics_table(entry.card)):
            echo(text)


@app.command()
def use(
    model: Annotated[
        str,
        typer.Argument(
            help="Id, at least 4 digits of the hash, folder, or the name of a shipped model; "
            "automatic for the one that suits each sweep."
        ),
    ],
    although_worse: Annotated[
        bool,
        typer.Option(
            "--although-worse", help="You know that it is worse on the hold-out than its parent."
        ),
    ] = False,
    task: Annotated[
        Task | None, typer.Option(help="With automatic: for this task alone.", show_default=False)
    ] = None,
) -> None:
    """Take a model into use for its task: in the window from its next start, and in analyse.

    Example: napari-fetal-iqa models use cls-7f3a
    """
    library = ModelLibrary()
    if model == AUTOMATIC:
        for one in (task,) if task else TASKS:
            library.use_automatic(one)
            _report_automatic(one)
        return
    if task is not None:
        raise typer.BadParameter("goes with automatic: a model has its task", param_hint="--task")
    entry = library.find(made(model))
    check_usable(entry.reference)
    if not entry.shipped:
        load_whole(entry.reference)
    note = library.use(entry, although_worse)
    _report(entry)
    if note:
        echo(f"{entry.id}: {note}")


@app.command()
def rollback(
    task: Annotated[Task, typer.Argument(help=_TASKS)],
) -> None:
    """Go back to the model that was in use before; once more goes one step further.

    Example: napari-fetal-iqa models rollback cls
    """
    entry = ModelLibrary().rollback(task)
    if entry.automatic:
        _report_automatic(task)
    else:
        _report(entry)


@app.command("use-none")
def use_none(
    task: Annotated[Task, typer.Argument(help=_TASKS)],
) -> None:
    """Have no model in use for a task; rollback undoes that.

    Example: napari-fetal-iqa models use-none cls
    """
    ModelLibrary().use_none(task)
    echo(
        to_reader(
            f"no model is in use for {task}; {_REOPEN}",
            f"No model is in use for the {FOR[task]} now",
        )
    )


@app.command()
def pack(
    model: Model,
    file: Annotated[Path, typer.Argument(help="File to write; it must not exist yet.")],
    graph: Annotated[
        bool | None,
        typer.Option(
            "--graph/--no-graph",
            help="With its graph, by which it computes where there is no torch. By default where "
            "the graph holds no published weights, which have their own licence.",
        ),
    ] = None,
) -> None:
    """Write a model into one file, to be sent to a colleague, who gives it to models add.

    Its licence, its figures, its graph and which model it was made from travel with it; names of
    people, folders and machines do not. Pretrained weights that are published stay out.

    Example: napari-fetal-iqa models pack cls-7f3a cls-7f3a.zip
    """
    entry = ModelLibrary().find(made(model))
    if entry.card is None:
        raise ModelError(entry.damaged or "")
    own = entry.card.encoder_weights == "own"
    compiled = find_graph(entry.reference) if (own if graph is None else graph) else None
    if graph and compiled is None:
        raise ModelError(f"{entry.id}: not compiled; napari-fetal-iqa models compile {model} first")
    written = pack_model(entry.reference, file, compiled.folder if compiled else None)
    size = written.stat().st_size / 1e6
    echo(f"{entry.id}: packed into {written} ({size:.1f} MB), licence {plain(entry.card.licence)}")
    if compiled is not None:
        echo("With its graph: it computes where there is no torch, too")
    elif own and graph is None:
        echo("Without its graph: it is not compiled; napari-fetal-iqa models compile does that")
    if not own:
        echo(f"Whoever adds it needs the pretrained weights of {plain(entry.card.encoder)}, too")


@app.command()
def add(
    file: Annotated[
        Path,
        typer.Argument(
            help="What models pack wrote; a zip archive of a model folder; or such a folder."
        ),
    ],
) -> None:
    """Check a model that somebody sent, and keep it; models use takes it into use.

    Nothing in the file is run, and nothing but the files of a model is unpacked.

    Example: napari-fetal-iqa models add cls-7f3a.zip
    """
    added = add_model(ModelLibrary(), file, load_whole)
    entry = added.entry
    if entry.card is None:
        raise ModelError(entry.damaged or "")
    what = "is here already" if added.was_here else "added"
    echo(f"{entry.id} ({entry.hash[:12]}, {plain(entry.card.name)}): {what}")
    echo(f"licence {plain(entry.card.licence)}")
    if entry.card.demo:
        echo("A demo model, trained on phantoms only: not for clinical use.")
    if added.lacking:
        echo(f"It {added.lacking}")


@app.command("import")
def import_(
    checkpoint: Annotated[
        Path,
        typer.Argument(help="Lightning's .ckpt of a training with the published code."),
    ],
    task: Annotated[Task, typer.Option(help=f"What was trained: {_TASKS}", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder to make of it, which must not exist; by default among the models here.",
        ),
    ] = None,
    encoder: Annotated[
        str, typer.Option(help="Of FetalCLIP's architecture, with the checkpoint's sizes.")
    ] = "fetalclip",
    alpha: Annotated[
        int | None,
        typer.Option(
            min=1, help="Of its LoRA, which is not in the file: 16 as published for a rank of 8."
        ),
    ] = None,
) -> None:
    """Make a model of a checkpoint that was trained with the published FetalCLIP-IQA code.

    It predicts what the published network predicts: with its own decoder (seg), and frames resized
    as there. Nothing in the file is run, and it must hold the network tensor by tensor. Fetch
    FetalCLIP's weights before: where the checkpoint was trained on them the model takes 9 MB (cls)
    or 16 MB (seg), else it keeps its whole encoder, 1.2 GB. FetalCLIP's licence allows no
    commercial use, and holds for the model, too.

    Example: napari-fetal-iqa models import trial-0/epoch=4-step=12345.ckpt --task cls
    """
    imported = import_checkpoint(
        ModelLibrary(), checkpoint, task, out=out, encoder=encoder, alpha=alpha
    )
    entry = imported.entry
    if entry.card is None:
        raise ModelError(entry.damaged or "")
    what = "is here already" if imported.was_here else "imported"
    echo(f"{entry.id} ({entry.hash[:12]}, {plain(entry.card.name)}): {what}")
    echo(f"Kept as {plain(entry.reference)}")
    echo(f"{good_for(entry.card)}; licence {plain(entry.card.licence)}")
    for note in imported.notes:
        echo(f"Note: {plain(note)}")
    named = entry.id if out is None else str(out)
    echo(f"Take it into use: napari-fetal-iqa models use {plain(named)}")


@app.command()
def delete(
    model: Model,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a model for good; never one in use, nor one that one in use was made from.

    Example: napari-fetal-iqa models delete cls-7f3a
    """
    library = ModelLibrary()
    entry = library.find(model)
    if reason := library.why_kept(entry):
        raise ModelError(reason)
    if not yes:
        if not sys.stdin.isatty():
            said = f"{entry.id}: not deleted, as nobody can confirm it"
            raise ModelError(f"{said}; give --yes", said)
        typer.confirm(f"Delete {entry.id} ({plain(entry.reference)}) for good?", abort=True)
    library.delete(entry)
    echo(f"{entry.id}: deleted")


def _report(entry: ModelEntry) -> None:
    if entry.card is not None:
        task, name = entry.card.task, plain(entry.card.name)
        echo(
            to_reader(
                f"{entry.id} ({entry.hash[:12]}, {name}) is in use for {task}; {_REOPEN}",
                f"{entry.id} ({name}) is in use for the {FOR[task]} now",
            )
        )


def _report_automatic(task: Task) -> None:
    said = automatic_words(task)
    echo(
        to_reader(
            f"{said} is in use for {task}; {_REOPEN}", f"In use for the {FOR[task]} now: {said}"
        )
    )


def _facts(entry: ModelEntry) -> dict[str, Any]:
    card = entry.card
    judged = None if card is None else hold_out(card)
    return {
        "id": entry.id,
        "hash": entry.hash or None,
        "reference": entry.reference,
        "in_use": entry.in_use,
        "automatic": entry.suits or None,
        "damaged": entry.damaged,
        "task": card and card.task,
        "name": card and card.name,
        "demo": card and card.demo,
        "parent": card and card.parent,
        "hold_out": judged and judged._asdict(),
        "worse": card and is_worse(card),
    }


def _row(entry: ModelEntry) -> tuple[str, ...]:
    mark = "*" if entry.in_use else ""
    card = entry.card
    if card is None:
        return (mark, plain(entry.id), f"damaged: {entry.damaged}", "", "", "")
    name = plain(card.name)
    short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    parent = model_id(card.task, card.parent) if card.parent else "-"
    judged = hold_out(card)
    metric = "-"
    if judged:
        metric = f"{IN_WORDS[card.task]} {judged.child:.4g} (parent {judged.parent:.4g})"
    return (mark, entry.id, short, parent, metric, "demo" if card.demo else "")


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Pad the columns; the note on a damaged folder may run over those beside it."""
    whole = [row for row in rows if row[-2]]
    widths = [max(len(row[column]) for row in whole) for column in range(len(rows[0]))]
    widths[0], widths[1] = 1, max(len(row[1]) for row in rows)
    for row in rows:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
