"""The report in a real browser: the figures are drawn, from the disk alone, and the table sorts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reporting.states import MADE_AT, begin, every_state, shot
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Batch
from wanbatch.reporting.files import write_reports
from wanbatch.state.reader import StateReader

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("report")
    every_state(output)
    with StateReader.open(output) as reader:
        return write_reports(reader, made_at=MADE_AT).report


@pytest.fixture(scope="module")
def page(browser: Browser, report: Path) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(report.as_uri())
    yield page
    context.close()
    assert complaints == []


@pytest.mark.long
def test_every_figure_is_drawn(page: Page) -> None:
    drawn = page.locator(".js-plotly-plot")
    assert [each.get_attribute("id") for each in drawn.all()] == [
        f"figure-{name}" for name in ("gantt", "durations", "spend", "concurrency", "failures")
    ]
    assert all(each.locator(".trace").count() for each in drawn.all())
    assert page.locator(".undrawn:visible").count() == 0


def test_figures_follow_dark_and_light(page: Page) -> None:
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.wait_for_timeout(50)
        colours.append(page.locator("#figure-gantt .ytick text").first.evaluate("each => getComputedStyle(each).fill"))
    assert colours[0] != colours[1]


def test_the_table_of_takes_sorts_by_each_column(page: Page) -> None:
    def column(number: int) -> list[str]:
        return page.locator(f"table.sortable tbody td:nth-child({number})").all_inner_texts()

    page.locator("table.sortable th button", has_text="state").click()
    up = column(2)
    page.locator("table.sortable th button", has_text="state").click()
    down = column(2)
    page.locator("table.sortable th button", has_text="charged USD").click()
    assert up == sorted(up)
    assert down == sorted(up, reverse=True)
    assert [text for text in column(6) if text] == column(6)[:1]  # the unknown ones come last
    assert page.locator("th[aria-sort=ascending]").inner_text().strip().startswith("charged USD")


BOXES = """() => [...document.querySelectorAll("body *")].filter((each) => {
  const { overflowX, overflowY } = getComputedStyle(each);
  const [wide, high] = [each.scrollWidth > each.clientWidth + 1, each.scrollHeight > each.clientHeight + 1];
  return (/auto|scroll/.test(overflowX) && wide) || (/auto|scroll/.test(overflowY) && high);
}).map((each) => each.className)"""


@pytest.mark.parametrize("width", [400, 700, 900, 1000, 1160, 1280, 2560])
def test_nothing_sticks_out_or_scrolls_in_a_box_at_any_width(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(50)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(BOXES) == []
    assert page.evaluate(CUT) == []


# What is wider than its panel: a caption or a cell of a table.
CUT = """() => [...document.querySelectorAll(".panel")].flatMap((panel) => {
  const right = panel.getBoundingClientRect().right + 1;
  return [...panel.querySelectorAll("caption, th, td")].filter((each) => each.getBoundingClientRect().right > right);
}).map((each) => each.textContent)"""


@pytest.mark.parametrize(("width", "abreast"), [(400, 1), (800, 2), (1280, 4), (2560, 4)])
def test_no_tile_is_alone_in_its_row_beside_others(page: Page, width: int, abreast: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    tops = page.evaluate("[...document.querySelectorAll('.tile')].map((each) => each.getBoundingClientRect().top)")
    assert {tops.count(each) for each in tops} == {abreast}


def test_an_id_breaks_where_its_parts_end(page: Page) -> None:
    page.set_viewport_size({"width": 400, "height": 900})
    cells = page.locator("table.takes .who")
    found = cells.evaluate_all("cells => cells.map((cell) => [cell.querySelectorAll('wbr').length, cell.textContent])")
    assert found
    assert [breaks for breaks, _ in found] == [label.count("_") for _, label in found]


@pytest.mark.parametrize("width", [400, 1280])
def test_the_legend_of_the_chart_of_takes_is_above_the_labels_of_its_axis(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function(  # Plotly draws again a while after the page has another width
        "() => (chart => Math.round(chart._fullLayout.width) === chart.clientWidth)(document.querySelector('#figure-gantt'))"
    )
    legend = page.locator("#figure-gantt .legend").bounding_box()
    label = page.locator("#figure-gantt .xtick text").first.bounding_box()
    assert legend is not None
    assert label is not None
    assert legend["y"] + legend["height"] <= label["y"]


@pytest.mark.long
def test_without_plotly_the_page_says_so_and_still_sorts(browser: Browser, tmp_path: Path) -> None:
    every_state(tmp_path)
    with StateReader.open(tmp_path) as reader:
        report = write_reports(reader, made_at=MADE_AT).report
    report.with_name("plotly.min.js").unlink()
    page = browser.new_page()
    page.goto(report.as_uri())
    seen = (page.locator(".undrawn:visible").count(), page.locator("table.sortable th button").count())
    page.close()
    assert seen == (5, 7)


@pytest.mark.long
def test_a_batch_without_a_submit_has_a_quiet_page(browser: Browser, tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s", 0),)))
    report = write_reports(pen.state, made_at=MADE_AT).report
    pen.state.close()
    complaints: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(report.as_uri())
    seen = (page.locator(".js-plotly-plot").count(), page.locator("table.sortable tbody tr").count(), complaints)
    page.close()
    assert seen == (0, 1, [])
    assert State.PLANNED.value in report.read_text(encoding="utf-8")
