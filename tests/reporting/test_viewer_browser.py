"""The large view of the storyboard in a real browser: one take with its data, and the film played through."""

from __future__ import annotations

import pytest

from tests.reporting.storyboard import Looked

pytestmark = pytest.mark.long  # a browser of its own: the quick suite opens the report alone


def test_a_take_is_shown_large_with_its_data_and_the_arrows_lead_on(looked: Looked) -> None:
    page = looked.page
    page.locator("[data-shot=sc0_sh0] [data-take='1']").focus()
    page.keyboard.press("Enter")
    looked.until("document.querySelector('#viewer video')?.currentTime > 0")
    first = (page.locator("#viewed").inner_text(), page.locator("#viewer .place").inner_text())
    data = page.locator("#viewer .data").inner_text()
    page.keyboard.press("ArrowRight")
    page.locator("#next").click()
    third = (page.locator("#viewed").inner_text(), page.locator("#viewer video").count())
    page.keyboard.press("c")
    page.keyboard.press("Escape")
    assert first == ("sc0_sh0 take 1", "1 of 14 takes")
    assert ["verified" in data, "USD" in data, "shot 0 of a dragon" in data] == [True] * 3
    assert third == ("sc0_sh1 take 1", 1)
    assert (page.locator("#viewer").is_visible(), page.locator("video").count()) == (False, 0)
    assert str(looked.focused()).startswith("sc0_sh0_t1")
    assert looked.lines()[0].endswith("sc0_sh1:1")


def test_a_large_take_without_a_clip_says_what_became_of_it(looked: Looked) -> None:
    page = looked.page
    page.locator("[data-shot=sc0_sh2] [data-take='2']").focus()
    page.keyboard.press("o")
    told = (page.locator("#viewer .stage").inner_text(), page.locator("#choose").is_visible())
    page.locator("#shut").click()
    assert told == ("failed", False)


def test_play_through_shows_the_take_of_each_shot_that_the_cut_uses(looked: Looked) -> None:
    page = looked.page
    page.locator("[data-shot=sc0_sh1] [data-take='1'] .circle").click()
    page.locator("#play").click()
    seen = []
    for _ in range(7):
        seen.append(page.locator("#viewed").inner_text())
        page.keyboard.press("ArrowRight")
    assert seen == [f"sc{n // 3}_sh{n} take {1 if n < 4 else 2}" for n in range(7)]
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "play"


def test_play_through_goes_on_by_itself_to_the_end_of_what_the_page_shows(looked: Looked) -> None:
    page = looked.page
    page.locator("#text").fill("shot 5 of")
    page.locator("#play").click()
    looked.until("document.querySelector('#viewer .place').textContent === 'the end'")
    page.locator("#film").click()
    assert page.locator("#viewer .place").inner_text() == "2 of 2 takes"


@pytest.mark.sampled(3)
@pytest.mark.parametrize("width", [400, 1280, 2560])
def test_the_large_view_fits_at_any_width(looked: Looked, width: int) -> None:
    page = looked.page
    page.set_viewport_size({"width": width, "height": 900})
    page.locator(".take[data-clip]").first.focus()
    page.keyboard.press("Enter")
    box = page.locator("#viewer .stage").bounding_box()
    assert box is not None
    assert box["height"] >= 200
    assert page.evaluate("(each => each.scrollWidth - each.clientWidth)(document.querySelector('#viewer'))") <= 0
