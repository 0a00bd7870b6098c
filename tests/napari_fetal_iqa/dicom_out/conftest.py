"""The command, as in the tests of commands."""

from ..cli.conftest import run  # noqa: F401
