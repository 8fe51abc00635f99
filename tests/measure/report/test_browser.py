"""The page in a real browser: pointing, zooming, switching a series off, light and dark, on a desk and on a phone."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.report.html import render
from tests.measure.report import hostile

DESK, PHONE = 1400, 390
expect.set_options(timeout=30_000)  # milliseconds; a machine that is busy draws slowly
MARKS = ".mark-symbol.role-mark path, .mark-rect.role-mark path"
TICKS = ".role-axis-label text"
PLOTS = ("latency", "curve", "sides", "gaps", "timeouts", "over-time", "timeline", "memory")


@dataclass
class Opened:
    """A page in the browser, and what must not happen in it: messages to the console, errors, requests."""

    page: Page
    problems: list[str] = field(default_factory=list)

    def plot(self, name: str) -> Locator:
        """A figure, scrolled to, after the script has drawn it."""
        figure = self.page.locator(f"#plot-{name}")
        figure.scroll_into_view_if_needed()
        expect(figure.locator("svg.marks")).to_be_visible()
        expect(figure.locator(".static")).to_be_hidden()
        return figure

    def wait_for_ticks(self, name: str, whole: list[str], *, same: bool) -> None:
        """Wait until a plot's ticks are those of all its data, in any order, or others."""
        shown = f"[...document.querySelectorAll('#plot-{name} {TICKS}')].map((each) => each.textContent).sort()"
        compared = f"(whole) => (JSON.stringify({shown}) === JSON.stringify(whole)) === {str(same).lower()}"
        self.page.wait_for_function(compared, arg=whole)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed: apt-get install chromium")
        pytest.skip("needs chromium (Debian's package)")
    with sync_playwright() as playwright:
        # Chromium's sandbox does not start as root, as which CI runs.
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(directory: Path) -> Path:
    """The page of a run with everything."""
    return directory / "report.html"


def opening(browser: Browser, path: Path, width: int, scheme: str = "light", script: bool = True) -> Opened:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme,  # type: ignore[arg-type]
                                  java_script_enabled=script)  # fmt: skip
    opened = Opened(context.new_page())
    opened.page.on("console", lambda message: opened.problems.append(message.text))
    opened.page.on("pageerror", lambda error: opened.problems.append(str(error)))
    opened.page.on("request", lambda request: opened.problems.append(request.url)
                   if not request.url.startswith((path.as_uri(), "data:")) else None)  # fmt: skip
    opened.page.goto(path.as_uri())
    return opened


@pytest.fixture(scope="module")
def opened(request: pytest.FixtureRequest, browser: Browser, file: Path) -> Iterator[Opened]:
    """That page at a width, such as a desk's or a phone's."""
    opened = opening(browser, file, request.param)
    yield opened
    opened.page.context.close()


@pytest.mark.parametrize(
    ("opened", "name"), [*((DESK, name) for name in PLOTS), (PHONE, "latency"), (PHONE, "memory")], indirect=["opened"]
)
def test_a_plot_tells_its_values_and_is_zoomed(opened: Opened, name: str) -> None:
    """Whoever points at a mark sees numbers; a button zooms, which the keyboard reaches, or the wheel with Control."""
    figure = opened.plot(name)
    figure.locator(MARKS).first.hover(force=True)
    tooltip = opened.page.locator("#vg-tooltip-element.visible")
    expect(tooltip).to_have_text(re.compile(r"\d"))
    expect(tooltip).not_to_have_text(re.compile("undefined|NaN"))
    whole = sorted(figure.locator(TICKS).all_text_contents())
    figure.get_by_role("button", name="Zoom in").press("Enter")
    opened.wait_for_ticks(name, whole, same=False)
    figure.get_by_role("button", name="Show all").press("Enter")
    opened.wait_for_ticks(name, whole, same=True)
    figure.locator(MARKS).first.hover(force=True)
    opened.page.keyboard.down("Control")
    opened.page.mouse.wheel(0, -300)
    opened.page.keyboard.up("Control")
    opened.wait_for_ticks(name, whole, same=False)
    figure.get_by_role("button", name="Show all").click()
    opened.wait_for_ticks(name, whole, same=True)


@pytest.mark.parametrize(
    ("opened", "name"), [(DESK, "latency"), (DESK, "curve"), (PHONE, "over-time")], indirect=["opened"]
)
def test_the_legend_switches_a_series_off_and_on(opened: Opened, name: str) -> None:
    """Its marks are gone, and those of the others stay."""
    figure = opened.plot(name)
    marks, entry = figure.locator(MARKS), figure.locator(".role-legend-label text").first
    number = marks.count()
    entry.click()
    expect(marks).not_to_have_count(number)
    assert 0 < marks.count() < number
    entry.click()
    expect(marks).to_have_count(number)


@pytest.mark.parametrize("opened", [DESK], indirect=True)
@pytest.mark.parametrize(("form", "begins"), [("SVG", b"<svg"), ("PNG", b"\x89PNG")])
def test_a_plot_is_saved_for_a_document(opened: Opened, form: str, begins: bytes) -> None:
    """As a file of its own, with colours that do not depend on the page."""
    figure = opened.plot("latency")
    figure.locator("summary").click()
    with opened.page.expect_download() as download:
        figure.get_by_text(f"Save as {form}").click()
    saved = download.value.path().read_bytes()
    assert saved.startswith(begins)
    assert b"var(--" not in saved
    figure.locator("summary").click()


@pytest.mark.parametrize("opened", [DESK, PHONE], indirect=True)
def test_it_needs_no_network_and_the_console_stays_empty(opened: Opened) -> None:
    """All plots are drawn, none is wider than the page, and nothing was requested or complained about."""
    for name in PLOTS:
        opened.plot(name)
    assert opened.problems == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") == opened.page.viewport_size["width"]


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_the_first_screen_tells_whether_the_server_is_fine(browser: Browser, file: Path, width: int) -> None:
    """Verdict and key figures are seen without scrolling."""
    page = opening(browser, file, width, script=False).page  # plots are further down
    for place in (".verdict b", ".key >> nth=0", ".key >> nth=1", ".key >> nth=2"):
        box = page.locator(place).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 900
    page.context.close()


def test_plots_follow_the_colours_of_the_page(browser: Browser, file: Path) -> None:
    """When the system turns dark, a plot is drawn again; its static picture does so by itself."""
    opened = opening(browser, file, DESK)
    figure = opened.plot("latency")
    line = figure.locator("svg.marks .mark-line path").first
    light = line.get_attribute("stroke")
    opened.page.emulate_media(color_scheme="dark")
    expect(line).not_to_have_attribute("stroke", light or "")
    assert opened.problems == []
    opened.page.context.close()


def test_without_script_and_in_print_the_static_pictures_stay(browser: Browser, file: Path) -> None:
    """In a mail or a viewer that runs none; what only a script can do is not offered."""
    opened = opening(browser, file, PHONE, script=False)
    assert opened.page.locator(".static svg:visible").count() == len(PLOTS)
    assert opened.page.locator("button:visible, .live:visible").count() == 0
    printed = opening(browser, file, DESK)
    printed.plot("latency")
    printed.page.emulate_media(media="print")
    assert printed.page.locator(".static svg:visible").count() == len(PLOTS)
    for each in (opened, printed):
        each.page.context.close()


def test_hostile_texts_reach_no_script(browser: Browser, tmp_path: Path) -> None:
    """Names that are markup or code are drawn as they are: no dialog, no element, no request, no error."""
    path = tmp_path / "report.html"
    path.write_text(render(build_report(hostile.run(), hostile.judgement())))
    opened = opening(browser, path, DESK)
    opened.page.on("dialog", lambda dialog: opened.problems.append(dialog.message))
    figure = opened.plot("timeline")
    figure.locator(MARKS).first.hover(force=True)
    expect(figure.locator("svg.marks")).to_contain_text("<script>alert(1)")
    for name in ("latency", "over-time", "timeouts", "memory"):
        opened.plot(name)
    assert opened.page.locator("main img, main iframe").count() == 0
    assert opened.problems == []
    opened.page.context.close()
