"""The report as data: one CSV row, and JSON after the manner of FHIR Observations."""

import csv
import io
from typing import Any

from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.foreign_text import csv_cell
from napari_fetal_iqa.geometry.caliper import CaliperMeasure
from napari_fetal_iqa.report.content import RankedMeasure, ReportContent
from napari_fetal_iqa.report.lines import source_lines, weeks_in_words
from napari_fetal_iqa.review.examination.earlier import EarlierMeasurement
from napari_fetal_iqa.review.plane_criteria import JudgedPlane

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"

COLUMNS = (
    *("sweeps", "ac_mm", "low_mm", "high_mm", "by_expert", "frames", "runs", "outliers"),
    *("flashes", "truncated", "best_sweep_file", "best_sweep", "best_frame", "best_frame_ac_mm"),
    *("age_by_dates", "chart", "centile", "z", "age_by_ac", "reviewer", "models", "version"),
    *("plane_score", "plane_judged", *Criterion, "computed_criteria"),
    *(name for one in CaliperMeasure for name in (f"{one.lower()}_mm", f"{one.lower()}_centile")),
    *("weight_g", "weight_formula"),
    *("earlier_ages", "earlier_ac_mm", "earlier_words"),
    *("growth_words", "interval_words", "made_of", "corrected", "notices"),
)


def csv_row(content: ReportContent) -> str:
    """Return a header and the row of a case; what is not known is empty. Numbers are 0-based."""
    found, best = content.circumference, content.best[0] if content.best else None
    measured = best.measurement if best else None
    low, high = (found.interval_mm if found else None) or (None, None)
    cells = [
        " ".join(content.sweeps),
        _number(found.circumference_mm if found else None),
        _number(low),
        _number(high),
        int(found.by_expert) if found else "",
        len(found.used) if found else 0,
        found.n_runs if found else 0,
        len(found.outliers) if found else 0,
        len(found.flashes) if found else 0,
        found.truncated if found else 0,
        *(best.place if best else ("", "", "")),
        _number(measured.circumference_mm if measured else None),
        weeks_in_words(content.growth.weeks) or "",
        content.growth.chart.title,
        _number(content.growth.centile),
        _number(content.growth.z, 2),
        weeks_in_words(content.age_by_ac_weeks) or "",
        content.reviewer,
        " ".join(f"{one.id}:{one.hash[:16]}" for setup in content.setups for one in setup.models),
        content.version,
        *_plane_cells(content),
        *_measure_cells(content),
        " ".join(weeks_in_words(one.weeks) or "" for one in content.earlier.measured),
        " ".join(_number(one.circumference.circumference_mm) for one in content.earlier.measured),
        content.earlier_words,
        content.growth.words or content.value,
        content.interval,
        content.made_of,
        content.corrected,
        " ".join(content.notices),
    ]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerow(map(csv_cell, cells))
    return text.getvalue()


def _plane_cells(content: ReportContent) -> list[object]:
    plane = content.plane
    verdicts = plane.verdicts if plane else {}
    met = [verdicts.get(one) for one in Criterion]
    computed = [one for one in Criterion if plane and plane.is_computed(one)]
    return [
        plane.score if plane else "",
        len(verdicts) if plane else "",
        *("" if one is None else int(one) for one in met),
        " ".join(computed),
    ]


def _measure_cells(content: ReportContent) -> list[object]:
    found = {one.found.measure: one for one in content.measures}
    cells: list[object] = []
    for measure in CaliperMeasure:
        one = found.get(measure)
        cells += [
            _number(one.found.value_mm if one else None),
            _number(one.centile if one else None),
        ]
    weights = content.weights
    grams = " ".join(f"{one.grams:.0f}" for one in weights)
    return [*cells, grams, "; ".join(one.formula for one in weights)]


def _number(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def observations(content: ReportContent) -> dict[str, Any]:
    """Return a FHIR collection of Observations: circumference, age by it, centile and z-score.

    No subject is named; who stores it adds theirs. Codes are LOINC's, units UCUM's.
    """
    entries = []
    found = content.circumference
    common = {
        "resourceType": "Observation",
        "status": "preliminary",
        "issued": content.made.isoformat(timespec="seconds"),
        "note": [
            {"text": " ".join(content.notices)},
            {"text": "; ".join(f"{name} {text}".strip() for name, text in source_lines(content))},
        ],
        "device": {"display": f"napari-fetal-iqa {content.version}"},
    }
    if content.entered.examined:
        common["effectiveDateTime"] = content.entered.examined.isoformat()
    if found is None:
        entries.append(
            {
                **common,
                "code": _code("11979-2", "Abdominal circumference"),
                "dataAbsentReason": {"text": content.value},
            }
        )
    else:
        value = {
            **common,
            "code": _code("11979-2", "Abdominal circumference"),
            "valueQuantity": _quantity(found.circumference_mm, "mm"),
            "method": {"text": content.made_of},
        }
        if found.interval_mm is not None:
            low, high = found.interval_mm
            value["component"] = [
                {"code": {"text": f"90 % interval, {end}"}, "valueQuantity": _quantity(mm, "mm")}
                for end, mm in (("low", low), ("high", high))
            ]
        else:
            value["note"] = [*common["note"], {"text": content.interval}]
        entries.append(value)
        if content.age_by_ac_weeks is not None:
            entries.append(
                {
                    **common,
                    "code": _code("18185-9", "Gestational age"),
                    "method": {"text": "AC, Hadlock 1984 (LOINC 11892-7); not by dates"},
                    "valueQuantity": _quantity(7 * content.age_by_ac_weeks, "d", 0),
                }
            )
        if content.growth.centile is not None and content.growth.z is not None:
            for text, number, unit in (
                ("Growth centile of the abdominal circumference", content.growth.centile, "%"),
                ("Growth z-score of the abdominal circumference", content.growth.z, "1"),
            ):
                entries.append(
                    {
                        **common,
                        "code": {"text": text},
                        "method": {"text": content.growth.chart.citation},
                        "valueQuantity": _quantity(number, unit, 2),
                    }
                )
        else:
            entries.append(
                {
                    **common,
                    "code": {"text": "Growth centile of the abdominal circumference"},
                    "dataAbsentReason": {"text": content.growth.words},
                }
            )
        entries += [
            {
                **common,
                "code": _code("11727-5", "Estimated fetal weight"),
                "method": {"text": f"{one.formula}, {one.citation}"},
                "valueQuantity": _quantity(one.grams, "g", 0),
            }
            for one in content.weights
        ]
    if content.entered.dating is not None:
        entries.append(
            {
                **common,
                "code": {"text": "Gestational age by dates"},
                "method": {"text": str(content.entered.dating)},
                "valueQuantity": _quantity(content.entered.dating.days, "d", 0),
            }
        )
    entries += [_measure_entry(one, common) for one in content.measures]
    undated = {key: value for key, value in common.items() if key != "effectiveDateTime"}
    entries += [_earlier_entry(one, undated) for one in content.earlier.measured]
    if content.plane is not None:
        entries.append(_plane_entry(content.plane, common))
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": entry} for entry in entries],
    }


MEASURE_CODES = {
    CaliperMeasure.HC: ("11984-2", "Head circumference"),
    CaliperMeasure.BPD: ("11820-8", "Biparietal diameter"),
    CaliperMeasure.OFD: ("11851-3", "Occipitofrontal diameter"),
    CaliperMeasure.FL: ("11963-6", "Femur length"),
}
"""LOINC's."""


def _measure_entry(one: RankedMeasure, common: dict[str, Any]) -> dict[str, Any]:
    entry = {
        **common,
        "code": _code(*MEASURE_CODES[one.found.measure]),
        "valueQuantity": _quantity(one.found.value_mm, "mm"),
        "method": {"text": one.found.made_of},
    }
    if one.centile is not None and one.z is not None:
        entry["component"] = [
            {"code": {"text": "Growth centile"}, "valueQuantity": _quantity(one.centile, "%", 2)},
            {"code": {"text": "Growth z-score"}, "valueQuantity": _quantity(one.z, "1", 2)},
        ]
    elif one.words:
        entry["note"] = [*common["note"], {"text": one.words}]
    return entry


def _earlier_entry(one: EarlierMeasurement, common: dict[str, Any]) -> dict[str, Any]:
    return {
        **common,
        "code": {"text": "Earlier abdominal circumference of the same subject"},
        "valueQuantity": _quantity(one.circumference.circumference_mm, "mm"),
        "method": {"text": str(one)},
        "component": [
            {
                "code": {"text": "Gestational age by dates"},
                "valueQuantity": _quantity(one.days, "d", 0),
            }
        ],
    }


def _plane_entry(plane: JudgedPlane, common: dict[str, Any]) -> dict[str, Any]:
    return {
        **common,
        "code": {"text": "Criteria of the abdominal plane met, of six (Salomon 2006)"},
        "valueInteger": plane.score,
        "component": [
            {
                "code": {"text": one.words},
                "valueBoolean": met,
                **({"method": {"text": "computed"}} if plane.is_computed(one) else {}),
            }
            for one, met in plane.verdicts.items()
        ],
    }


def _code(code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": code, "display": display}]}


def _quantity(value: float, unit: str, digits: int = 1) -> dict[str, Any]:
    return {"value": round(value, digits), "unit": unit, "system": UCUM, "code": unit}
