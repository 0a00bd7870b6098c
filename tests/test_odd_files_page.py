"""The page on odd files names a test for each row, and each test is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "odd-files.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there():
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = {name for source in sources for name in re.findall(r"def (test_\w+)\(", source)}

    named = set(re.findall(r"`(test_\w+)`", PAGE))

    assert named - there == set()


def test_every_row_of_the_page_names_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    heads = [row for row in rows if row.startswith("| what ")]
    without = [row for row in rows if row not in heads and not re.search(r"`test_\w+`", row)]

    assert len(rows) > 40
    assert without == []
