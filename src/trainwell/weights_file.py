"""``weights.safetensors``, read as a stranger's: what it must hold is known before it is opened, and nothing else is allocated.

    8 bytes  length n of the header, little-endian
    n bytes  JSON: {name: {"dtype": "F32", "shape": [...], "data_offsets": [begin, end]}, ...}
    rest     the numbers, one tensor after the other

Source: https://github.com/huggingface/safetensors, the format's description.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from trainwell.errors import InputError

HEADER_BYTES = 512  # chosen: of the header for each tensor, at most; our names are shorter than 50 letters
PIECE = 1 << 20  # bytes read at a time where they are only looked at
KIND, SIZE = "F32", 4

Shapes = Mapping[str, tuple[int, ...]]


class Part(NamedTuple):
    """What a file holds of a member: its number, ``"weights"`` or ``"statistics"``, and the shapes by name."""

    member: int
    part: str
    shapes: Shapes

    def name(self, tensor: str) -> str:
        return f"{self.member}/{self.part}/{tensor}"


def read_weights(path: Path, sha256: str, parts: list[Part]) -> dict[str, np.ndarray]:
    """Every tensor by its full name.

    Raises
    ------
    InputError : the file is larger than its tensors can be, is not the one with this fingerprint, or holds others than these.
    """
    expected = {part.name(name): shape for part in parts for name, shape in part.shapes.items()}
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            most = 8 + sum(SIZE * math.prod(shape) + HEADER_BYTES for shape in expected.values()) + HEADER_BYTES
            if size > most:
                raise InputError(
                    f"{path} is damaged: it has {size:,} bytes, for the networks of model.json {most:,} are enough."
                )
            file.seek(0)
            fingerprint = hashlib.sha256()
            while piece := file.read(PIECE):
                fingerprint.update(piece)
            if fingerprint.hexdigest() != sha256:
                raise InputError(f"{path} is damaged: it is not the file that model.json was written with.")
            file.seek(0)
            header, begin = _header(path, file, size)
            _check(path, header, parts, size - begin)
            file.seek(begin)
            numbers = np.fromfile(file, "<f4", (size - begin) // SIZE)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    tensors = {name: _part_of(numbers, header[name], shape) for name, shape in expected.items()}
    for part in parts:
        if not all(np.isfinite(tensors[part.name(name)]).all() for name in part.shapes):
            raise _no_numbers(path, part)
    return tensors


def _header(path: Path, file: BinaryIO, size: int) -> tuple[dict[str, Any], int]:
    """(the tensors by name, the byte at which their numbers begin)."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise InputError(f"{path} is damaged: its header is longer than the file.")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError):
        raise InputError(f"{path} is damaged: its header is no JSON.") from None
    if not isinstance(header, dict):
        raise InputError(f"{path} is damaged: its header names no tensors.")
    header.pop("__metadata__", None)
    return header, 8 + length


def _check(path: Path, header: dict[str, Any], parts: list[Part], length: int) -> None:
    """Names, kinds, shapes and places are those of the parts; the tensors fill the file and none lies on another."""
    known = {part.name(name) for part in parts for name in part.shapes}
    for part in parts:
        start = f"{part.member}/{part.part}/"
        found = {name.removeprefix(start): one for name, one in header.items() if name.startswith(start)}
        entries = [one if isinstance(one, dict) else {} for one in found.values()]
        if {name: one.get("shape") for name, one in zip(found, entries, strict=True)} != _listed(part.shapes):
            raise InputError(f"{path} does not hold the {part.part} that member {part.member} needs.")
        if any(one.get("dtype") != KIND for one in entries):
            raise _no_numbers(path, part)
    if unknown := sorted(set(header) - known):
        raise InputError(f"{path} is damaged: it holds {unknown[0][:60]!r}, which is no weight of its networks.")
    end = 0
    for place in (one.get("data_offsets") for one in header.values()):
        if not (isinstance(place, list) and len(place) == 2 and all(type(byte) is int for byte in place)):
            raise InputError(f"{path} is damaged: its header does not say where its tensors are.")
    for one in sorted(header.values(), key=lambda one: one["data_offsets"]):
        begin, stop = one["data_offsets"]
        if begin != end or stop - begin != SIZE * math.prod(one["shape"]):
            raise InputError(f"{path} is damaged: its tensors do not lie one after the other.")
        end = stop
    if end != length:
        raise InputError(f"{path} is damaged: its tensors take {end:,} bytes, it has {length:,}.")


def _listed(shapes: Shapes) -> dict[str, list[int]]:
    return {name: list(shape) for name, shape in shapes.items()}


def _no_numbers(path: Path, part: Part) -> InputError:
    return InputError(f"{path} holds values for member {part.member} that are no finite numbers.")


def _part_of(numbers: np.ndarray, entry: dict[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    begin, stop = (byte // SIZE for byte in entry["data_offsets"])
    return numbers[begin:stop].reshape(shape).astype(np.float32, copy=False)
