"""The site of the documentation builds without a warning, and asks no other machine for anything."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_every_page_is_in_the_site_and_in_its_contents(site):
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"README"}
    contents = (site / "index.html").read_text()
    for page in pages:
        assert (site / f"{page}.html").is_file()
        assert f'href="{page}.html"' in contents, page


def test_the_reference_says_what_each_parameter_is(site):
    text = (site / "api.html").read_text()
    for name in ("trainwell.recipe.run.fit", "trainwell.model.Model", "trainwell.torch.preflight"):
        assert f'id="{name}"' in text
    assert "path of a .csv, .tsv or .txt file" in text


def test_no_page_loads_anything_from_another_machine(site):
    for path in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(https?:[^\"]+)", path.read_text())
        assert loaded == [], path.name
