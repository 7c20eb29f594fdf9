"""What is installed with the package: the files in the wheel, and not too many others beside it."""

import re
import subprocess
import sys
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import trainwell

ROOT = Path(__file__).parent.parent
MOST_PACKAGES = 45  # goal: what `pip install trainwell` may bring, itself included


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built with what is installed here."""
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=600)
    (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel):
    of_package = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src" / "trainwell").rglob("*") if path.is_file()}
    expected = {path for path in of_package if "__pycache__" not in path}
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == expected
    assert "trainwell/py.typed" in inside


def test_the_wheel_has_the_version_the_licence_the_command_and_the_extras(wheel):
    def text(name: str) -> str:
        return wheel.read(f"trainwell-{trainwell.__version__}.dist-info/{name}").decode()

    assert "trainwell = trainwell.cli:main" in text("entry_points.txt")
    assert text("licenses/LICENSE") == (ROOT / "LICENSE").read_text()
    extras = set(re.findall(r"^Provides-Extra: (.+)$", text("METADATA"), re.M))
    assert extras >= {"serve", "mlflow", "tensorboard", "export", "torch", "docs", "test"}


def test_the_version_stands_in_one_place():
    version = re.escape(trainwell.__version__)
    files = [ROOT / "pyproject.toml", *(ROOT / "src").rglob("*.py")]
    assert [path.name for path in files if re.search(rf"version.*=.*{version}", path.read_text())] == ["pyproject.toml"]


def installed_with(name: str, extras: frozenset[str] = frozenset(), found: set[str] | None = None) -> set[str]:
    """A package and all that its installation brings, by the requirements that each of them states."""
    found = set() if found is None else found
    if (name, extras) in found:
        return found
    found.add((name, extras))
    for line in requires(name) or []:
        needed = Requirement(line)
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            installed_with(needed.name.lower().replace("_", "-"), frozenset(needed.extras), found)
    return found


def test_few_packages_come_with_it():
    names = {name for name, _ in installed_with("trainwell")}
    assert {"trainwell", "jax", "scikit-learn"} <= names
    assert len(names) <= MOST_PACKAGES, sorted(names)
