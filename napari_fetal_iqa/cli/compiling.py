"""``napari-fetal-iqa models compile``: the graph of a model, for OpenVINO."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import fetal_iqa_models
from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.model_library.library import ModelEntry, ModelLibrary
from napari_fetal_iqa.model_library.wording import fact, plain
from napari_fetal_iqa.model_library.zero_shot import made

if TYPE_CHECKING:
    from fetal_iqa_models import CompiledModel
    from napari_fetal_iqa.analysis.models import ChosenModel
    from napari_fetal_iqa.sweep import SweepVolume


def compile_model(
    model: Annotated[
        str,
        typer.Argument(
            help="Id, at least 4 digits of the hash, folder, or the name of a shipped model."
        ),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(help="Pretrained weights of the encoder, where the model holds none."),
    ] = None,
    precision: Annotated[
        Literal["float32", "bf16", "int8"],
        typer.Option(
            help="int8 takes nncf (pip install nncf); bf16 a processor that has it. Both are kept "
            "only if they agree with float32 on held-out frames."
        ),
    ] = "float32",
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(
            help="Sweep file with abdomens in it, for bf16 and int8; give it for each of some. "
            "Every other one calibrates, the rest is held out; a demo model takes phantoms."
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Compile it although its graph lies ready.")
    ] = False,
) -> None:
    """Compile a model for OpenVINO, which computes without torch; compiling itself takes torch.

    In int8 more and more layers stay in full precision until the graph agrees with float32;
    where none does, float32 stays. Which is the fastest here is measured when it is first used.

    Example: napari-fetal-iqa models compile cls-7f3a --precision int8 --calibrate case_17.mha
    """
    # here, for the other commands need not wait for what these import
    from napari_fetal_iqa.analysis.graphs import find_graph, make_graph

    entry = ModelLibrary().find(made(model))
    if entry.card is None:
        raise ModelError(entry.damaged or "")
    chosen = _chosen(entry, weights)
    ready = None
    if not again:
        try:
            ready = find_graph(chosen)
        except fetal_iqa_models.ModelError:  # damaged: made anew, over what is there
            ready = None
    compiled = ready or make_graph(chosen, weights, echo)
    size = sum(file.stat().st_size for file in compiled.folder.iterdir()) / 1e6
    said = "is compiled already" if ready else "compiled"
    echo(
        f"{entry.id}: {said}, {compiled.compiled.precision}, {size:.1f} MB in "
        f"{plain(str(compiled.folder))}"
    )
    if precision != "float32":
        _reduce(compiled, precision, calibrate or [], entry.id, entry.card.demo)


def _chosen(entry: ModelEntry, weights: Path | None = None) -> "ChosenModel":
    from napari_fetal_iqa.analysis.models import choose_models

    assert entry.card is not None
    scores = entry.card.task == "cls"
    both = choose_models(
        entry.reference if scores else None, None if scores else entry.reference, weights
    )
    chosen = both.cls or both.seg
    assert chosen is not None
    return chosen


def compiled_in_words(entry: ModelEntry) -> Iterator[str]:
    """Say of a model which graphs of it lie ready, and how they did at the gate."""
    from napari_fetal_iqa.analysis.graphs import find_graph, installed
    from napari_fetal_iqa.analysis.precisions import candidates_of, timings

    if not installed("openvino"):
        return
    try:
        reference = find_graph(_chosen(entry))
    except ModelError as error:
        yield fact("compiled", str(error))
        return
    if reference is None:
        yield fact("compiled", "not yet")
        return
    from fetal_iqa_models.compiled.timing import kept_timing

    candidates = candidates_of(reference)
    timing = kept_timing(candidates, timings())
    for one in candidates:
        made = one.compiled
        said = [f"{one.precision} by OpenVINO {made.made_with}"]
        if one.precision == "float32":
            said.append(f"within {made.difference:.1e} of torch")
        if made.gate is not None:
            said.append(made.gate.in_words())
        if made.kept_float:
            said.append(f"layers in full precision: {made.kept_float}")
        if timing is not None:
            said.append(f"{timing.frames_a_second[one.precision]:.1f} frames a second here")
        yield fact("compiled", "; ".join(said))


def _reduce(
    reference: "CompiledModel",
    precision: Literal["bf16", "int8"],
    calibrate: list[Path],
    named: str,
    demo: bool,
) -> None:
    from napari_fetal_iqa.analysis.graphs import kept_graphs
    from napari_fetal_iqa.analysis.reduced_precision import make_reduced, usual_sweeps
    from napari_fetal_iqa.io.read import read_sweep

    if not calibrate and not demo:
        raise AnalysisError(
            f"{named}: {precision} is compared with float32 on frames of yours: give sweeps that "
            "show abdomens, each with --calibrate"
        )
    sweeps: list[SweepVolume] = [read_sweep(path) for path in calibrate] or usual_sweeps()
    kept = make_reduced(reference, precision, sweeps, kept_graphs(), echo)
    if kept is None:
        echo(f"{named}: stays in float32")
    else:
        echo(f"{named}: {precision} is kept")
