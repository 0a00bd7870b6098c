"""What a stranger wrote steers no terminal and no spreadsheet."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fetal_iqa.foreign_text import csv_cell, first_large, shown

SAME = ["Ann", "Zoë", "Jürgen Groß", "山田", "نگار\u200cپور", "AK (2)", "-", "a=b", "", "🩺"]


@pytest.mark.parametrize("text", SAME)
def test_a_name_is_shown_as_it_is(text):
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[2JAnn", "?[2JAnn"),
        ("Ann\nBob", "Ann?Bob"),
        ("\x9b31m", "?31m"),
        ("A\u202enna", "A?nna"),
        ("A\u2028B", "A?B"),
        ("A\udcff", "A?"),
        ("A\x00\x7f", "A??"),
    ],
)
def test_what_steers_is_shown_as_a_question_mark(text, expected):
    assert shown(text) == expected


@given(st.text())
def test_what_is_shown_can_be_printed_on_one_line(text):
    line = shown(text)
    assert len(line) == len(text)
    assert len(line.splitlines()) <= 1
    assert "\x1b" not in line
    line.encode("utf-8")


FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", " =1+1", "\t=1", "\r=1", "=cmd|' /C calc'!A0"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_a_formula(text):
    assert str(csv_cell(text))[0] in "'?"


@pytest.mark.parametrize(
    "value", ["-1.5", "+2", "1e-3", "-inf", "nan", "", "Ann", 3, -4, 0.5, None]
)
def test_numbers_and_names_stay(value):
    assert csv_cell(value) is value or csv_cell(value) == value


@given(st.text())
def test_a_cell_that_is_read_back_and_written_again_stays(text):
    once = csv_cell(text)
    assert csv_cell(once) == once
    table = io.StringIO()
    csv.writer(table).writerow([once])
    table.seek(0)
    assert next(csv.reader(table), [""]) == [once] or once == ""
    json.dumps(once)


@pytest.mark.parametrize(
    ("text", "large"),
    [
        ("sweep 12ab: is gone from exam/A", "Sweep 12ab: is gone from exam/A"),
        ("exam/A: is gone", "exam/A: is gone"),
        ("a.mha: is gone", "a.mha: is gone"),
        ("", ""),
    ],
)
def test_a_line_begins_with_a_capital_and_keeps_its_paths(text, large):
    assert first_large(text) == large
