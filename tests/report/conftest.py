"""A real browser, where the machine has one."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Headless Chromium, driven by Playwright; skipped with a reason where one of the two is missing."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM)} is installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright, which drives the browser, is not installed")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def opened(browser) -> Iterator[Callable]:
    """``opened(page.html, width, ...)``: the page in a window without a network, all its figures drawn, and ``complaints``."""
    from playwright import sync_api

    contexts = []

    def open_page(path: Path, width: int = 1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda said: page.complaints.append(said.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (page.complaints.append("a dialog"), dialog.dismiss()))
        page.on("request", lambda asked: None if asked.url.startswith(("file:", "blob:", "data:"))
                else page.complaints.append(f"asked for {asked.url}"))  # fmt: skip
        page.goto(path.as_uri())
        sync_api.expect(page.locator(".plot:not(:has(.main-svg))")).to_have_count(0, timeout=60_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
