"""A run folder written by hand, as a real run leaves it: what the tests of the report and the terminal read."""

import json
import math
import random
from pathlib import Path

from trainwell.recipe.evidence import STAGES, Evidence, Figure, Series, write_evidence

START = 1_790_000_000.0
SECONDS = {"look": 0.6, "baselines": 4.2, "overfit": 8.1, "regularize": 14.7, "tune": 27.4, "squeeze": 3.9}
COLUMNS = (
    ("customerID", "identifier", "every row has its own value: ignored"),
    ("gender", "category", ""),
    ("SeniorCitizen", "category", "only 0 and 1"),
    ("tenure", "numeric", ""),
    ("Contract", "category", ""),
    ("MonthlyCharges", "numeric", ""),
    ("TotalCharges", "numeric", "numbers written as text, 11 blanks read as missing"),
    ("Comment", "text", "free text is not read by this version: ignored"),
    ("Churn", "target", ""),
)
NOTES = (
    ("look", "customerID", "looks like an identifier (7,043 values in 7,043 rows): ignored"),
    ("look", "Comment", "free text: ignored, this version reads no text"),
    ("look", "TotalCharges", "numbers written as text; 11 blanks read as missing"),
    ("look", "SeniorCitizen", "only 0 and 1: read as a category"),
    ("baselines", None, "loss at start 0.579 equals the entropy of the prior, 0.579"),
    ("squeeze", None, "2 of 243 networks failed and were left out: their loss was not finite"),
)


def evidence() -> dict[str, Evidence]:
    """One piece of evidence for each stage, with every kind of figure and table among them."""
    epochs = list(range(1, 31))
    fall = [0.6 * math.exp(-epoch / 6) + 0.02 for epoch in epochs]
    return {
        "look": Evidence(
            "look",
            "warn",
            "7,043 rows, 19 features, Churn 26.5% Yes",
            "The table has 7,043 rows. One column looks like an identifier and is not used. Customers are not repeated, "
            "so a random split is honest.",
            ("Say --categories tenure if the months should be read as names.",),
            {"rows": 7043, "features": 19, "share_of_yes": 0.2654, "duplicates": 22},
            {"Columns that say most about the target alone": [
                {"column": "Contract", "score": 0.739, "what": "by itself"},
                {"column": "tenure", "score": 0.737, "what": "by itself"},
            ]},
            {"classes": Figure("bars", "How often each class occurs", "Churn", "rows",
                               [Series("rows", ["No", "Yes"], [5174, 1869])], "Three in four customers stay.")},
            SECONDS["look"],
        ),
        "baselines": Evidence(
            "baselines",
            "pass",
            "majority 0.500 AUC, logistic regression 0.842, boosted trees 0.838. Loss at start 0.579 = prior entropy",
            "Simple models set the mark that a network must beat. The network starts where it knows nothing but how often "
            "each class occurs, and it learns one batch by heart, so the wiring is right.",
            (),
            {"loss_at_start": 0.5791, "prior_entropy": 0.5786},
            {"Baselines on validation rows": [
                {"baseline": "majority", "score": 0.5, "seconds": 0.01},
                {"baseline": "logistic regression", "score": 0.842, "seconds": 0.31},
                {"baseline": "nearest neighbours", "score": 0.802, "seconds": 0.4},
                {"baseline": "boosted trees", "score": 0.838, "seconds": 1.2},
            ]},
            {"one_batch": Figure("lines", "Learning one batch by heart", "step", "loss",
                                 [Series("loss", list(range(0, 300, 10)), [0.58 * math.exp(-i / 4) for i in range(30)])],
                                 "A network that cannot do this is wired wrongly.", log_y=True)},
            SECONDS["baselines"],
        ),
        "overfit": Evidence(
            "overfit", "pass", "3x256 reaches training loss 0.02; it can learn everything there is",
            "A network that is large enough learns the training rows by heart.", (), {"training_loss": 0.021},
            {},
            {"capacity": Figure("lines", "More capacity, lower training loss", "epoch", "training loss",
                                [Series(name, epochs, [value * factor for value in fall], name == "3x256")
                                 for name, factor in (("1x64", 2.4), ("2x128", 1.6), ("3x256", 1.0))])},
            SECONDS["overfit"],
        ),
        "regularize": Evidence(
            "regularize", "pass", "gap 0.41 -> 0.02 with dropout 0.3, weight decay 1e-2, early stop at epoch 14",
            "Each remedy was tried alone, on the same network.", ("More rows would help little: the learning curve is flat.",),
            {"gap_before": 0.41, "gap_after": 0.02},
            {"What each remedy did": [
                {"remedy": "dropout 0.3", "gap": 0.09, "validation loss": 0.421, "kept": True},
                {"remedy": "weight decay 1e-2", "gap": 0.21, "validation loss": 0.439, "kept": True},
                {"remedy": "input noise 0.1", "gap": 0.34, "validation loss": None, "kept": False},
            ]},
            {"rows": Figure("lines", "What more rows would give", "training rows", "validation AUC",
                            [Series("measured", [500, 1000, 2000, 4000], [0.81, 0.826, 0.838, 0.843]),
                             Series("if it goes on", [4000, 8000], [0.843, 0.846])], log_x=True)},
            SECONDS["regularize"],
        ),
        "tune": Evidence(
            "tune", "pass", "243 networks, 61 trained to the end, best 0.851",
            "Networks with different settings were trained side by side; those that fell behind were stopped.", (),
            {"networks": 243, "trained_to_the_end": 61}, {},
            {"learning_rate": Figure("points", "Score by learning rate", "learning rate", "validation AUC",
                                     [Series("network", [10 ** (-4 + 3 * i / 80) for i in range(80)],
                                             [0.85 - 0.02 * (i / 40 - 1) ** 2 for i in range(80)])], log_x=True),
             "confusion": Figure("heatmap", "What is taken for what", "predicted", "true",
                                 [Series("No", ["No", "Yes"], [931, 104]), Series("Yes", ["No", "Yes"], [173, 201])])},
            SECONDS["tune"],
        ),
        "squeeze": Evidence(
            "squeeze", "pass", "ensemble of 9: 0.856 AUC on held-out rows, 0.852-0.860 (95%)",
            "Nine networks vote. The test rows were looked at once, now.", (),
            {"test_score": 0.856, "low": 0.852, "high": 0.860, "linear.test_score": 0.842, "majority.test_score": 0.5,
             "boosted trees.test_score": 0.838},
            {"Members of the ensemble": [{"member": 17, "weight": 0.33, "score": 0.851}]}, {}, SECONDS["squeeze"],
        ),
    }  # fmt: skip


def members(count: int = 48) -> list[dict]:
    """Loss curves that fall, level off, and in some members rise again."""
    chance = random.Random(0)
    made = []
    for member in range(count):
        epochs = chance.choice((5, 10, 30, 30, 45))
        speed, floor, rise = chance.uniform(3, 12), chance.uniform(0.3, 0.4), chance.uniform(0, 0.004)
        training = [floor + 0.4 * math.exp(-epoch / speed) - rise * epoch for epoch in range(epochs)]
        validation = [loss + 0.03 + 2 * rise * epoch for epoch, loss in enumerate(training)]
        failed = member == 5
        made.append({
            "member": member, "structure": f"{1 + member % 3}x{64 * 2 ** (member % 3)} relu adamw", "stage": "tune",
            "settings": {"learning_rate": 10 ** chance.uniform(-4, -2), "dropout": round(chance.uniform(0, 0.5), 2)},
            "epochs": epochs, "score": None if failed else 0.851 - 0.1 * min(validation),
            "status": "failed" if failed else "halved" if epochs < 30 else "stopped",
            "training_loss": [None if failed else loss for loss in training],
            "validation_loss": [None if failed else loss for loss in validation],
            "validation_score": [0.85 - 0.1 * loss for loss in validation],
        })  # fmt: skip
    return made


def events(stages=STAGES, finished: bool = True, folder: str = "runs/churn-2026-11-22-1") -> list[dict]:
    """What the diary of such a run holds, in order."""
    now = START
    diary = [{"event": "run_started", "file": "churn.csv", "target": "Churn", "task": "binary", "rows": 7043, "features": 19,
              "folder": folder, "seed": 0, "time_limit": 60.0, "trials": None, "metric": "auc"}]  # fmt: skip
    proofs = evidence()
    for stage in stages:
        diary.append({"event": "stage_started", "stage": stage, "number": STAGES.index(stage) + 1})
        diary += [{"event": "note", "stage": where, "message": message, **({"column": column} if column else {})}
                  for where, column, message in NOTES if where == stage]  # fmt: skip
        if stage == "tune":
            diary.append({"event": "compiled", "program": "2x128 relu adamw, batch 256", "seconds": 2.6,
                          "background": False})  # fmt: skip
            diary.append({"event": "waited_for_programs", "stage": "tune", "seconds": 1.3})
            diary.append({"event": "progress", "stage": "tune", "done": 34, "total": 243, "alive": 81, "best": 0.8493,
                          "metric": "auc", "seconds_left": 21.0})  # fmt: skip
            diary.append({"event": "member_failed", "member": 5, "stage": "tune", "cause": "loss not finite at epoch 3"})
        diary.append({"event": "stage_finished", "stage": stage, "verdict": proofs[stage].verdict,
                      "summary": proofs[stage].summary, "seconds": SECONDS[stage]})  # fmt: skip
    if finished:
        diary.append({"event": "run_finished", "test_score": 0.856, "low": 0.852, "high": 0.860, "metric": "auc",
                      "seconds": 58.9, "model": f"{folder}/model", "report": f"{folder}/report.html"})  # fmt: skip
    for entry in diary:
        now += SECONDS.get(entry.get("stage", ""), 0) / 4
        entry["time"] = round(now, 3)
    return diary


def write_run(folder: Path, stages=STAGES, finished: bool = True, columns=COLUMNS, target: str = "Churn") -> Path:
    """A whole run folder, or one that ended after some of its stages."""
    folder.mkdir(parents=True)
    proofs = evidence()
    for stage in stages:
        write_evidence(proofs[stage], folder / "evidence")
    _write(folder / "config.json", {"source": "churn.csv", "target": target, "seed": 0, "time_limit": 60.0, "metric": None})
    described = [
        {"name": name, "role": role, "why": why, "missing": 11 if name == "TotalCharges" else 0, "distinct": 2,
         "levels": ["No", "Yes"] if role in ("category", "target") else None}
        for name, role, why in columns
    ]  # fmt: skip
    _write(folder / "schema.json", {"target": target, "task": "binary", "classes": ["No", "Yes"], "columns": described})
    _write(
        folder / "environment.json",
        {"trainwell": "0.1.0", "python": "3.11.7", "jax": "0.10.2", "platform": "Linux", "cores": 2},
    )
    _write(folder / "members" / "history.json", {"metric": "auc", "members": members() if "tune" in stages else []})
    lines = "".join(json.dumps(entry) + "\n" for entry in events(stages, finished))
    (folder / "events.jsonl").write_text(lines)
    return folder


def _write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
