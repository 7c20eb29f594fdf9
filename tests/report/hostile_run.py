"""A made-up run whose every name and text is a given one: what the tests of hostile names read."""

import json
from pathlib import Path

import made_up_run
from trainwell.recipe.evidence import Evidence, Figure, Series, write_evidence

NAMES = {
    "markup": "<b onmouseover=\"alert(1)\">x</b><img src=x onerror=alert(2)><a href='javascript:alert(3)'>y</a>",
    "end of a script": "</script><script>alert(1)</script><!--",
    "quotes": '"\'`\\"&quot;',
    "emoji": "👩‍🔬 naïve ✓ مرحبا",
    "10,000 letters": "x" * 10_000,
    "10,000 letters in words": "long words " * 909,
    "formula of a sheet": '=HYPERLINK("http://evil.example","click")',
    "formula of TeX": r"$\frac{1}{0}$ and $$x^2$$",
    "colour of the page": "var(--ink)",
    "template": "%{x}{{ 7 * 7 }}{% raw %}${1}",
    "lines": "a\n\n# b\r\n<br>\t\x00\x1b[31m",
    "half a letter": "a\ud83d",
    "prototype": "__proto__",
    "nothing": "",
}
KINDS = ("bars", "lines", "points", "heatmap", "parallel")


def write_hostile_run(folder: Path, name: str) -> Path:
    """A run folder in which all that can come from a table is the name."""
    other = f"{name}!"
    columns = ((name, "category", name), ("ok", "numeric", ""), (other, "target", ""))
    made_up_run.write_run(folder, columns=columns, target=other)
    points = Series(name, [name, other], [1, 2])
    figures = {kind: Figure(kind, name, name, name, [points, Series(other, [name, other], [3, 1])], name) for kind in KINDS}
    groups = [{"subgroup": f"{name} = {other}", "test rows": 9, "AUC": 0.2, "beyond chance": "worse"}]
    for stage in ("look", "squeeze"):
        measures = {"test_score": 0.9, "low": 0.8, "high": 0.95, f"{name}.test_score": 0.5, name: name, "networks": 1}
        tables = {"Scores by subgroup": groups, name: [{name: name, "number": 1.5}]}
        write_evidence(Evidence(stage, "warn", name, name, (name,), measures, tables, figures), folder / "evidence")
    told = [
        {"event": "note", "stage": "look", "message": name, "column": name},
        {"event": "note", "stage": "look", "message": "is a formula", "column": name},
        {"event": "member_failed", "stage": "tune", "member": 3, "cause": name},
        {
            "event": "finding",
            "stage": "tune",
            "member": 3,
            "cause": name,
            "severity": "problem",
            "says": name,
            "remedies": [name],
        },
    ]
    with (folder / "events.jsonl").open("a") as file:
        file.writelines(json.dumps({"time": 1.0, **event}) + "\n" for event in told)
    member = {**made_up_run.members(1)[0], "member": name, "structure": name, "settings": {name: name}}
    others = [{**one, "settings": {name: one["member"]}} for one in made_up_run.members(3)]
    (folder / "members" / "history.json").write_text(json.dumps({"metric": "auc", "members": [member, *others]}))
    return folder
