"""The tables and the picture of ``loop_on_real_images.py``, from the runs that are there."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from napari_fetal_iqa import colours

Results = Sequence[Mapping]

BEGIN, END = "<!-- tables: written by the command -->", "<!-- end of the tables -->"
POLICIES = ("suggested", "random", "with others")
COLUMNS = (
    ("judge_dice", "Dice"),
    ("judge_error_percent", "circumference error, %"),
    ("judge_not_measured", "without an outline"),
    ("judge_none", "other planes left empty"),
    ("known_dice", "Dice, held-back abdomens"),
    ("known_none", "held-back other planes left empty"),
)
PANELS = (
    ("judge_dice", "Dice"),
    ("judge_error_percent", "circumference error, %"),
    ("known_dice", "Dice, held-back abdomens"),
    ("known_none", "held-back other planes left empty"),
)
SHARES = ("judge_none", "known_none")


def groups(results: Results) -> list[tuple[str, str]]:
    """Return the pairs of organ and start that were run, abdomens and demo models first."""
    return sorted({(one["organ"], one["start"]) for one in results})


def of_policy(results: Results, organ: str, start: str, policy: str) -> dict[int, list[Mapping]]:
    """Return runs by the number of images; the start itself and the whole pool are everybody's."""
    counts: dict[int, list[Mapping]] = {}
    for one in (one for one in results if "refused" not in one):
        policies = (policy,) if policy == "with others" else (policy, "whole")
        if (one["organ"], one["start"]) == (organ, start) and one["policy"] in (*policies, "base"):
            counts.setdefault(one["count"], []).append(one)
    its_own = any(one["policy"] == policy for runs in counts.values() for one in runs)
    return dict(sorted(counts.items())) if its_own else {}


def values(runs: Sequence[Mapping], key: str) -> list[float]:
    """Return a figure of each run that has it."""
    return [one[key] for one in runs if one.get(key) is not None]


def cell(runs: Sequence[Mapping], key: str) -> str:
    """Write the mean of some runs, with the least and the largest."""
    found = values(runs, key)
    if not found:
        return ""
    digits = 2 if key.endswith("dice") else 1 if key.endswith("percent") else 0
    if key in SHARES:
        found = [100 * value for value in found]
    unit = " %" if key in SHARES else ""
    mean = f"{statistics.mean(found):.{digits}f}{unit}"
    low, high = (f"{end:.{digits}f}" for end in (min(found), max(found)))
    return mean if low == high else f"{mean} ({low} to {high})"


def tables(results: Results, abouts: Mapping[str, Mapping]) -> list[str]:
    """Write a table of each start on each organ."""
    lines = []
    for organ, start in groups(results):
        about = abouts[organ]
        images, subjects = about["images"], about["subjects"]
        lines += [f"### {organ.capitalize()}, from `{start}`", ""]
        whose = f"of {about['machine']}" if organ == "abdomens" else "of HC18"
        base = next(
            one["base"]
            for one in results
            if (one["organ"], one["start"], one["policy"]) == (organ, start, "base")
        )
        beside = f", beside {images['judge_others']} other planes" if images["judge_others"] else ""
        lines += [
            f"{images['pool']} {organ} {whose} to correct, of as many subjects; {images['judge']} "
            f"of {subjects['judge']} others judge{beside}. {images['known']} abdomens of "
            f"{subjects['known']} held-back subjects and {images['known_others']} other planes "
            f"tell what is forgotten. The hash of the start begins with {base[:16]}.",
            "",
        ]
        shown = [
            (key, words)
            for key, words in COLUMNS
            if any(key in one for one in results if one["organ"] == organ)
        ]
        lines.append(f"| corrected | order | runs | {' | '.join(w for _, w in shown)} |")
        lines.append("|---" * (len(shown) + 3) + "|")
        for count, policy, runs in rows(results, organ, start):
            done = [one for one in runs if "refused" not in one]
            how_many = "" if not count else str(len(done))
            how_many += f", {len(runs) - len(done)} refused" if len(done) < len(runs) else ""
            cells = " | ".join(cell(done, key) for key, _ in shown)
            lines.append(f"| {count} | {policy} | {how_many} | {cells} |")
        mine = [one for one in results if (one["organ"], one["start"]) == (organ, start)]
        phantoms = [one["phantoms"] for one in mine if "phantoms" in one]
        learnt = {
            f"{one['command'].removeprefix('fetal-iqa-train ')} --precision {one['precision']}"
            for one in mine
            if "command" in one
        }
        lines += [
            line for words in sorted(learnt) for line in ("", f"By `fetal-iqa-train {words}`.")
        ]
        refusals = sorted({one["refused"] for one in mine if "refused" in one})
        lines += [line for words in refusals for line in ("", f"Refused: {words}.")]
        known = [(p["parent"], p["child"]) for p in phantoms if p["child"] is not None]
        if known:
            before, least, most = known[0][0], *(f(child for _, child in known) for f in (min, max))
            lines += ["", f"Dice on the phantoms that it knew: {before:.2f} before, "
                      f"{least:.2f} to {most:.2f} after."]  # fmt: skip
        lines.append("")
    return lines


def rows(results: Results, organ: str, start: str) -> list[tuple[int, str, list[Mapping]]]:
    """Return the rows of a table: number of images, order, runs."""
    mine = [one for one in results if (one["organ"], one["start"]) == (organ, start)]
    words = {"base": "", "whole": "all of them", "with others": "random, and as many other planes"}
    order = ("base", "suggested", "random", "whole", "with others")
    found = sorted({(one["count"], order.index(one["policy"])) for one in mine})
    return [
        (count, words.get(order[place], order[place]),
         [one for one in mine if (one["count"], one["policy"]) == (count, order[place])])
        for count, place in found
    ]  # fmt: skip


def missing(results: Results) -> list[str]:
    """Say which runs of the grid are not there: three seeds of each count and order."""
    lines = []
    for organ, start in groups(results):
        there = {(count, order): len(runs) for count, order, runs in rows(results, organ, start)}
        orders = ("suggested", "random") if organ == "abdomens" else ("random",)
        grid = [(count, order) for count in (5, 10, 20) for order in orders] + [(40, "all of them")]
        lacking = [
            f"{3 - there.get(one, 0)} of 3 with {one[0]} ({one[1]})"
            for one in grid
            if there.get(one, 0) < 3
        ]
        if lacking:
            lines += [f"- {organ}, from `{start}`: {', '.join(lacking)}"]
    return ["Not run:", "", *lines, ""] if lines else []


def write_page(results: Results, abouts: Mapping[str, Mapping], path: Path) -> None:
    """Write the tables into the page, between its two marks; its words stay."""
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    said = [
        BEGIN,
        "",
        "Means of the runs, with the least and the largest; the error is the median over the "
        "images of a run.",
        "",
    ]
    lines = [*said, *tables(results, abouts), *missing(results)]
    path.write_text(before + "\n".join(lines) + END + after, encoding="utf-8")


def draw(results: Results, path: Path) -> None:
    """Draw a row of curves of each start on each organ."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    pairs = groups(results)
    counts = sorted({one["count"] for one in results})
    size = 3.2 * len(PANELS), 2.7 * len(pairs)
    figure, axes = plt.subplots(
        len(pairs), len(PANELS), figsize=size, layout="constrained", squeeze=False
    )
    for row, (organ, start) in zip(axes, pairs, strict=True):
        for axis, (key, title) in zip(row, PANELS, strict=True):
            looks = zip(POLICIES, (colours.EXPERT, colours.MODEL, "grey"), "os^", strict=True)
            for policy, colour, mark in looks:
                found = {
                    count: there
                    for count, runs in of_policy(results, organ, start, policy).items()
                    if (there := values(runs, key))
                }
                places = [counts.index(count) for count in found]
                means = [statistics.mean(there) for there in found.values()]
                if policy == "with others":  # the start is none of its runs, and few counts are
                    places, means = places[1:], means[1:]
                label = "random, and as many other planes" if policy == "with others" else policy
                if len(means) > (policy != "with others"):
                    axis.plot(places, means, marker=mark, color=colour, label=label)
                for place, there in zip(places, list(found.values())[-len(places) :], strict=False):
                    axis.plot([place] * len(there), there, ".", color=colour, alpha=0.4)
            axis.set_xticks(range(len(counts)), counts)
            low, high = axis.dataLim.intervaly
            # few hundredths of Dice are what is asked of a start that is good already
            axis.set_ylim(0.8 if key.endswith("dice") and low > 0.8 else 0, max(high * 1.05, 1))
            axis.set_title(title, fontsize=10)
            axis.set_xlabel("corrected images", fontsize=9)
        row[0].set_ylabel(f"{organ}, from\n{start}", fontsize=9)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    # few colours are in it, and a palette of them is a third of the bytes
    Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)
