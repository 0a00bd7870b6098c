"""The plan of the house as its imports draw it: rooms, arrows, floors and circles of each package.

    python benchmarks/house.py

A room is a module or folder directly in a package; an arrow goes from a room to one that it
imports; a room stands one floor above the highest that it imports. To measure another checkout,
name its folders in PYTHONPATH.
"""

import argparse
import statistics
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path

import grimp

PACKAGES = ("napari_fetal_iqa", "fetal_iqa_models", "fetal_iqa_training")
ROOMS_OF = (
    "napari_fetal_iqa",
    "napari_fetal_iqa.widgets",
    "fetal_iqa_models",
    "fetal_iqa_training",
)


def arrows_of(graph: grimp.ImportGraph, package: str) -> dict[str, set[str]]:
    """Return the rooms of a package, each with those that it imports."""
    rooms = sorted(graph.find_children(package))
    arrows: dict[str, set[str]] = {room: set() for room in rooms}
    within = {room: {room} | graph.find_descendants(room) for room in rooms}
    for first, second in permutations(rooms, 2):
        imported = {
            to for module in within[first] for to in graph.find_modules_directly_imported_by(module)
        }
        if imported & within[second]:
            arrows[first].add(second)
    return arrows


def in_circles(arrows: dict[str, set[str]]) -> set[str]:
    """Return the rooms from which imports lead back to them."""

    def reached(room: str) -> set[str]:
        found: set[str] = set()
        todo = list(arrows[room])
        while todo:
            if (one := todo.pop()) not in found:
                found.add(one)
                todo += arrows[one]
        return found

    return {room for room in arrows if room in reached(room)}


def floors_of(arrows: dict[str, set[str]]) -> int:
    """Count the floors; of rooms in no circle."""
    heights: dict[str, int] = {}

    def height(room: str) -> int:
        if room not in heights:
            heights[room] = 1 + max((height(below) for below in arrows[room]), default=0)
        return heights[room]

    return max((height(room) for room in arrows), default=0)


def lines_of(package: str) -> dict[str, int]:
    """Count the lines of each module of a package."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    return {
        str(path.relative_to(folder.parent)): len(path.read_text(encoding="utf-8").splitlines())
        for path in sorted(folder.rglob("*.py"))
    }


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    print(f"{'package':28} {'rooms':>6} {'arrows':>7} {'floors':>7} {'in circles':>11}")
    for package in ROOMS_OF:
        arrows = arrows_of(graph, package)
        circles = in_circles(arrows)
        floors = "-" if circles else str(floors_of(arrows))
        count = sum(map(len, arrows.values()))
        print(f"{package:28} {len(arrows):6} {count:7} {floors:>7} {len(circles):11}")
    lines = {name: count for package in PACKAGES for name, count in lines_of(package).items()}
    longest = max(lines, key=lambda name: lines[name])
    median = statistics.median(lines.values())
    print(f"\n{len(lines)} modules, {sum(lines.values())} lines; median {median:.0f}")
    print(f"longest: {longest}, {lines[longest]} lines")


if __name__ == "__main__":
    main()
