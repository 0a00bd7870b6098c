"""The colours of napari's theme that our own drawing follows."""

from dataclasses import dataclass

from napari.utils.theme import get_theme


@dataclass(frozen=True)
class Palette:
    """Background, text and muted lines, as colour names."""

    background: str = "#262930"
    text: str = "#f0f1f2"
    muted: str = "#868e93"


def palette_of(theme_name: str) -> Palette:
    """Return the palette of one of napari's themes."""
    theme = get_theme(theme_name)
    return Palette(
        background=theme.background.as_hex(),
        text=theme.text.as_hex(),
        muted=theme.secondary.as_hex() if theme.type == "light" else theme.highlight.as_hex(),
    )
