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


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_report(made_up_run.write_run(tmp_path_factory.mktemp("browser") / "run"))


@pytest.fixture(scope="module")
def page_of_many(tmp_path_factory):
    folder = made_up_run.write_run(tmp_path_factory.mktemp("many") / "run")
    curve = [0.3 + 0.1234567 / (epoch + 1) for epoch in range(300)]
    members = [{**one, "training_loss": curve, "validation_loss": curve} for one in made_up_run.members(256)]
    (folder / "members" / "history.json").write_text(json.dumps({"metric": "auc", "members": members}))
    return write_report(folder)


def test_every_figure_is_drawn_without_a_network_and_without_a_complaint(report, opened):
    page = opened(report)
    figures = page.locator("script[type='application/json']").count()
    assert figures == 10
    assert page.locator(".plot:has(svg.main-svg)").count() == figures
    assert all(
        page.locator(".plot").nth(place).locator("svg.main-svg").first.bounding_box()["width"] > 100 for place in range(10)
    )
    assert page.complaints == []


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_nothing_is_wider_than_the_window(report, opened, width):
    page = opened(report, width, has_touch=width < 500)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(OVERFLOWING) == []


def test_the_dark_theme_colours_page_and_figures(report, opened):
    page = opened(report, color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 27)"
    colour = "document.querySelector('.plot .xtick text').style.fill"
    assert page.evaluate(colour) == "rgb(171, 175, 179)"
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"{colour} === 'rgb(84, 88, 93)'")
    assert page.complaints == []


def test_the_keyboard_reaches_contents_folds_and_tables_that_scroll(report, opened):
    page = opened(report, 390)
    reached = []
    for _ in range(120):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "(one => one === document.body ? null : one.tagName + ' ' + (one.getAttribute('href') || one.className || ''))"
            "(document.activeElement)"
        )
        if found is None:
            break
        reached.append(found.strip())
    assert reached[0] == "A #report"
    for stage in ("look", "squeeze", "card", "settings"):
        assert f"A #{stage}" in reached
    assert reached.count("SUMMARY") == page.locator("summary:visible").count()
    assert any(one.startswith("DIV table") for one in reached)


def test_the_skip_link_leads_past_the_contents(report, opened):
    page = opened(report)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "report"


def test_folds_open_by_keyboard(report, opened):
    page = opened(report)
    fold = page.locator("summary:has-text('The numbers')").first
    fold.focus()
    page.keyboard.press("Enter")
    assert page.locator("details[open]").count() == 1


def test_landmarks_headings_and_names_are_there_for_a_screen_reader(report, opened):
    page = opened(report)
    tree = page.locator("body").aria_snapshot()
    for landmark in ("banner:", 'navigation "Contents":', "main:", "contentinfo:"):
        assert landmark in tree
    assert (
        page.locator("main section").count()
        == len(re.findall(r"^ *- region .*:$", tree, re.M)) - page.locator("main .table[role=region]:visible").count()
    )
    assert page.locator("th:not([scope])").count() == 0
    assert page.locator("[role=img]:not([aria-label])").count() == 0


def test_motion_is_spared_those_who_asked_for_it(report, opened):
    page = opened(report, reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_the_printed_page_is_light_and_holds_every_figure(report, opened):
    page = opened(report, color_scheme="dark")
    paper = page.pdf(format="A4", print_background=True)
    assert paper.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) >= 5
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.querySelector('.plot .xtick text').style.fill") == "rgb(84, 88, 93)"
    assert page.locator(".contents").is_hidden()
    page.evaluate("dispatchEvent(new Event('afterprint'))")


def test_a_thumb_on_a_figure_scrolls_the_page(report, opened):
    page = opened(report, 390, has_touch=True, is_mobile=True)
    place = page.locator(".plot").nth(1)
    place.scroll_into_view_if_needed()
    box, before = place.bounding_box(), page.evaluate("scrollY")
    page.context.new_cdp_session(page).send(
        "Input.synthesizeScrollGesture",
        {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "yDistance": -200, "gestureSourceType": "touch"},
    )
    assert page.evaluate("scrollY") > before + 100


def test_256_networks_are_few_elements_and_a_small_page(page_of_many, opened):
    assert page_of_many.stat().st_size < 6_000_000
    page = opened(page_of_many)
    assert page.locator(".plot path.js-line").count() < 60
    assert page.complaints == []


@pytest.mark.parametrize("kind", [kind for kind in NAMES if kind != "nothing"])
def test_hostile_names_are_text_in_the_browser(tmp_path, opened, kind):
    path = write_report(write_hostile_run(tmp_path / "run", NAMES[kind]))
    page = opened(path, 390)
    assert page.complaints == []
    assert page.locator("img, iframe, object, embed, form, main script:not([type])").count() == 0
    assert page.locator(".plot a, .plot b, .plot foreignObject").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(OVERFLOWING) == []
    shown = page.locator(".plot text").all_text_contents()
    start = re.split(r"\s", NAMES[kind].encode("utf-8", "replace").decode())[0][:12]
    assert any(start in text for text in shown)
