"""Programs kept on the disk: read back whole, and compiled again without a word where an entry cannot be read."""

import os
import subprocess
import sys

from trainwell.population.kept_programs import SUFFIX, KeptPrograms

COMPILE = """
import jax
from trainwell.population import devices
(device,) = devices.start(1)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
hits = []
jax.monitoring.register_event_listener(lambda event, **more: hits.append(event) if event.endswith("/cache_hits") else None)
jax.jit(lambda x: x * x + 1).lower(jax.ShapeDtypeStruct((3,), "float32")).compile()
print(len(hits))
"""


def test_what_was_kept_is_read_back_and_what_was_not_is_none(tmp_path):
    programs = KeptPrograms(tmp_path / "programs")
    assert programs.get("a") is None
    programs.put("a", b"code of a")
    programs.put("b", b"")
    programs.put("a", b"code of another")
    assert (programs.get("a"), programs.get("b"), programs.get("c")) == (b"code of a", b"", None)
    assert {path.name for path in (tmp_path / "programs").iterdir()} == {f"a{SUFFIX}", f"b{SUFFIX}"}


def test_an_entry_cut_short_or_altered_goes_and_is_kept_anew(tmp_path):
    programs = KeptPrograms(tmp_path)
    path = tmp_path / f"a{SUFFIX}"
    programs.put("a", b"code of a")
    whole = path.read_bytes()
    for broken in (b"", whole[:10], whole[:-1], whole[:-1] + b"x"):
        path.write_bytes(broken)
        assert programs.get("a") is None
        assert not path.exists()
        programs.put("a", b"code of a")
        assert programs.get("a") == b"code of a"


def test_where_nothing_can_be_written_nothing_is_kept_and_nothing_said(tmp_path):
    (tmp_path / "file").write_text("")
    programs = KeptPrograms(tmp_path / "file" / "programs")
    programs.put("a", b"code of a")
    assert programs.get("a") is None


def test_half_an_entry_on_the_disk_is_compiled_again_without_a_warning_and_mended(tmp_path):
    folder = tmp_path / "trainwell" / "programs"

    def hits() -> int:
        environment = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
        environment |= {"XDG_CACHE_HOME": str(tmp_path), "JAX_PLATFORMS": "cpu"}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", COMPILE], env=environment, capture_output=True, text=True, timeout=300
        )
        assert (done.returncode, done.stderr) == (0, "")
        return int(done.stdout)

    assert hits() == 0
    kept = {path: path.read_bytes() for path in folder.glob(f"*{SUFFIX}")}
    assert kept
    assert hits() == len(kept), "this version of JAX reads what was kept"
    for path, content in kept.items():
        path.write_bytes(content[: len(content) // 2])
    assert hits() == 0
    assert all(path.stat().st_size > len(content) // 2 + 1 for path, content in kept.items())
    assert hits() == len(kept)
