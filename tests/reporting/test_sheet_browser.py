"""The contact sheet in a real browser: what a filmmaker sees, plays, filters, chooses and pastes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reporting.storyboard import EVIL, Looked

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.long  # a browser of its own: the quick suite opens the report alone


def test_every_shot_has_a_card_under_its_scene(looked: Looked) -> None:
    heads = [each.inner_text().splitlines()[0] for each in looked.page.locator("h2:visible").all()]
    assert [head.split()[0] for head in heads] == ["sc0", "sc1", "sc2"]
    assert looked.shots() == [f"sc{n // 3}_sh{n}" for n in range(7)]
    assert looked.page.locator("#count").inner_text() == "7 of 7 shots"
    assert looked.page.locator(".take").count() == 14


def test_words_from_outside_stay_words(looked: Looked) -> None:
    assert looked.page.locator("[data-shot=sc1_sh4] .prompt").inner_text() == EVIL
    assert looked.page.evaluate("window.hit") is None
    assert looked.page.locator("script").count() == 1
    assert looked.page.locator("img[src=x]").count() == 0


def test_a_clip_plays_on_hover_alone_and_without_sound(looked: Looked) -> None:
    frame = looked.page.locator("[data-shot=sc0_sh1] [data-take='1'] .frame")
    assert looked.page.locator("video").count() == 0
    frame.hover()
    video = looked.page.locator("video")
    video.wait_for(state="attached")
    looked.until("document.querySelector('video')?.currentTime > 0")
    playing = video.evaluate("each => [each.muted, each.loop, decodeURI(each.src).split('/').pop()]")
    looked.page.locator("[data-shot=sc0_sh1] [data-take='2'] .frame").hover()
    looked.until("document.querySelector('video')?.src.endsWith('sc0_sh1_t2.mp4') ?? false")
    one_at_a_time = looked.page.locator("video").count()
    looked.page.mouse.move(5, 5)
    looked.until("!document.querySelector('video')")
    assert (playing, one_at_a_time) == ([True, True, "sc0_sh1_t1.mp4"], 1)


def test_keys_lead_from_take_to_take_play_and_give_sound(looked: Looked) -> None:
    page = looked.page
    page.locator(".take").first.focus()
    walked = []
    for key in ("ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft", "j", "j", "k"):
        page.keyboard.press(key)
        walked.append(str(looked.focused()).split(",")[0])
    page.keyboard.press("Space")
    looked.until("document.querySelector('video')?.currentTime > 0")
    muted = [page.locator("video").evaluate("each => each.muted")]
    page.keyboard.press("m")
    muted.append(page.locator("video").evaluate("each => each.muted"))
    page.keyboard.press("Escape")
    assert walked[0] == "sc0_sh0_t2"
    assert walked[2:] == ["sc0_sh0_t2", "sc0_sh0_t1", "sc0_sh1_t1", "sc0_sh2_t1", "sc0_sh1_t1"]
    assert muted == [True, False]
    assert page.locator("video").count() == 0


def test_only_one_take_is_in_the_order_of_the_tab_key(looked: Looked) -> None:
    looked.page.keyboard.press("j")
    assert looked.page.locator(".take[tabindex='0']").count() == 1


def test_a_choice_gives_the_command_to_paste(looked: Looked) -> None:
    page, run = looked.page, "'" + str(looked.output).replace("'", "'\\''") + "'"
    assert looked.lines() == []
    page.locator("[data-shot=sc0_sh1] [data-take='2'] .circle").click()
    page.locator("[data-shot=sc1_sh4] .take").first.focus()
    page.keyboard.press("2")
    page.keyboard.press("r")
    page.locator("[data-shot=sc0_sh0] [data-take='1'] .circle").click()
    given = looked.lines()
    page.locator("#tray button", has_text="Clear choices").click()
    assert given == [
        f"wanbatch circle {run} sc0_sh1:2 sc1_sh4:2",
        f"wanbatch circle --clear {run} sc0_sh0",
        f"wanbatch retake {run} sc1_sh4",
    ]
    assert looked.lines() == []
    assert page.locator(".is-circled").count() == 1


def test_choices_outlast_the_page(looked: Looked) -> None:
    looked.page.locator("[data-shot=sc2_sh6] [data-take='1'] .circle").click()
    looked.reload_until(has_lines=True)
    assert looked.lines()[0].endswith("sc2_sh6:1")
    assert looked.page.locator("[data-shot=sc2_sh6] [aria-pressed=true]").inner_text() == "Circled"


def test_what_the_commands_have_done_is_asked_for_no_more(looked: Looked) -> None:
    looked.page.locator("[data-shot=sc2_sh6] [data-take='1'] .circle").click()
    kept = {"picks": [["sc0_sh0", 1], ["gone", 1], ["sc0_sh1", 9]], "retakes": [["sc0_sh1", 1], ["gone", 2]]}
    looked.page.evaluate("kept => localStorage.setItem(localStorage.key(0), JSON.stringify(kept))", kept)
    looked.reload_until(has_lines=False)
    assert looked.lines() == []


def test_what_can_be_done_about_trouble_is_told(looked: Looked) -> None:
    run = "'" + str(looked.output).replace("'", "'\\''") + "'"
    told = looked.page.locator(".mend code").all_inner_texts()
    assert told == [
        f"wanbatch retry {run} --only sc0_sh2",
        f"wanbatch reconcile {run}",
        *(f"wanbatch resolve {run} sc1_sh3_t2 {way}" for way in ("--resubmit", "--abandon")),
    ]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Failed or held", ["sc0_sh2", "sc1_sh3"]),
        ("Nothing circled", [f"sc{n // 3}_sh{n}" for n in range(1, 7)]),
        ("Circled", ["sc0_sh0"]),
        ("Warned", ["sc2_sh6"]),
    ],
)
def test_filters_leave_what_they_say(looked: Looked, name: str, found: list[str]) -> None:
    looked.page.locator(".chips button").filter(has_text=re.compile(f"^{name}")).click()
    assert looked.shots() == found
    assert looked.page.locator("#count").inner_text() == f"{len(found)} of 7 shots"
    assert looked.page.get_by_role("button", pressed=True).first.inner_text().startswith(name)


def test_circled_counts_the_circled_takes_alone_and_says_what_it_means(looked: Looked) -> None:
    page = looked.page
    page.locator("[data-shot=sc1_sh4] .retake").click()
    page.locator("[data-shot=sc0_sh1] [data-take='2'] .circle").click()
    chip = page.locator("[data-filter=chosen]")
    counted = chip.locator(".count").inner_text()
    chip.click()
    told = page.locator("#what").inner_text()
    page.locator("[data-filter=all]").click()
    assert (counted, told) == ("2", "Circled: shots with a circled take: the cut uses that one.")
    assert not page.locator("#what").is_visible()


def test_text_and_scene_narrow_it_down_and_nothing_says_so(looked: Looked) -> None:
    page = looked.page
    page.keyboard.press("f")
    page.keyboard.type("dragon j1")  # keys are letters here
    nothing = (looked.shots(), page.locator("#none").is_visible())
    page.locator("#all").click()
    page.locator("#scene").select_option(label="sc1")
    scene = looked.shots()
    page.locator("#text").fill("SHOT 5")
    assert nothing == ([], True)
    assert scene == ["sc1_sh3", "sc1_sh4", "sc1_sh5"]
    assert looked.shots() == ["sc1_sh5"]
    assert page.locator(".scene:visible h2").count() == 1


@pytest.mark.parametrize(
    ("order", "first"), [("state", ["sc1_sh3", "sc0_sh2"]), ("cost", ["sc2_sh6", "sc1_sh5"]), ("time", ["sc0_sh0"])]
)
def test_shots_are_sorted_and_go_back_to_the_story(looked: Looked, order: str, first: list[str]) -> None:
    looked.page.locator("#sort").select_option(order)
    sorted_shots = looked.shots()
    looked.page.locator("#sort").select_option("story")
    assert sorted_shots[: len(first)] == first
    assert len(sorted_shots) == 7
    assert looked.shots() == [f"sc{n // 3}_sh{n}" for n in range(7)]
    assert looked.page.locator("h2:visible").count() == 3


def test_dark_and_light_are_readable(looked: Looked) -> None:
    contrasts = []
    for theme in ("dark", "light"):
        looked.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        contrasts += looked.page.evaluate(CONTRAST)
    assert min(contrasts) >= 4.5


CONTRAST = """() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number).slice(0, 3)
      .map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (each) => {
    for (; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (!/, 0\\)$/.test(colour) && colour !== "transparent") return colour;
    }
    return "rgb(255,255,255)";
  };
  const asked = "h1, .dim, h2, h3, .slate span, .slate b, .warning, .why, .prompt, button:not([hidden]), .hole b, code, .tag";
  return [...document.querySelectorAll(asked)].filter((each) => each.checkVisibility()).map((each) => {
    const [a, b] = [light(getComputedStyle(each).color), light(ground(each))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  });
}"""


def test_a_button_turns_dark_and_light(looked: Looked) -> None:
    looked.page.emulate_media(color_scheme="dark")
    dark = looked.page.evaluate("getComputedStyle(document.body).backgroundColor")
    looked.page.locator("#theme").click()
    light = looked.page.evaluate("getComputedStyle(document.body).backgroundColor")
    looked.page.locator("#theme").click()
    assert dark != light
    assert looked.page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_keys_are_told(looked: Looked) -> None:
    looked.page.keyboard.press("?")
    assert looked.page.locator("#help dt").count() >= 8
    looked.page.keyboard.press("Escape")
    assert not looked.page.locator("#help").is_visible()


def test_every_button_field_and_picture_link_has_a_name(looked: Looked) -> None:
    nameless = looked.page.evaluate(
        "[...document.querySelectorAll('button, input, select, a, dialog, figure')].filter((each) =>"
        " !(each.getAttribute('aria-label') || each.textContent.trim() || each.labels?.length)).length"
    )
    assert nameless == 0


@pytest.mark.parametrize("width", [400, 1280, 2560])
def test_nothing_sticks_out_at_any_width(looked: Looked, width: int) -> None:
    looked.page.set_viewport_size({"width": width, "height": 900})
    assert looked.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_paper_has_the_pictures_and_no_controls(looked: Looked) -> None:
    looked.page.emulate_media(media="print")
    assert looked.page.locator(".bar, .circle, .retake, .tools").filter(visible=True).count() == 0
    assert looked.page.locator(".frame img:visible").count() == 12


def test_without_its_script_the_page_shows_all_and_links_to_the_clips(browser: Browser, film: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((film / "storyboard.html").as_uri())
    seen = (
        page.locator(".shot:visible").count(),
        page.locator("a.clip").count(),
        page.locator("button:visible").count(),
    )
    mends = page.locator(".mend code").first.inner_text()
    context.close()
    assert seen == (7, 12, 0)
    assert mends == "wanbatch retry outputs/dragon's pass --only sc0_sh2"
