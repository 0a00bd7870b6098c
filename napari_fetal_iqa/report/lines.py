"""The lines of a report, in the order of every page: what they are called, and what they say."""

from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.geometry.biometry import format_gestational_age
from napari_fetal_iqa.report.content import ReportContent, where


def result_lines(content: ReportContent) -> list[tuple[str, str]]:
    """Return what belongs to the value and its centile, a name and a text each."""
    lines = [
        ("How sure", content.interval),
        ("Made of", content.made_of),
        ("Age by dates", str(content.entered.dating or "not entered")),
        ("", content.age_by_ac),
        ("Earlier", content.earlier_words),
    ]
    if content.best:
        best = content.best[0]
        quality = "" if best.quality is None else f", quality {best.quality:.2f}"
        lines.append(("Best frame", where(best, content.examination) + quality))
        if best.measurement is not None:
            longer, shorter = best.measurement.diameters_mm
            own = best.measurement.circumference_mm
            lines.append(("", f"its own AC {own:.1f} mm, {longer:.1f} x {shorter:.1f} mm across"))
        else:
            lines.append(("", f"not measured: {best.reason}"))
    lines += _plane_lines(content)
    lines += [(one.found.measure.value, one.in_words) for one in content.measures]
    lines += [("Weight", f"{one.grams:.0f} g by {one.formula}") for one in content.weights]
    return [(name, text) for name, text in lines if text]


def _plane_lines(content: ReportContent) -> list[tuple[str, str]]:
    """Say which of the six criteria the best frame meets, and which of them are computed."""
    plane = content.plane
    if plane is None:
        return []
    verdicts = plane.verdicts
    parts = []
    for words, wanted in (("met", True), ("not met", False), ("not judged", None)):
        named = [
            f"{one.words.lower()}{' (computed)' if plane.is_computed(one) else ''}"
            for one in Criterion
            if verdicts.get(one) is wanted
        ]
        if named:
            parts.append(f"{words}: {', '.join(named)}")
    return [("Plane", f"best frame meets {plane.words}"), ("", "; ".join(parts))]


def source_lines(content: ReportContent) -> list[tuple[str, str]]:
    """Return who and what made the result, a name and a text each."""
    examined = content.entered.examined
    lines = [
        ("Sweeps", ", ".join(content.sweeps)),
        ("Examined", examined.isoformat() if examined else "day not entered"),
        ("Reviewer", content.reviewer or "nobody named"),
        ("Report made", content.made.strftime("%Y-%m-%d %H:%M %Z").strip()),
        ("Corrected", content.corrected),
    ]
    for setup in content.setups:
        for model in setup.models:
            lines.append(("Model", f"{model.id}, {model.name}, sha256 {model.hash[:16]}"))
        lines.append(("Computed", f"{setup.engine} on {setup.device}, {setup.precision}"))
    lines.append(("Software", f"napari-fetal-iqa {content.version}"))
    return lines


def thumbnail_caption(content: ReportContent, place: int) -> str:
    """Return what stands below the best frame of a sweep."""
    best = content.best[place]
    measured = best.measurement
    value = "not measured" if measured is None else f"AC {measured.circumference_mm:.1f} mm"
    return f"{where(best, content.examination)}: {value}"


def weeks_in_words(weeks: float | None) -> str | None:
    """Write weeks as obstetricians do; None where they are not known."""
    return None if weeks is None else format_gestational_age(weeks)
