"""README's picture of the result, from the figures of the last eval: metrics/plots/accuracy.png.

    pip install vl-convert-python                 # this script alone uses it
    python tests/benchmarks/picture.py            # a second, in the project's folder

It draws what `dvc plots show` draws of metrics/plots/accuracy.json, for one version and on white.
"""

from __future__ import annotations

import json
from pathlib import Path

FIGURES, PICTURE = Path("metrics/plots/accuracy.json"), Path("metrics/plots/accuracy.png")
PROBLEMS = {
    "math": "math",
    "logic": "logic",
    "math (ood)": "math, out of distribution",
    "logic (ood)": "logic, out of distribution",
}
STUDENTS = {"base": "#9aa0a6", "sft": "#e08214", "dpo": "#2166ac"}  # told apart by the colour-blind, and when printed


def spec(points: list[dict]) -> dict:
    """The picture as Vega-Lite: a row a kind of problem, in it a point and its interval for each student."""
    rows = [{**point, "problems": PROBLEMS.get(point["problems"], point["problems"])} for point in points]
    students = list(dict.fromkeys(row["model"] for row in rows))
    share = {
        "type": "quantitative",
        "title": "problems solved by a correct chain, with 95 % interval",
        "scale": {"domain": [0, 1]},
        "axis": {"format": "%", "tickCount": 5},
    }
    problems = {"field": "problems", "type": "nominal", "sort": list(PROBLEMS.values()), "title": "held-out problems"}
    student = {
        "field": "model",
        "type": "nominal",
        "sort": students,
        "title": "student",
        "scale": {"domain": students, "range": [STUDENTS.get(name, "#1b7837") for name in students]},
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "padding": 12,
        "width": 520,
        "height": {"step": 16},
        "data": {"values": rows},
        "encoding": {
            "y": {**problems, "scale": {"paddingInner": 0.35}},
            "yOffset": {"field": "model", "sort": students},
            "color": student,
        },
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 3},
                "encoding": {"x": {"field": "accuracy_low", **share}, "x2": {"field": "accuracy_high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "opacity": 1, "size": 90},
                "encoding": {"x": {"field": "accuracy", "type": "quantitative"}},
            },
        ],
        "config": {
            "axis": {"labelFontSize": 13, "titleFontSize": 13, "labelLimit": 200, "titlePadding": 10},
            "legend": {"labelFontSize": 13, "titleFontSize": 13, "symbolSize": 120},
        },
    }


def main() -> None:
    import vl_convert

    drawn = spec(json.loads(FIGURES.read_text(encoding="utf-8")))
    PICTURE.write_bytes(vl_convert.vegalite_to_png(json.dumps(drawn), scale=2))
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
