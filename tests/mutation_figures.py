"""What a run of mutations and kills found, as a table at its end."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import pytest

LARGEST = {"grown_mb", "slowest"}
"""Of these the largest is told, of all others the sum."""


def lines(reports: Iterable[pytest.TestReport]) -> Iterator[str]:
    """Tell what tests recorded as ``mutations``: one line for files, stores, models and kills.

    A crash, a hang, too much memory, a merge that poisons or an edit that is lost fails its test,
    so a row speaks of sound runs only; whoever reads it looks at the line of pytest below it, too.
    """
    rows: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(int))
    for report in reports:
        for name, told in report.user_properties:
            if name == "mutations" and isinstance(told, dict):
                row = rows[told["what"]]
                for figure in told.keys() - {"what"}:
                    join = max if figure in LARGEST else sum
                    row[figure] = join((row[figure], told[figure]))
    for what, row in rows.items():
        figures = sorted(row.items(), key=lambda figure: figure[0] != "tried")
        yield f"{what}: {', '.join(f'{number} {name}' for name, number in figures)}"
