"""The loop on real images: fine-tuning on few corrected images of a machine unknown to the model.

    python benchmarks/loop_on_real_images.py --data DATA --without COLLECTION
    python benchmarks/loop_on_real_images.py --data DATA --start demo-seg starter-without
    python benchmarks/loop_on_real_images.py --data DATA --organ heads --start demo-seg starter-seg

DATA has fetal_planes_640 and hc18. With ``--without`` it only writes who trains a model that never
sees the machine: COLLECTION's split without the machine's cases, and without data sets whose
machines nobody names. The others correct images of one subject each, by the outlines of the package
or of HC18, through the same store as the window, in the order in which the window suggests frames
or in one drawn at random; ``fetal-iqa-train finetune`` learns from them, and its child is judged on
the other subjects of that machine, and on held-back subjects of the other machines, which shows
what it forgets. Finished runs are kept in --out; the same command goes on, and ``--page`` and
``--picture`` write the tables of the docs' page and its picture from what is there.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from loop_on_real_images_page import draw, write_page
from PIL import Image

from fetal_iqa_models import load_card, load_model, model_hash, resolve_model
from fetal_iqa_training.cli.app import app
from fetal_iqa_training.data.hc18 import find_table, outlined_cases
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, LabelledFrames
from fetal_iqa_training.data.outlined_planes import plane_cases
from fetal_iqa_training.data.planes import PlaneImage, read_planes
from fetal_iqa_training.data.split import read_split
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.evaluate import Evaluation, judge
from napari_fetal_iqa.analysis import analyse_sweep
from napari_fetal_iqa.analysis.candidates import candidates, worth
from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.storage.paths import remember_location

POOL, HEADS_TO_JUDGE = 40, 60
MOST_OTHERS = 40
"""Other planes that are judged of each side: enough to tell a share, and quick."""
UNNAMED_MACHINES = ("focus-", "textured-")
"""Cases of these names are of machines that nobody names, or have the texture of any of them."""
WITH_OTHERS = "with others"
"""A policy: as random, and as many other planes labelled as showing no abdomen."""
PLANES = ("fetal_planes_640", "fetal_planes_png")
MODEL_OF_PLANES = "sononet-cls"
"""Speaks of quality where abdomens are suggested; it learnt from none of these images."""


@dataclass(frozen=True)
class Ground:
    """What is corrected, and what judges: cases of one image each, no subject on two sides.

    Parameters
    ----------
    pool, pool_others : tuple of AnnotatedCase
        To correct, one a subject; and other planes to label as showing no abdomen.
    judge, judge_others : tuple of AnnotatedCase
        The same organ on the same machine, and what is none.
    known, known_others : tuple of AnnotatedCase
        Abdomens of the other machines and what is none, of subjects held back.
    quality : str or None
        CLS model whose word counts where the pool is put in order.
    """

    pool: tuple[AnnotatedCase, ...]
    pool_others: tuple[AnnotatedCase, ...]
    judge: tuple[AnnotatedCase, ...]
    judge_others: tuple[AnnotatedCase, ...]
    known: tuple[AnnotatedCase, ...]
    known_others: tuple[AnnotatedCase, ...]
    quality: str | None


def abdomens(data: Path, machine: str) -> Ground:
    """Take the abdomens of one machine; its held-back subjects judge, and whoever is left over."""
    folder = data / PLANES[0]
    cases = {case.name: case for case in plane_cases(folder)}
    images = [image for image in read_planes(folder) if image.path.stem in cases]
    random = np.random.default_rng(0)

    def of(*, machine_is: bool, abdomen: bool) -> list[PlaneImage]:
        wanted = machine_is, abdomen
        return [i for i in images if (i.machine == machine, i.plane == "abdomen") == wanted]

    mine = of(machine_is=True, abdomen=True)
    teach = sorted({image.subject for image in mine if image.part == "train"})
    chosen = {str(subject) for subject in random.permutation(teach)[:POOL]}
    first = {i.subject: i for i in reversed(mine) if i.subject in chosen}
    judging = {image.subject for image in mine} - chosen
    others = of(machine_is=True, abdomen=False)
    to_label = [i for i in others if i.part == "train" and i.subject not in judging]
    held = [i for i in of(machine_is=False, abdomen=False) if i.part == "val"]

    def named(some: Sequence[PlaneImage]) -> tuple[AnnotatedCase, ...]:
        return tuple(cases[image.path.stem] for image in some)

    def some_of(many: Sequence[PlaneImage]) -> list[PlaneImage]:
        return [many[n] for n in sorted(random.permutation(len(many))[:MOST_OTHERS])]

    return Ground(
        pool=named([first[subject] for subject in sorted(first)]),
        pool_others=named(some_of(to_label)),
        judge=named([i for i in mine if i.subject in judging]),
        judge_others=named([i for i in others if i.part == "val"]),
        known=named([i for i in of(machine_is=False, abdomen=True) if i.part == "val"]),
        known_others=named(some_of(held)),
        quality=MODEL_OF_PLANES,
    )


def heads(data: Path, machine: str) -> Ground:
    """Take heads of HC18, one a subject; what is forgotten is told by the held-back abdomens."""
    table = find_table(data / "hc18")
    if table is None:
        raise SystemExit(f"{data}: no hc18 here")
    one_each = {case.subject_id: case for case in outlined_cases(table)}
    shuffled = [one_each[s] for s in np.random.default_rng(0).permutation(sorted(one_each))]
    planes = plane_cases(data / PLANES[0])
    plane_of = {image.path.stem: image.plane for image in read_planes(data / PLANES[0])}
    held = [case for case in planes if case.held_back]
    return Ground(
        pool=tuple(shuffled[HEADS_TO_JUDGE : HEADS_TO_JUDGE + POOL]),
        pool_others=(),
        judge=tuple(shuffled[:HEADS_TO_JUDGE]),
        judge_others=(),
        known=tuple(case for case in held if plane_of[case.name] == "abdomen"),
        known_others=tuple(c for c in held if plane_of[c.name] != "abdomen")[:MOST_OTHERS],
        quality=None,
    )


GROUNDS = {"abdomens": abdomens, "heads": heads}


def write_split_without(data: Path, collection: Path, machine: str, out: Path) -> None:
    """Write a collection's split without a machine's cases; nothing judges, the loop does."""
    machines = {
        image.path.stem: image.machine
        for folder in PLANES
        if (data / folder).is_dir()
        for image in read_planes(data / folder)
    }
    split = read_split(collection / "split.json")
    parts = {
        part: [
            name
            for name in getattr(split, part)
            if not name.startswith(UNNAMED_MACHINES) and machines.get(name) != machine
        ]
        for part in ("training", "validation")
    }
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"without-{machine}.json"
    path.write_text(json.dumps({**parts, "test": []}, indent=1))
    print(f"{path}: {', '.join(f'{len(names)} {part}' for part, names in parts.items())}")


def image_of(case: AnnotatedCase, folder: Path) -> Path:
    """Write the image of a case as the window can open it: its own shape, text blackened."""
    path = folder / f"{case.name}.png"
    if not path.exists():
        (source,) = case.read()
        Image.fromarray(source.frames[0]).save(path)
    return path


def suggested(ground: Ground, folder: Path, start: str) -> list[AnnotatedCase]:
    """Order the pool as the window orders frames: each image is a sweep of one."""
    found = []
    for case in ground.pool:
        sweep = read_sweep(image_of(case, folder))
        analysis = analyse_sweep(sweep, ground.quality, start, device="cpu", use_cache=False)
        if candidates(analysis, np.zeros(1, bool), sweep.bounds):
            found.append((-float(worth(analysis, sweep.bounds)[0]), len(found), case))
    return [case for _, _, case in sorted(found, key=lambda one: one[:2])]


def in_random_order(pool: Sequence[AnnotatedCase], seed: int) -> list[AnnotatedCase]:
    """Draw images, another order for each seed."""
    return [pool[number] for number in np.random.default_rng(seed).permutation(len(pool))]


def correct(cases: Sequence[AnnotatedCase], folder: Path, path: Path) -> None:
    """Store the outlines of some images, as an expert's corrections."""
    path.unlink(missing_ok=True)
    with CorrectionStore(path) as store:
        for case in cases:
            image = image_of(case, folder)
            sweep = read_sweep(image)
            remember_location(sweep.identity, image)
            store.add_sweep(sweep)
            (source,) = case.read()
            shown = bool(source.positive[0])
            label = Label.OPTIMAL if shown else Label.NONE
            store.set_label(sweep.identity, 0, label, "truth")
            if shown:
                store.set_mask(sweep.identity, 0, source.masks[0], "truth")


_READ: dict[str, LabelledFrames] = {}


def read_once(case: AnnotatedCase) -> LabelledFrames:
    """Read a case that judges every child, and keep it."""
    if case.name not in _READ:
        (_READ[case.name],) = case.read()
    return _READ[case.name]


def figures(model: Path | str, ground: Ground) -> dict[str, float | None]:
    """Judge a SEG model: outlines on both sides, and outlines where there should be none."""
    network = load_model(model)

    def judged(cases: Sequence[AnnotatedCase]) -> Evaluation:
        return judge(network, map(read_once, cases), device="cpu")

    found: dict[str, float | None] = {}
    for side, cases in (("judge", ground.judge), ("known", ground.known)):
        outcomes = judged(cases).outcomes
        errors = [e for one in outcomes if (e := one.circumference_error_percent) is not None]
        found[f"{side}_dice"] = float(np.mean([one.dice for one in outcomes]))
        # of those that could be measured: how many could not is told beside it
        found[f"{side}_error_percent"] = float(np.median(errors)) if errors else None
        found[f"{side}_not_measured"] = len(cases) - len(errors)
    for side, cases in (("judge", ground.judge_others), ("known", ground.known_others)):
        if cases:
            found[f"{side}_none"] = judged(cases).metrics["specificity"]
    return found


def learn(store: Path, start: str, out: Path, seed: int, given: argparse.Namespace) -> dict:
    """Run ``fetal-iqa-train finetune``; return what its card says."""
    shutil.rmtree(out, ignore_errors=True)
    words = ["finetune", "--corrections", store, "--task", "seg", "--base", start, "--out", out]
    words += ["--seed", seed, "--device", "cpu", "--precision", given.precision]
    words += given.options
    with contextlib.redirect_stdout(io.StringIO()):
        app([*map(str, words), "--json-progress"], standalone_mode=False)
    card = load_card(out)
    phantoms = {s: card.metrics[s].get("reference", {}).get("dice") for s in ("parent", "child")}
    taught = {name: card.training[name] for name in ("frames", "positives", "rehearsed")}
    return {
        **taught,
        "phantoms": phantoms,
        "command": " ".join(map(str, ("finetune --task seg", *given.options))),
    }


def run(ground: Ground, start: str, policy: str, count: int, seed: int, given: argparse.Namespace,
        order: Sequence[AnnotatedCase]) -> dict:  # fmt: skip
    """Correct, learn and judge once."""
    # a folder of its own, so that several may run beside each other
    work = given.out / "-".join(map(str, ("work", given.organ, Path(start).name, policy, seed)))
    work.mkdir(exist_ok=True)
    name = {"organ": given.organ, "start": Path(start).name, "policy": policy, "count": count,
            "seed": seed, "steps": given.steps, "precision": given.precision}  # fmt: skip
    began = time.perf_counter()
    if not count:
        return {**name, "base": model_hash(resolve_model(start)), **figures(start, ground)}
    if len(order) < count:
        return {**name, "refused": f"only {len(order)} of {len(ground.pool)} are suggested"}
    others = ground.pool_others[:count] if policy == WITH_OTHERS else ()
    correct((*order[:count], *others), given.out / "images", work / "store.sqlite")
    try:
        learnt = learn(work / "store.sqlite", start, work / "child", seed, given)
    except TrainingError as error:
        if "stopped before the end" in str(error):  # by whoever ends this script, too
            raise SystemExit(str(error)) from None
        return {**name, "refused": str(error)}
    seconds = round(time.perf_counter() - began, 1)
    found = figures(work / "child", ground)
    shutil.rmtree(work)
    return {**name, "seconds": seconds, **learnt, **found}


def run_all(given: argparse.Namespace) -> None:
    """Run what is not there yet."""
    ground = GROUNDS[given.organ](given.data, given.machine)
    (given.out / "images").mkdir(parents=True, exist_ok=True)
    sides = ("pool", "pool_others", "judge", "judge_others", "known", "known_others")
    numbers = {side: len(getattr(ground, side)) for side in sides}
    subjects = {side: len({c.subject_id for c in getattr(ground, side)}) for side in sides}
    about = {"machine": given.machine, "images": numbers, "subjects": subjects,
             "quality": ground.quality}  # fmt: skip
    (given.out / f"{given.organ}.about").write_text(json.dumps(about))
    plan = [(start, "base", 0, 0) for start in given.start]
    for seed in given.seeds:
        for count in given.frames:
            # of a whole pool there is one order
            whole = count == len(ground.pool)
            policies = [p for p in given.policies if not whole or p == WITH_OTHERS]
            policies += ["whole"] * (whole and len(policies) < len(given.policies))
            plan += [(start, p, count, seed) for p in policies for start in given.start]
    orders: dict[str, list[AnnotatedCase]] = {}
    for start, policy, count, seed in plan:
        what = (given.organ, Path(start).name, policy.replace(" ", "-"), count, seed)
        path = given.out / f"{'-'.join(map(str, what))}.json"
        if path.exists():
            continue
        if policy == "suggested" and start not in orders:
            orders[start] = suggested(ground, given.out / "images", start)
        order = orders[start] if policy == "suggested" else in_random_order(ground.pool, seed)
        found = run(ground, start, policy, count, seed, given, order)
        path.write_text(json.dumps(found))
        print(path.stem, json.dumps(found), flush=True)


def main() -> None:
    """Run what is not there yet, or write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--machine", default="Aloka")
    parser.add_argument("--organ", choices=GROUNDS, default="abdomens")
    parser.add_argument("--start", nargs="+", default=["demo-seg"])
    parser.add_argument("--frames", type=int, nargs="+", default=[5, 10, 20, 40])
    parser.add_argument("--policies", nargs="+", default=["suggested", "random"],
                        choices=["suggested", "random", WITH_OTHERS])  # fmt: skip
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--steps", type=int, help="instead of the preset's")
    parser.add_argument("--batch-size", type=int, help="instead of the preset's")
    parser.add_argument("--precision", default="fp32", help="bf16 is quicker on some CPUs")
    parser.add_argument("--out", type=Path, default=Path("loop-on-real-images"))
    parser.add_argument("--without", type=Path, metavar="COLLECTION")
    parser.add_argument("--page", type=Path)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    logging.getLogger("napari_fetal_iqa").setLevel(logging.ERROR)
    if given.without:
        write_split_without(given.data, given.without, given.machine, given.out)
        return
    given.options = ["--preset", given.preset]
    given.options += ["--steps", given.steps] if given.steps else []
    given.options += ["--batch-size", given.batch_size] if given.batch_size else []
    if not (given.page or given.picture):
        run_all(given)
    results = [json.loads(path.read_text()) for path in sorted(given.out.glob("*.json"))]
    if given.picture:
        draw(results, given.picture)
    if given.page:
        abouts = {path.stem: json.loads(path.read_text()) for path in given.out.glob("*.about")}
        write_page(results, abouts, given.page)


if __name__ == "__main__":
    main()
