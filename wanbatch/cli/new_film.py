"""The manifest of a new film: the example of two scenes, with the name of its project and what was answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import click

from wanbatch.batch.registry import registry
from wanbatch.batch.shots import DEFAULT_MODEL
from wanbatch.manifest.schemas import example_path

EXAMPLE = "film.yaml"
STYLE_CAP = 400  # characters; it goes behind each prompt


@dataclass(frozen=True)
class Answers:
    """What `init` asks for; empty to take what the example has."""

    aspect_ratio: str = ""
    style: str = ""


def asked_answers() -> Answers:
    """Ask the person at the terminal, with what the example has as the proposal."""
    ratios = _ratios()
    shape = click.prompt("Aspect ratio", type=click.Choice(ratios), default=ratios[0], err=True)
    look = click.prompt("Look of the film, in a sentence", default=_style(), err=True, value_proc=_look)
    return Answers(shape, look)


def film_text(name: str, answers: Answers) -> str:
    """Return the manifest of a film of this name."""
    first_try = f"wanbatch run {name}.yaml --sandbox"
    style = answers.style.replace("{", "{{").replace("}", "}}")
    own = {
        "# yaml-language-server": "# yaml-language-server: $schema=./manifest.schema.json",
        "# A film of two scenes": f"# A film of two scenes for you to edit. Try it for nothing:  {first_try}",
        "# What is sent": f"# What is sent for a shot:  wanbatch plan {name}.yaml --explain sc010_sh010",
        "name:": f"name: {json.dumps(name, ensure_ascii=False)}",
    }
    if style:
        own["style:"] = f"style: {json.dumps(style, ensure_ascii=False)} # the look of every shot, written once"
    if answers.aspect_ratio:
        own["  aspect_ratio:"] = f"  aspect_ratio: {answers.aspect_ratio}"
    lines = _example().splitlines()
    made = [next((text for begin, text in own.items() if line.startswith(begin)), line) for line in lines]
    return "\n".join(made) + "\n"


def _example() -> str:
    return example_path(EXAMPLE).read_text(encoding="utf-8")


def _style() -> str:
    """Return the look that the example has."""
    found = re.search(r"^style: (.*?)(?: #.*)?$", _example(), re.MULTILINE)
    assert found is not None
    return found[1]


def _ratios() -> list[str]:
    model = registry().get(DEFAULT_MODEL)
    assert model is not None
    return [str(each) for each in model.parameters["aspect_ratio"]["enum"]]


def _look(text: str) -> str:
    """Check an answer: one line of text. Raises BadParameter, upon which the question is asked again."""
    look = " ".join(text.split())
    if not look or len(look) > STYLE_CAP or not look.isprintable():
        raise click.BadParameter(f"write one line of text, at most {STYLE_CAP} characters")
    return look
