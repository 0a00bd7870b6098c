"""The colours of napari's theme that our own drawing follows, and ours as each theme needs them."""

from dataclasses import dataclass

from napari.utils.theme import get_theme
from qtpy.QtWidgets import QLabel, QWidget

from napari_fetal_iqa import colours

_PALETTE, _INK, _RICH = "paletteOfTheme", "inkOfLabel", "richTextOfLabel"


@dataclass(frozen=True)
class Palette:
    """Background, text, muted lines, and what is chosen, as colour names."""

    background: str = "#262930"
    text: str = "#f0f1f2"
    muted: str = "#868e93"
    highlight: str = "#6a93ff"

    def ink(self, colour: str) -> str:
        """Return one of our colours as text needs it on the background."""
        return colours.legible(colour, self.background, colours.TEXT_CONTRAST)

    def mark(self, colour: str) -> str:
        """Return one of our colours as curves, crosses and bars need it on the background."""
        return colours.legible(colour, self.background, colours.MARK_CONTRAST)

    def fill(self, colour: str) -> str:
        """Return one of our colours as the ground on which the theme's text is written."""
        steps = (colours.mixed(colour, self.background, part / 20) for part in range(8, 21))
        enough = colours.TEXT_CONTRAST
        return next(
            (fill for fill in steps if colours.contrast(self.text, fill) >= enough), self.background
        )


def palette_of(theme_name: str) -> Palette:
    """Return the palette of one of napari's themes."""
    theme = get_theme(theme_name)
    background = theme.background.as_hex(format="long")
    muted = theme.secondary if theme.type == "light" else theme.highlight
    return Palette(
        background=background,
        text=theme.text.as_hex(format="long"),
        muted=colours.legible(muted.as_hex(format="long"), background, colours.MARK_CONTRAST),
        highlight=colours.legible(
            theme.current.as_hex(format="long"), background, colours.MARK_CONTRAST
        ),
    )


def palette_around(widget: QWidget) -> Palette:
    """Return the palette that :func:`dye` gave to the panel in which a widget stands."""
    around: QWidget | None = widget
    while around is not None:
        palette = around.property(_PALETTE)
        if isinstance(palette, Palette):
            return palette
        around = around.parentWidget()
    return Palette()


def write_in(label: QLabel, colour: str, weight: str = "normal") -> None:
    """Write a label in one of our colours, legible in whatever theme; "" is the theme's own."""
    label.setProperty(_INK, (colour, weight))
    _restyle(label, palette_around(label))


def show_rich(label: QLabel, text: str) -> None:
    """Show HTML in which our colours stand, legible in whatever theme."""
    label.setProperty(_RICH, text)
    _restyle(label, palette_around(label))


def dye(panel: QWidget, palette: Palette) -> None:
    """Give a panel the colours of a theme: its labels, and those that it will have."""
    panel.setProperty(_PALETTE, palette)
    dye_anew(panel)


def dye_anew(part: QWidget) -> None:
    """Give labels that came later the colours of the panel around them."""
    palette = palette_around(part)
    for label in part.findChildren(QLabel):
        _restyle(label, palette)


def _restyle(label: QLabel, palette: Palette) -> None:
    ink, rich = label.property(_INK), label.property(_RICH)
    if ink is not None:
        colour, weight = ink
        written = f"color: {palette.ink(colour)}; font-weight: {weight}" if colour else ""
        if label.styleSheet() != written:
            label.setStyleSheet(written)
    if rich is not None:
        for colour in colours.ALL:
            rich = rich.replace(colour, palette.ink(colour))
        if label.text() != rich:
            label.setText(rich)
