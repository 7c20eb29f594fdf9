"""How a server answers many clients: single rows at a rate, from a process of its own.

python -m benchmarks.serving [--rate 200] [--seconds 20] [--out serving.json]

The model is nine networks of 3x256 on 20 columns, as a long search leaves one; its weights are drawn, since how long it takes
does not depend on them. Requests are sent at their times, whether or not those before them were answered, and a request's time
counts from when it was due: a server that falls behind cannot hide it. The processor time of a request is the server's own.

Source of the way of counting: Schroeder, Wierman & Harchol-Balter (2006), "Open versus closed: a cautionary tale".
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROWS, NUMBERS, NAMES = 400, 16, 4
MEMBERS, WIDTHS = 9, (256, 256, 256)
CONNECTIONS = 32
WARM = 2.0  # seconds that are not counted
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
HEADER = (
    "requests together, at most",
    "requests a second",
    "errors",
    "median",
    "p99",
    "longest",
    "requests in a batch",
    "processor time a request",
)


class Load(NamedTuple):
    """Requests a second, for so many seconds, of so many connections."""

    rate: float
    seconds: float
    connections: int = CONNECTIONS


def columns() -> dict[str, list]:
    """Sixteen numbers, four categories, a class."""
    chance = np.random.default_rng(0)
    numbers = {f"number_{i}": chance.normal(size=ROWS).tolist() for i in range(NUMBERS)}
    names = {f"name_{i}": chance.choice(list("abcdefghijkl"), ROWS).tolist() for i in range(NAMES)}
    return {**numbers, **names, "left": chance.choice(["no", "yes"], ROWS).tolist()}


def save_model(folder: Path) -> None:
    """A model of the size that is measured."""
    from trainwell.data.encode import fit_encoder
    from trainwell.data.schema import infer_schema
    from trainwell.data.tables import read_table
    from trainwell.model import EnsembleMember, Model
    from trainwell.network.forward import shapes
    from trainwell.network.structure import Structure, resolve

    table = read_table(columns())
    schema, _ = infer_schema(table, "left")
    encoder = fit_encoder(table, schema, np.arange(ROWS))
    structure = Structure(
        numeric=len(encoder.numeric_names), continuous=encoder.continuous, cardinalities=encoder.cardinalities,
        outputs=1, loss="binary_cross_entropy", widths=WIDTHS,
    )  # fmt: skip
    chance = np.random.default_rng(0)

    def drawn(shape: tuple[int, ...]) -> np.ndarray:
        return (chance.normal(size=shape) / np.sqrt(max(shape, default=1))).astype(np.float32)

    members = tuple(
        EnsembleMember(number, 1 / MEMBERS, structure.to_json(), dict(resolve(structure)), *_drawn(shapes(structure), drawn))
        for number in range(MEMBERS)
    )
    Model(encoder, members, "auc").save(folder)


def _drawn(parts, drawn):
    return [{name: drawn(shape) for name, shape in part.items()} for part in parts]


def client(port: int, load: Load, answers) -> None:
    """A process of its own: sends, and hands over (seconds of every request, errors)."""
    answers.put(asyncio.run(_send_all(port, load)))


async def _send_all(port: int, load: Load) -> tuple[list[float], int]:
    table = columns()
    bodies = []
    for row in range(ROWS):
        cells = {name: cells[row] for name, cells in table.items() if name != "left"}
        bodies.append(json.dumps({"rows": [cells]}).encode())
    due: asyncio.Queue[tuple[int, float]] = asyncio.Queue()
    times: list[float] = []
    errors = 0

    async def connection() -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (job := await due.get())[0] >= 0:
            number, when = job
            body = bodies[number % ROWS]
            writer.write(HEAD % len(body) + body)
            status, content = await _answer(reader)
            errors += status != 200 or b'"prediction"' not in content
            if number >= WARM * load.rate:
                times.append(time.perf_counter() - when)
        writer.close()

    clients = [asyncio.create_task(connection()) for _ in range(load.connections)]
    began = time.perf_counter() + 0.1
    for number in range(int((WARM + load.seconds) * load.rate)):
        when = began + number / load.rate
        await asyncio.sleep(max(0.0, when - time.perf_counter()))
        due.put_nowait((number, when))
    for _ in clients:
        due.put_nowait((-1, 0.0))
    await asyncio.gather(*clients)
    return times, errors


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"content-length: (\d+)", head, re.I)
    return int(head.split()[1]), await reader.readexactly(int(length[1]) if length else 0)


def measure(folder: Path, load: Load, together: int) -> dict[str, float]:
    """One server and one client; figures of all requests."""
    code = f"from benchmarks.serving import serve; serve({str(folder)!r}, {together})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        address = re.search(r":(\d+)$", said.strip())
        if address is None:
            raise SystemExit(f"the server said {said!r} and no address")
        try:
            context = multiprocessing.get_context("spawn")
            answers = context.Queue()
            process = context.Process(target=client, args=(int(address[1]), load, answers))
            before = _processor_seconds(server.pid)
            process.start()
            times, errors = answers.get(timeout=60 + 20 * load.seconds)
            process.join()
            computed = (_processor_seconds(server.pid) - before) / (load.rate * (WARM + load.seconds))
            batch = _mean_batch(int(address[1]))
        finally:
            server.send_signal(signal.SIGTERM)
    if server.returncode:
        raise SystemExit(f"the server ended with {server.returncode}")
    low, high = np.quantile(times, (0.5, 0.99))
    rate = len(times) / load.seconds
    figures = {"median": low, "p99": high, "longest": max(times), "batch": batch, "processor": computed}
    return {"together": together, "rate": rate, "errors": errors, **figures}


def serve(folder: str, together: int) -> None:
    """The server of a measurement, on a free port that it prints."""
    from trainwell.serving import worker
    from trainwell.serving.limits import Limits
    from trainwell.serving.server import serve as serve_model

    worker.MOST_TOGETHER = together
    serve_model(Path(folder), "127.0.0.1", 0, Limits(), ready=lambda address: print(address, flush=True))


def _processor_seconds(process: int) -> float:
    """What a process has computed so far: figures 14 and 15 of its line in /proc (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _mean_batch(port: int) -> float:
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    total, count = (float(re.search(rf"^trainwell_batch_requests_{name} (\S+)$", text, re.M)[1]) for name in ("sum", "count"))
    return total / count


def lines(found: list[dict[str, float]]) -> list[tuple[str, ...]]:
    def milliseconds(value: float) -> str:
        return f"{1e3 * value:.1f} ms"

    return [
        (f"{one['together']:g}", f"{one['rate']:.0f}", f"{one['errors']:g}",
         *(milliseconds(one[name]) for name in ("median", "p99", "longest")),
         f"{one['batch']:.2f}", milliseconds(one["processor"]))
        for one in found
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__.split("\n")[0])
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--together", type=int, nargs="+", default=[1, 64], help="requests that are predicted at once, at most")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder))
        found = [measure(Path(folder), Load(chosen.rate, chosen.seconds), together) for together in chosen.together]
    for cells in (HEADER, ("---",) * len(HEADER), *lines(found)):
        print("| " + " | ".join(cells) + " |")
    if chosen.out:
        chosen.out.write_text(json.dumps({"cores": os.cpu_count(), "measured": found}, indent=1))


if __name__ == "__main__":
    main()
