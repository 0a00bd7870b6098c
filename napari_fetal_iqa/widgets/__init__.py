"""All the Qt there is: the review panel and the timeline."""

from napari_fetal_iqa.widgets.review import ReviewWidget

__all__ = ["ReviewWidget"]
