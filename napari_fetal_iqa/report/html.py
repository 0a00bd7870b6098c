"""The report as one HTML file that opens offline: pictures within, no script, nothing fetched."""

import base64
from pathlib import Path

from napari_fetal_iqa.report.content import ReportContent
from napari_fetal_iqa.report.lines import result_lines, source_lines, thumbnail_caption
from napari_fetal_iqa.report.pictures import frame_picture, growth_picture, timeline_picture


def html_page(content: ReportContent) -> str:
    """Lay a report out as HTML."""
    import jinja2  # here: only a report needs it

    folder = jinja2.FileSystemLoader(Path(__file__).parent)
    page = jinja2.Environment(
        loader=folder, autoescape=True, undefined=jinja2.StrictUndefined
    ).get_template("page.html")
    examination = content.examination
    best = content.best
    return page.render(
        content=content,
        results=result_lines(content),
        sources=source_lines(content),
        growth=_inline(growth_picture(content)),
        timeline=_inline(timeline_picture(content)),
        best=_inline(frame_picture(best[0], examination)) if best else "",
        thumbnails=[
            (_inline(frame_picture(one, examination, 1.6)), thumbnail_caption(content, place))
            for place, one in enumerate(best[:6])
        ],
    )


def _inline(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
