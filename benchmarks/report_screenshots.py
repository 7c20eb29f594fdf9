"""Pictures of finished reports for the documentation: each at the width of a desk and of a phone, light and dark.

    python -m benchmarks.report_screenshots RUN [RUN ...] --out docs/screenshots

Every picture is named after its run folder. Needs Chromium and Playwright, which the extra ``test`` brings.
"""

import argparse
import shutil
from pathlib import Path

from trainwell.report.page import write_report

VIEWS = {"desktop": (1280, 860), "phone": (390, 844)}  # pixels: a common laptop, a common phone
THEMES = ("light", "dark")
PARTS = {"": None, "-networks": "networks"}  # the top of the page, and every network
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        program = next(filter(None, map(shutil.which, CHROMIUM)))
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for run in given.runs:
            take(browser, write_report(run).resolve(), given.out / run.name)
        browser.close()


def take(browser, page_file: Path, name: Path) -> None:
    """All pictures of one report."""
    for view, (width, height) in VIEWS.items():
        for theme in THEMES:
            window = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce"
            )
            page = window.new_page()
            page.goto(page_file.as_uri())
            page.locator(".plot:not(:has(.main-svg))").first.wait_for(state="detached")
            for part, heading in PARTS.items():
                if heading is not None and theme == "dark":
                    continue
                if heading is not None:
                    page.evaluate("id => document.getElementById(id).scrollIntoView()", heading)
                path = name.with_name(f"{name.name}{part}-{view}-{theme}.png")
                page.screenshot(path=path)
                print(f"{path} {path.stat().st_size / 1000:.0f} kB")
            window.close()


if __name__ == "__main__":
    main()
