"""What a stranger wrote (a file's name, a reviewer's), made safe for a terminal and a table."""

import re
import unicodedata

_UNSHOWN = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories: control characters, halves of pairs, ends of lines and paragraphs. Joiners
(Cf) stay: names in Persian and in Indian scripts need them."""

_TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of writing, and so can show one name as another."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What spreadsheets take for the beginning of a formula (OWASP, CSV injection)."""


_BEGINS_WITH_A_PATH = re.compile(r"\S*[/\\.]\S")


def is_shown(character: str) -> bool:
    """Return whether a character only shows something, and steers nothing."""
    return unicodedata.category(character) not in _UNSHOWN and character not in _TURNING


def shown(text: object) -> str:
    """Return a text for people, on one line, with "?" for each character that steers."""
    text = str(text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if is_shown(character) else "?" for character in text)


def first_large(text: str) -> str:
    """Return a text with a capital at its beginning; a path in it stays as it is.

    So does a path that it begins with.
    """
    return text if _BEGINS_WITH_A_PATH.match(text) else text[:1].upper() + text[1:]


def csv_cell(value: object) -> object:
    """Return a value of a CSV table so that no spreadsheet takes it for a formula.

    Numbers stay as they are; text that begins like a formula gets an apostrophe before it, as
    spreadsheets mark text.
    """
    if not isinstance(value, str):
        return value
    text = shown(value)
    if text.lstrip().startswith(_FORMULA) and not _is_number(text):
        return f"'{text}"
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
