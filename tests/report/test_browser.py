"""The report in a real browser: it draws itself without a network, on a phone, in the dark, for the keyboard and on paper."""

import json
import re

import pytest

import made_up_run
from report.hostile_run import NAMES, write_hostile_run
from trainwell.report.page import write_report

OVERFLOWING = """() => [...document.querySelectorAll('body *')].filter(one => {
  const box = one.getBoundingClientRect();
  return box.width && box.right > innerWidth + 1 && !one.closest('.table, pre, .plot, .unseen, .skip');
}).map(one => one.tagName + '.' + one.className)"""
FOCUS = """(one => one === document.body ? null : one.tagName + ' ' + (one.getAttribute('href') || one.className || ''))(
  document.activeElement)"""
LABEL = "document.querySelector('.plot .xtick text').style.fill"
GROUND = "getComputedStyle(document.body).backgroundColor"
DRAWN_DIFFERENTLY = ("markup", "10,000 letters", "formula of TeX", "colour of the page")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_report(made_up_run.write_run(tmp_path_factory.mktemp("browser") / "run"))


@pytest.fixture(scope="module")
def desktop(report, opened):
    """One window that several tests read without changing it."""
    return opened(report)


@pytest.fixture(scope="module")
def phone(report, opened):
    return opened(report, 390, has_touch=True, is_mobile=True)


def test_every_figure_is_drawn_without_a_network_and_without_a_complaint(desktop):
    figures = desktop.locator("script[type='application/json']").count()
    assert figures == 10
    widths = desktop.evaluate("[...document.querySelectorAll('.plot .main-svg:first-child')].map(one => one.clientWidth)")
    assert len(widths) == figures
    assert min(widths) > 100
    assert desktop.complaints == []


def test_nothing_is_wider_than_the_window(desktop, phone):
    for page, width in ((desktop, 1280), (phone, 390)):
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(OVERFLOWING) == []


def test_landmarks_and_names_are_there_for_a_screen_reader(desktop):
    tree = desktop.locator("body").aria_snapshot()
    for landmark in ("banner:", 'navigation "Contents":', "main:", "contentinfo:", 'region "Model card":'):
        assert landmark in tree
    assert desktop.locator("th:not([scope])").count() == 0
    assert desktop.locator("[role=img]:not([aria-label])").count() == 0


def test_the_keyboard_reaches_contents_folds_and_tables_that_scroll(phone):
    reached = []
    for _ in range(150):
        phone.keyboard.press("Tab")
        found = phone.evaluate(FOCUS)
        if found is None:
            break
        reached.append(found.strip())
    assert reached[0] == "A #report"
    for part in ("look", "squeeze", "card", "settings"):
        assert f"A #{part}" in reached
    assert reached.count("SUMMARY") == phone.locator("summary:visible").count()
    assert any(one.startswith("DIV table") for one in reached)


def test_the_skip_link_leads_past_the_contents_and_folds_open_by_keyboard(report, opened):
    page = opened(report, reduced_motion="reduce")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "report"
    page.locator("summary:has-text('The numbers')").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details[open]").count() == 1
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_a_thumb_on_a_figure_scrolls_the_page_and_a_tap_tells_a_value(phone):
    phone.emulate_media(reduced_motion="reduce")
    bar = phone.locator(".plot .bars .point path").first
    bar.scroll_into_view_if_needed()
    phone.wait_for_timeout(300)
    box = bar.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    phone.touchscreen.tap(x, y)
    phone.locator(".hoverlayer .hovertext").first.wait_for()
    before, hand = phone.evaluate("scrollY"), phone.context.new_cdp_session(phone)
    hand.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 9):
        hand.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y - 20 * step}]})
    hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    phone.wait_for_function("before => scrollY > before + 80", arg=before)
    assert phone.evaluate("scrollY") > before + 80


def test_the_dark_page_turns_light_and_is_light_on_paper(report, opened):
    from playwright.sync_api import expect

    page = opened(report, color_scheme="dark")
    assert (page.evaluate(GROUND), page.evaluate(LABEL)) == ("rgb(21, 24, 27)", "rgb(171, 175, 179)")
    paper = page.pdf(format="A4", print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) >= 5
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert (page.evaluate(GROUND), page.evaluate(LABEL)) == ("rgb(255, 255, 255)", "rgb(84, 88, 93)")
    assert page.locator(".contents").is_hidden()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(LABEL) == "rgb(171, 175, 179)"
    page.emulate_media(media="screen", color_scheme="light")
    expect(page.locator(".plot .xtick text").first).to_have_css("fill", "rgb(84, 88, 93)")
    assert page.complaints == []


def test_256_networks_are_two_lines_each_and_a_small_page(tmp_path, opened):
    folder = made_up_run.write_run(tmp_path / "run")
    curve = [0.3 + 0.1234567 / (epoch + 1) for epoch in range(300)]
    members = [{**one, "training_loss": curve, "validation_loss": curve} for one in made_up_run.members(256)]
    (folder / "members" / "history.json").write_text(json.dumps({"metric": "auc", "members": members}))
    path = write_report(folder)
    assert path.stat().st_size < 6_000_000
    page = opened(path)
    assert page.locator(".plot path.js-line").count() < 2 * 256 + 50
    assert page.complaints == []


@pytest.mark.parametrize("kind", DRAWN_DIFFERENTLY)
def test_hostile_names_are_text_in_the_browser(tmp_path, opened, kind):
    page = opened(write_report(write_hostile_run(tmp_path / "run", NAMES[kind])), 390)
    assert page.complaints == []
    assert page.locator("img, iframe, object, embed, form, main script:not([type])").count() == 0
    assert page.locator(".plot a, .plot b, .plot foreignObject").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(OVERFLOWING) == []
    assert any(NAMES[kind][:12] in text for text in page.locator(".plot text").all_text_contents())
