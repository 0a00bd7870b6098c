"""Every control has a name for screen readers and a tooltip; Tab goes to no control unseen."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QScrollBar,
)

pytestmark = pytest.mark.gui

CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
)


def controls(review):
    """Every control of the panel and of our docks, shown or not."""
    roots = [review, review.timeline_dock.dock.widget()]
    roots += [dock for dock in (review.worklist.dock.dock, review.candidates.dock) if dock]
    for root in roots:
        for widget in (one for kind in CONTROLS for one in root.findChildren(kind)):
            inner = isinstance(widget, QScrollBar) or widget.objectName().startswith("qt_")
            popup = isinstance(widget, QAbstractItemView) and widget.window() is not root.window()
            if not inner and not popup:
                yield widget


def name_of(widget) -> str:
    """What a screen reader says of a control, as Qt finds it; PyQt6 has no way to ask Qt."""
    if widget.accessibleName():
        return widget.accessibleName()
    if isinstance(widget, QAbstractButton) and widget.text():
        return widget.text()
    labels = widget.window().findChildren(QLabel)
    return next((label.text() for label in labels if label.buddy() is widget), "")


def described(widget) -> str:
    parents = []
    while widget is not None and len(parents) < 4:
        parents.append(type(widget).__name__ + f"({widget.objectName()})")
        widget = widget.parentWidget()
    return " in ".join(parents)


def test_every_control_has_a_name_and_a_tooltip(review):
    nameless, unexplained = [], []
    for widget in controls(review):
        name = name_of(widget)
        if not name.strip():
            nameless.append(described(widget))
        if not widget.toolTip().strip():
            unexplained.append(f"{described(widget)} {name!r}")
    assert not nameless, "\n".join(nameless)
    assert not unexplained, "\n".join(unexplained)


def test_tab_goes_to_no_control_that_nobody_sees(review):
    start = widget = review
    seen = set()
    while True:
        widget = widget.nextInFocusChain()
        if widget is start or widget in seen:
            break
        seen.add(widget)
        takes_tab = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        if takes_tab and widget.isEnabled() and widget.isVisible() and review.isAncestorOf(widget):
            assert not widget.visibleRegion().isEmpty() or in_scroll(widget), described(widget)


def in_scroll(widget) -> bool:
    """Whether a control is only scrolled out of view: Tab scrolls to it."""
    parent = widget.parentWidget()
    while parent is not None and parent.objectName() != "qt_scrollarea_viewport":
        if not parent.rect().contains(widget.mapTo(parent, widget.rect().center())):
            return False
        parent = parent.parentWidget()
    return parent is not None
