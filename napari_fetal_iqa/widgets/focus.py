"""Controls that take Space and Enter once they were reached by Tab, and never by a click.

Elsewhere in the window these keys show the overlay and accept the frame, also after a click.
"""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

_PROPERTY = "takesSpaceAndEnter"
KEYS = ("Space", "Return", "Enter")


def with_own_keys(*controls: QWidget) -> None:
    """Let these be reached by Tab alone, and take Space and Enter then."""
    for control in controls:
        control.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        control.setProperty(_PROPERTY, True)


def takes_keys(focused: QWidget | None) -> bool:
    """Whether Space and Enter belong to the widget that has the focus."""
    return focused is not None and bool(focused.property(_PROPERTY))
