"""One fit on one table of `benchmarks.tabular`, in the environment that its system needs: prints score and seconds as JSON.

python tabular_fits.py FOLDER_OF_TABLES_PY SYSTEM TABLE SEED [FOLDER_OF_COMPILED_PROGRAMS [SECONDS | NUMBER-networks [ROWS]]]
"""

import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

OURS = {"trainwell": {}, "trainwell-best": {"effort": "best"}, "trainwell-fast": {"effort": "fast"}}
ABLATIONS: dict[str, dict[str, Any]] = {  # what a run is with one part taken away, and below with one that is off by default
    "whole": {},
    "no-embedding": {"settings": {"numeric_embedding": "none"}},
    "one-frequency": {"settings": {"periodic.frequency": 0.1}},
    "no-cross-fit": {"without": "cross_fit"},
    "no-ensemble": {"without": "ensemble"},
    "beta2-0.999": {"settings": {"adam.beta2": 0.999}},
    "no-regularizers": {"settings": {"dropout.rate": 0.0, "weight_decay.rate": 0.0}},
    "random-search": {"search": "random"},
    "relu": {"settings": {"activation": "relu"}},
    "no-input-scaling": {"settings": {"input_scaling": "none"}},
    "no-adapters": {"settings": {"adapters": 0}},
    "all-adapters": {"settings": {"adapters": 8}},
    "quantile-scaling": {"settings": {"numeric_scaling": "quantile"}},
    "weight-averaging": {"settings": {"weight_averaging": "exponential"}},
    "coslog4": {"settings": {"schedule": "coslog4"}},
    "lsuv": {"settings": {"first_pass": "lsuv"}},
}
SHARES_PROGRAMS = (
    "one-frequency",
    "no-cross-fit",
    "no-ensemble",
    "beta2-0.999",
    "no-regularizers",
    "random-search",
    "no-adapters",
)  # of "whole"
MOST_TESTED = 5000  # chosen: of a table of which few rows train
NETWORKS = "-networks"  # after a number: a run that hangs on no clock
PEERS = ("sklearn-mlp", "lightgbm", "catboost", "realmlp-td")


def ours(
    options: dict[str, Any], train: Any, test: Any, target: str, task: str, seed: int, programs: str | None
) -> tuple[Any, float]:
    """(predictions, seconds of the fit); the given test rows are scored by the run itself, and never chosen by. Unless there is
    a folder of ``programs`` nothing that an earlier run compiled is at hand, as for somebody with a new table."""
    import trainwell
    from trainwell.recipe import run  # noqa: F401 - loading is not fitting
    from trainwell.recipe.squeeze import finalists

    without = options.pop("without", None)
    if without == "cross_fit":
        finalists.affordable = lambda *given: 0
    if without == "ensemble":
        finalists.greedy = lambda predictions, target, ranks, *_: {int(ranks.argmax()): 1.0}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = programs or folder
        rows = Path(folder) / "test.parquet"
        test.to_parquet(rows)
        began = time.perf_counter()
        fitted = trainwell.fit(train, target, task=task, test=rows, seed=seed, out=Path(folder) / "run", **options)
        seconds = time.perf_counter() - began
        inputs = test.drop(columns=target)
        return fitted.predict_proba(inputs)[:, 1] if task == "binary" else fitted.predict(inputs), seconds


def peer(name: str, train: Any, test: Any, target: str, task: str, seed: int) -> tuple[Any, float]:
    """(predictions, seconds of the fit) of a peer at its defaults, on the same rows."""
    import numpy as np

    inputs, rows = _as_categories(train.drop(columns=target), test.drop(columns=target))
    labels = train[target].to_numpy("float64") if task == "regression" else _numbered(train[target], train[target])
    model, plain = _peer_model(name, task, inputs)
    inputs, rows = inputs.astype(plain), rows.astype(plain)
    if name == "realmlp-td":  # it refuses missing numbers
        medians = inputs.median(numeric_only=True)
        inputs, rows = inputs.fillna(medians), rows.fillna(medians)
    began = time.perf_counter()
    model.fit(inputs, labels)
    seconds = time.perf_counter() - began
    return model.predict_proba(rows)[:, 1] if task == "binary" else np.ravel(model.predict(rows)), seconds


def _peer_model(name: str, task: str, inputs: Any) -> tuple[Any, dict[str, type]]:
    import pandas as pd

    kind = "Regressor" if task == "regression" else "Classifier"
    names = [column for column in inputs if isinstance(inputs[column].dtype, pd.CategoricalDtype)]
    if name == "sklearn-mlp":
        from sklearn import neural_network

        network = getattr(neural_network, f"MLP{kind}")(early_stopping=True, max_iter=200, random_state=0)
        return _one_hot(network, names, [column for column in inputs if column not in names]), {}
    if name == "lightgbm":
        import lightgbm

        return getattr(lightgbm, f"LGBM{kind}")(verbose=-1, n_jobs=2), {}
    if name == "catboost":
        import catboost

        model = getattr(catboost, f"CatBoost{kind}")(verbose=0, thread_count=2, cat_features=names, allow_writing_files=False)
        return model, dict.fromkeys(names, str)
    import pytabkit

    options: dict[str, Any] = {"device": "cpu", "n_threads": 2, "random_state": 0, "verbosity": 0}
    if task == "binary":
        options["val_metric_name"] = "1-auc_ovr"
    return getattr(pytabkit, f"RealMLP_TD_{kind}")(**options), {}


def _one_hot(model: Any, names: list[str], numbers: list[str]) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    measured = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    levels = OneHotEncoder(handle_unknown="ignore", sparse_output=False, min_frequency=5)
    return make_pipeline(make_column_transformer((measured, numbers), (levels, names)), model)


def _as_categories(train: Any, test: Any) -> tuple[Any, Any]:
    """Both with text as categories, and columns by plain names: LightGBM refuses brackets in them."""
    import pandas as pd

    names = {column: f"column_{place}" for place, column in enumerate(train.columns)}
    train, test = train.rename(columns=names), test.rename(columns=names)
    for column in train:
        if pd.api.types.is_bool_dtype(train[column]):
            train[column], test[column] = train[column].astype(int), test[column].astype(int)
        elif not pd.api.types.is_numeric_dtype(train[column]):
            texts = [p[column].astype("object").where(p[column].notna(), "missing").astype(str) for p in (train, test)]
            kinds = pd.CategoricalDtype(sorted(set(texts[0]) | set(texts[1])))
            train[column], test[column] = (text.astype(kinds) for text in texts)
    return train, test


def _numbered(labels: Any, of: Any) -> Any:
    return labels.map({label: place for place, label in enumerate(sorted(of.unique()))}).to_numpy()


def few(train: Any, test: Any, target: str, task: str, rows: int, seed: int) -> tuple[Any, Any]:
    """So many training rows at random, and as many test rows as make the score sure; of classes that the former have."""
    train = train.sample(rows, random_state=seed).reset_index(drop=True)
    test = test.sample(min(len(test), MOST_TESTED), random_state=seed)
    return train, test[test[target].isin(set(train[target]))] if task == "multiclass" else test


def main(
    folder: str,
    system: str,
    table: str,
    seed: str,
    programs: str | None = None,
    limit: str | None = None,
    rows: str | None = None,
) -> None:
    warnings.filterwarnings("ignore")
    sys.path.insert(0, folder)
    import tables  # of that folder

    train, test, target, task = tables.load(table, int(seed))
    if rows is not None:
        train, test = few(train, test, target, task, int(rows), int(seed))
    if system in PEERS:
        predictions, seconds = peer(system, train, test, target, task, int(seed))
    else:
        options: dict[str, Any] = {**OURS, **ABLATIONS}[system] | {}
        if limit is not None and limit.endswith(NETWORKS):
            options |= {"effort": "fast", "trials": int(limit.removesuffix(NETWORKS))}
        elif limit is not None:
            options |= {"time_limit": float(limit), "trials": 72}
        predictions, seconds = ours(options, train, test, target, task, int(seed), programs)
    truth = test[target]
    if task == "binary":
        truth = _numbered(truth, train[target])
    elif task == "multiclass":  # trainwell gives labels as text, the peers give their numbers
        truth = truth.astype(str).to_numpy() if system not in PEERS else _numbered(truth, train[target])
    print(json.dumps({"score": float(tables.score(task, truth, predictions)), "seconds": round(seconds, 2)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
