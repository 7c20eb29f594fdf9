"""The folder of compiled programs: an entry is there whole or not at all, and one that cannot be read is compiled again.

JAX writes an entry into its place as it goes and never writes one that is there. A run killed at that moment, or a full disk,
left half an entry, of which every later run warned and which none mended. Ours are written beside their place first, begin with
a digest of what follows, and go when they do not agree with it. Where nothing can be written, programs are just not kept.
"""

import hashlib
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import jax

from trainwell.files import write_whole

SUFFIX = ".program"
DIGEST = hashlib.sha256


class KeptPrograms:
    """What JAX asks of a cache of programs: ``get`` and ``put`` of bytes by a key."""

    def __init__(self, folder: Path) -> None:
        self._path = folder  # JAX asks for it under this name

    def get(self, key: str) -> bytes | None:
        """The entry; None where there is none that can be read."""
        path = self._place(key)
        with suppress(OSError):
            written = path.read_bytes()
            digest, content = written[: DIGEST().digest_size], written[DIGEST().digest_size :]
            if DIGEST(content).digest() == digest:
                return content
            path.unlink()
        return None

    def put(self, key: str, value: bytes) -> None:
        """Keep an entry, if there is none yet and the disk takes it."""
        with suppress(OSError):
            if not self._place(key).exists():
                write_whole(self._place(key), DIGEST(value).digest() + value)

    def _place(self, key: str) -> Path:
        return self._path / f"{key}{SUFFIX}"


def keep_programs_in(folder: Path) -> None:
    """Have JAX keep its programs in a folder as `KeptPrograms` does; as JAX itself does in versions that cannot be told so."""
    with suppress(ImportError, AttributeError):
        own: Any = import_module("jax._src.compilation_cache")
        make = own.get_file_cache
        own.get_file_cache = lambda path: (KeptPrograms(folder), path) if path == str(folder) else make(path)
    cast(Any, jax.config).update("jax_compilation_cache_dir", str(folder))
