"""A process that does one piece of work each time it is asked, on cores and with threads of its own.

Ours and theirs want different numbers of threads, and libraries keep theirs for the life of a process. So each way of doing the
work lives in a process of its own that stays alive, waits, and answers "run" with the seconds that it took. One line of JSON
in, one line out.
"""

import importlib
import json
import os
import resource
import sys
import time
import warnings
from typing import Any

FEW_STEPS = {"steps": 3, "epochs": 1}


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    task = json.loads(sys.stdin.readline())
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, task["cores"])
    warnings.filterwarnings("ignore")
    module, function = task["way"].split(":")
    prepare = getattr(importlib.import_module(module), function)
    if task["warm_up"]:  # what a library does once, at its first step
        prepare({**task["argument"], **FEW_STEPS})()
    run = prepare(task["argument"])
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        found: dict[str, Any] = run()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"seconds": seconds, "peak_bytes": peak, **found}), file=answers, flush=True)


if __name__ == "__main__":
    main()
