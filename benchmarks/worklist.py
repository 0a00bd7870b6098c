"""The worklist with thousands of sweeps, against a QTableWidget that is filled at once.

Makes up N small sweeps (header and pixels in files of their own content), lists their folder in
the worklist, and measures in this process: the time until the list is on the screen, the memory
that it takes, what one paint costs while it is scrolled from top to bottom, what sorting and
filtering cost, and how long it takes until all facts are there, which come in the background.
Then the same rows in a QTableWidget, one item a cell, filled at once, as plain Qt code does it.
Prints a table; the last column is the worklist over the QTableWidget.

    python benchmarks/worklist.py [--sweeps 5000] [--paints 200]

Without a screen: QT_QPA_PLATFORM=offscreen python benchmarks/worklist.py
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QTableView, QTableWidget, QTableWidgetItem

from napari_fetal_iqa.analysis.result import AnalysisSetup
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.review.worklist.columns import COLUMNS, Row, State
from napari_fetal_iqa.review.worklist.facts import gather
from napari_fetal_iqa.review.worklist.listing import list_sweeps
from napari_fetal_iqa.widgets.worklist.widget import WorklistWidget

SIZE = (360, 700)


def make_up(folder: Path, count: int) -> None:
    frames = np.zeros((6, 24, 32), np.uint8)
    for number in range(count):
        frames[0, 0, :4] = np.frombuffer(number.to_bytes(4, "little"), np.uint8)
        write_volume(folder / f"case_{number:05}.mha", frames, (0.3, 0.3), compress=False)


def memory() -> int:
    return psutil.Process().memory_info().rss


def shown(application: QApplication) -> None:
    application.processEvents()


def paints(table: QTableView, count: int, application: QApplication) -> list[float]:
    """Seconds of each paint of the table on the way from its first row to its last."""
    bar = table.verticalScrollBar()
    seconds = []
    for place in np.linspace(bar.minimum(), bar.maximum(), count).astype(int):
        bar.setValue(int(place))
        began = time.perf_counter()
        table.viewport().repaint()
        seconds.append(time.perf_counter() - began)
        application.processEvents()
    return seconds


def timed(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def worklist(
    rows: list[Row], paint_count: int, application: QApplication
) -> tuple[dict[str, float], WorklistWidget]:
    before = memory()
    began = time.perf_counter()
    widget = WorklistWidget()
    widget.resize(*SIZE)
    widget.show_rows("folder", rows)
    widget.show()
    shown(application)
    figures = {"to show, ms": 1000 * (time.perf_counter() - began)}
    figures["memory, MB"] = (memory() - before) / 1e6
    spent = paints(widget.table, paint_count, application)
    figures["a paint, median, ms"] = 1000 * float(np.median(spent))
    figures["a paint, 95 %, ms"] = 1000 * float(np.quantile(spent, 0.95))
    by_frames = [column.key for column in COLUMNS].index("frames")
    figures["to sort, ms"] = 1000 * timed(
        lambda: widget.table.sortByColumn(by_frames, Qt.SortOrder.DescendingOrder)
    )
    widget.table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    figures["to filter, ms"] = 1000 * timed(lambda: widget.filter.choose("99", State.ALL))
    widget.filter.choose("", State.ALL)
    return figures, widget


def plain(rows: list[Row], paint_count: int, application: QApplication) -> dict[str, float]:
    before = memory()
    began = time.perf_counter()
    table = QTableWidget(len(rows), len(COLUMNS))
    table.setHorizontalHeaderLabels([column.title for column in COLUMNS])
    for number, row in enumerate(rows):
        for place, column in enumerate(COLUMNS):
            table.setItem(number, place, QTableWidgetItem(column.text(row)))
    table.resize(*SIZE)
    table.show()
    shown(application)
    figures = {"to show, ms": 1000 * (time.perf_counter() - began)}
    figures["memory, MB"] = (memory() - before) / 1e6
    spent = paints(table, paint_count, application)
    figures["a paint, median, ms"] = 1000 * float(np.median(spent))
    figures["a paint, 95 %, ms"] = 1000 * float(np.quantile(spent, 0.95))
    by_frames = [column.key for column in COLUMNS].index("frames")
    figures["to sort, ms"] = 1000 * timed(
        lambda: table.sortItems(by_frames, Qt.SortOrder.DescendingOrder)
    )

    def hide() -> None:
        for number in range(table.rowCount()):
            table.setRowHidden(number, "99" not in table.item(number, 0).text())

    figures["to filter, ms"] = 1000 * timed(hide)
    return figures


def facts(rows: list[Row], widget: WorklistWidget, folder: Path) -> tuple[float, float]:
    """Seconds until all facts are in the list, and of the longest hold of the window's thread."""
    sources = [(number, row.source) for number, row in enumerate(rows)]
    longest, began = 0.0, time.perf_counter()
    for piece in gather(sources, folder / "none.sqlite", "AK", lambda _: AnalysisSetup()):
        longest = max(longest, timed(lambda piece=piece: widget.model.take(piece)))
    return time.perf_counter() - began, longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=5000)
    parser.add_argument("--paints", type=int, default=200)
    options = parser.parse_args()
    application = QApplication([])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_up(folder, options.sweeps)
        began = time.perf_counter()
        listing = list_sweeps(folder)
        listed = time.perf_counter() - began
        rows = [Row(source, listing.name(source)) for source in listing.sources]
        ours, widget = worklist(rows, options.paints, application)
        all_facts, longest = facts(rows, widget, folder)
        filled, _ = worklist(rows, options.paints, application)
        theirs = plain(rows, options.paints, application)
    print(f"{len(rows)} sweeps; to list the folder (in a thread) {1000 * listed:.0f} ms;")
    print(
        f"all facts from the headers (in a thread) {all_facts:.1f} s; the window's thread is held "
        f"for {1000 * longest:.1f} ms at most\n"
    )
    print(f"{'':22}{'worklist':>10}{'filled':>10}{'QTableWidget':>14}{'ratio':>8}")
    for what, other in theirs.items():
        mine = ours[what] if what.startswith("memory") else filled[what]  # it is made once
        ratio = f"{mine / other:8.2f}" if other > 0 else "       -"
        print(f"{what:22}{ours[what]:10.2f}{filled[what]:10.2f}{other:14.2f}{ratio}")


if __name__ == "__main__":
    main()
