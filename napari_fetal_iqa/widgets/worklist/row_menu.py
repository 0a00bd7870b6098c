"""What a right click, or the menu key, offers on the list."""

from collections.abc import Callable

from qtpy.QtWidgets import QMenu, QWidget

from napari_fetal_iqa.review.worklist.columns import Row
from napari_fetal_iqa.widgets.shortcuts import Action, key_of


def row_menu(
    parent: QWidget,
    row: Row,
    choose: Callable[[], object],
    ask_subject: Callable[[], object],
    show_subject: Callable[[], object],
) -> QMenu:
    """Make the menu of a row; it goes when it is closed.

    Parameters
    ----------
    parent : QWidget
    row : Row
        The one that is in hand; others may be selected with it.
    choose, ask_subject, show_subject : callable
        Open it; say whose the selected sweeps are; show all sweeps of its subject.
    """
    menu = QMenu(parent)
    menu.aboutToHide.connect(menu.deleteLater)
    menu.setToolTipsVisible(True)
    whose = f"subject {row.subject}" if row.subject else "this subject"
    for text, tip, do in (
        ("Open", "Open this sweep", choose),
        (
            f"Subject…\t{key_of(Action.SET_SUBJECT)}",
            "Say whose the selected sweeps are, or that it is not known any more",
            ask_subject,
        ),
        (
            f"Only sweeps of {whose}".replace("&", "&&"),
            "Show no other sweeps, until the filter is cleared",
            show_subject,
        ),
    ):
        if (entry := menu.addAction(text)) is not None:
            entry.setToolTip(tip)
            entry.setEnabled(do is not show_subject or bool(row.subject))
            entry.triggered.connect(lambda _, do=do: do())
    return menu
