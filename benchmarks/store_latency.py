"""Time until a correction is on disk, against a bare SQLite insert of the same bytes.

Labels and outlines (562 x 744 ellipses) frames in a store that holds 2000 events already, and in
turn, in the same folder, inserts the same row into a bare table and commits: once with the
durability of the store (``synchronous = FULL``, journal truncated), and once with what SQLite
does by itself (journal deleted). Prints a table.

    python benchmarks/store_latency.py [--folder FOLDER] [--events N] [--runs N]
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from napari_fetal_iqa.corrections import CorrectionStore, Event, EventKind, Label
from napari_fetal_iqa.corrections.events import new_uid
from napari_fetal_iqa.corrections.rows import EVENT_COLUMNS
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (562, 744)
N_FRAMES = 840
SPACING = (0.28, 0.28)

Row = tuple[object, ...]


def ellipses() -> list[np.ndarray]:
    return [
        Ellipse((80.0, 100.0 + n), (40.0 + n, 35.0), 10.0 * n).mask(SHAPE, SPACING)
        for n in range(16)
    ]


def bare_table(path: Path, pragmas: Iterable[str], rows: list[Row]) -> Callable[[Row], None]:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")
    columns = ", ".join(f"c{n}" for n in range(len(rows[0])))
    insert = f"INSERT INTO bare VALUES ({', '.join('?' * len(rows[0]))})"
    connection.execute(f"CREATE TABLE bare ({columns})")
    connection.execute("BEGIN")
    connection.executemany(insert, rows)
    connection.execute("COMMIT")

    def write(row: Row) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(insert, row)
        connection.execute("COMMIT")

    return write


def rows_of(path: Path, after: int = 0) -> list[Row]:
    with sqlite3.connect(path) as connection:
        return connection.execute(
            f"SELECT {EVENT_COLUMNS} FROM event WHERE number > ? ORDER BY number", (after,)
        ).fetchall()


def seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main(folder: str | None, n_events: int, runs: int) -> None:
    masks = ellipses()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place, "store.sqlite")
        sweep = SweepVolume(np.zeros((N_FRAMES, *SHAPE), np.uint8), spacing_mm=SPACING)
        sweep.__dict__["identity"] = "f" * 64  # hashing 351 MB is not what is measured
        store = CorrectionStore(path)
        store.add_sweep(sweep)
        store.append(
            Event(sweep.identity, "AK", EventKind.LABEL, new_uid(), n % N_FRAMES, Label(n % 3))
            if n % 2
            else Event(
                sweep.identity,
                "AK",
                EventKind.MASK,
                new_uid(),
                n % N_FRAMES,
                mask=encode_mask(masks[n % 16]),
            )
            for n in range(n_events)
        )
        store.corrections(sweep.identity, "AK")  # as a session does
        before = rows_of(path)
        same = ["synchronous = FULL", "journal_mode = TRUNCATE"]
        bare = {
            "bare, same": bare_table(Path(place, "same.sqlite"), same, before),
            "bare, default": bare_table(Path(place, "default.sqlite"), [], before),
        }
        calls = {
            "set_label": lambda n: store.set_label(sweep.identity, n, Label(n % 3), "AK"),
            "set_mask": lambda n: store.set_mask(sweep.identity, n, masks[n % 16], "AK"),
        }
        took: dict[tuple[str, str], list[float]] = {
            (call, who): [] for call in calls for who in ("store", *bare)
        }
        number = n_events
        for run in range(runs):
            for call, correct in calls.items():
                took[call, "store"].append(seconds(lambda: correct(run % N_FRAMES)))  # noqa: B023
                (row,) = rows_of(path, number)
                number += 1
                for who, write in bare.items():
                    took[call, who].append(seconds(lambda: write(row)))  # noqa: B023
        store.close()

        print(f"{n_events} events before, {runs} of each, in turn, in {place}")
        print("call       where          median ms   99 % ms  store / it: median   99 %")
        for (call, who), times in took.items():
            median, tail = np.percentile(times, [50, 99])
            ours = np.percentile(took[call, "store"], [50, 99])
            print(
                f"{call:10} {who:14} {median * 1e3:9.2f} {tail * 1e3:9.2f}"
                f"  {ours[0] / median:18.2f} {ours[1] / tail:6.2f}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", help="where to write; by default the temporary folder")
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=500)
    options = parser.parse_args()
    main(options.folder, options.events, options.runs)
