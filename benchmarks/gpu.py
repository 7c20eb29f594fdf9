"""A population on an NVIDIA GPU: time per step of 1 to 1024 members, beside a serial PyTorch loop on the same GPU.

    python -m benchmarks.gpu [--rounds 5] [--most 1024] [--out gpu.json] [name ...]

The loop is measured as users write it (fused Adam) and with its whole step captured in a CUDA graph, by turns with ours. It
trains one network after another, so its time for a population is the time of its own step for each member. The share is that of
the best float32 matrix product on the same GPU, TF32 allowed to everybody. The public anchors: 32 packed networks in 1.2 times
one network's step (TabM), and 11.6 ms per step for 64 networks of width 384 at batch 256 on an A100 (TabPack, with evaluation).
"""

import argparse
import importlib.util
import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measuring import Measured, Process, Way, by_turns, cores, print_table, rate_of, ratio, write_json
from benchmarks.work import Work

OURS, LOOP, GRAPH = "benchmarks.ours:train", "benchmarks.cuda_peers:loop", "benchmarks.cuda_peers:graph"
PRODUCTS = ("benchmarks.matrix_product:jax_large", "benchmarks.cuda_peers:product")
MEMBERS = (1, 4, 16, 32, 64, 256, 1024)
ROUNDS = 5

SHAPES = {
    "anchor": Work((384, 384, 384), epochs=5),  # the width and the batch of the A100's anchor; its depth varies
    "large": Work((256, 256, 256), inputs=20, outputs=1, epochs=5),
    "middle": Work((128, 128), epochs=5),
    "small": Work((32, 32), batch=32, epochs=5),
}  # 500 steps each, of everybody


class Line(NamedTuple):
    """One number of members: ours, and the two loops' step of one network."""

    shape: str
    ours: Measured
    loop: Measured
    graph: Measured
    limit: float

    @property
    def step(self) -> float:
        """Microseconds of one step of the whole population."""
        return self.ours.per_step * self.ours.way.work.networks

    @property
    def share(self) -> float:
        return self.ours.way.work.flops_per_step() / (self.ours.per_step * 1e-6) / self.limit

    def to_json(self) -> dict[str, Any]:
        sides = {"ours": self.ours.to_json(), "loop": self.loop.to_json(), "graph": self.graph.to_json()}
        return {"shape": self.shape, "microseconds_per_step": self.step, "share": self.share, "limit": self.limit, **sides}


def missing() -> str | None:
    """A sentence that says what keeps this from being measured here; None where nothing does."""
    try:
        found = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        found = ""
    if not found:
        return "Not measured: there is no NVIDIA GPU here."
    if importlib.util.find_spec("torch") is None:
        return "Not measured: PyTorch, which ours is compared with, is not installed."
    import torch

    if not torch.cuda.is_available():
        return f"Not measured: PyTorch {torch.__version__} here was built without CUDA or does not see the GPU."
    if importlib.util.find_spec("jax_cuda12_plugin") is None and importlib.util.find_spec("jax_cuda13_plugin") is None:
        return "Not measured: JAX here has no CUDA plug-in; trainwell[cuda] brings it."
    return None


def measure(shape: str, members: Sequence[int], rounds: int) -> list[Line]:
    """All numbers of members by turns with the loops, which train one network each."""
    one, process = SHAPES[shape], (Process(cores(), len(cores())),)
    ways = [Way(f"{n} members", OURS, replace(one, networks=n), process) for n in members]
    loops = [Way("loop", LOOP, one, process), Way("CUDA graph", GRAPH, one, process)]
    products = [Way(function, function, one, process) for function in PRODUCTS]
    measured = by_turns([*ways, *loops, *products], rounds, compiling_together=True)
    loop, graph = measured[len(ways) : len(ways) + 2]
    limit = max(map(rate_of, measured[len(ways) + 2 :]))
    return [Line(shape, ours, loop, graph, limit) for ours in measured[: len(ways)]]


HEADER = ("command", "network", "members", "us per step", "x one member's step", "x loop", "x CUDA graph", "share", "losses")


def lines(found: Sequence[Line]) -> list[list[str]]:
    made = []
    for line in found:
        work = line.ours.way.work
        ratios = [str(ratio(other, line.ours)) for other in (line.loop, line.graph)]
        what = [f"`{line.shape}`", f"{work.shape}, batch {work.batch}", str(work.networks)]
        losses = " / ".join(f"{one.loss:.4f}" for one in (line.ours, line.loop, line.graph))
        against_one = f"{line.step / found[0].step:.2f}"
        made.append([*what, f"{line.step:.0f}", against_one, *ratios, f"{line.share:.1%}", losses])
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[], metavar="name", help=", ".join(SHAPES))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--most", type=int, default=MEMBERS[-1], help="members at most")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(SHAPES):
        parser.error(f"{sorted(unknown)[0]!r} is no network of this table: there are {', '.join(SHAPES)}.")
    if sentence := missing():
        print(sentence)
        return
    os.environ |= {"BENCHMARK_ON_GPU": "1", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # several processes share the GPU
    members = [number for number in MEMBERS if number <= chosen.most]
    found = {}
    for name in chosen.names or SHAPES:
        found[name] = measure(name, members, chosen.rounds)
        print_table(HEADER, lines(found[name]))
        first = found[name][0]
        print(
            f"One network, one step: loop {first.loop.per_step:.0f} us, CUDA graph {first.graph.per_step:.0f} us. "
            f"Best matrix product: {first.limit / 1e12:.1f} TFLOP/s.\n",
            flush=True,
        )
        write_json(chosen.out, {name: [line.to_json() for line in made] for name, made in found.items()})


if __name__ == "__main__":
    main()
