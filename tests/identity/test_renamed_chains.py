"""A chain of which every shot was given another id is asked about once, and taken over at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.identity.folders import SANDBOX, Tell, bought, takes_in, write

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")
HEAD = "version: 1\nname: film\ndefaults: {model: alibaba/wan-2-7-i2v, resolution: 720p, duration: 5}\nshots:\n"
FIRST = "  - {id: %s, prompt: A harbour, model: alibaba/wan-2-6-t2v}\n"
NEXT = "  - {id: %s, prompt: She walks on, first_frame: {from: %s}}\n"


def chain(a: str, b: str, c: str) -> str:
    return HEAD + FIRST % a + NEXT % (b, a) + NEXT % (c, b)


@pytest.mark.parametrize("flag", [("--take-over",), ("--rename", "a=x", "--take-over")])
def test_a_renamed_chain_is_taken_over_at_once(flag: tuple[str, ...], say: Tell) -> None:
    path = write("film.yaml", chain("a", "b", "c"))
    output = bought(path, Path("outputs/film"))
    path.write_text(chain("x", "y", "z"))
    code, told = say("run", "film.yaml", *SANDBOX, "--same-batch", *flag)
    assert ("under another id:" in told, [take.label for take in takes_in(output)]) == (
        False,
        ["x_t1", "y_t1", "z_t1"],
    ), told
    assert code in (0, 3)


def test_a_renamed_shot_that_pins_the_take_it_was_made_from_is_asked_about(say: Tell) -> None:
    path = write("film.yaml", chain("a", "b", "c"))
    output = bought(path, Path("outputs/film"))
    before = [take.label for take in takes_in(output)]
    path.write_text(HEAD + FIRST % "a" + NEXT % ("x", "a, take: 1"))
    code, told = say("run", "film.yaml", *SANDBOX, "--same-batch")
    assert (code, "x_t1 exists as b_t1" in told, "names the frame in another way" in told) == (2, True, True), told
    assert [take.label for take in takes_in(output)] == before
