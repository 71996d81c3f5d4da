"""What people read: plain words, states by their names, counts as lists, and nothing that does not concern them."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

import wanbatch
from tests.money.test_screens import preview, screen
from tests.odd_phrases import NEWEST, NEWEST_CASES, NEWEST_ON_PAGES
from tests.runner.test_wrong_clocks import EPOCH, Ahead
from wanbatch.batch.lifecycle import State, state_words
from wanbatch.cli.money import preview_json
from wanbatch.cli.problems import warning_text
from wanbatch.cli.screen import counts_text
from wanbatch.clock import LoopClock
from wanbatch.errors import Problem
from wanbatch.money.prices import Estimate
from wanbatch.provider.endpoint import load_settings
from wanbatch.runner.batch_clock import BatchClock
from wanbatch.session.access import Access
from wanbatch.session.invocation import Invocation
from wanbatch.session.options import RunOptions, Watch
from wanbatch.session.safeguards import compare_clocks
from wanbatch.state.file import StateFile
from wanbatch.state.tables import new_identity


@pytest.mark.parametrize(
    ("line", "told"), [(0, "s.yaml: no such file"), (1, "s.yaml:1:1 no such file")], ids=["no line", "line 1"]
)
def test_a_problem_of_no_line_names_the_file_alone(line: int, told: str) -> None:
    assert str(Problem("s.yaml", line, line, "no such file")) == told


def test_a_warning_of_no_line_names_the_file_alone() -> None:
    assert warning_text(Problem("s.yaml", 0, 0, "odd")) == "s.yaml: warning: odd"


def test_counts_are_a_list_and_a_clip_that_is_not_fetched_yet_is_called_so() -> None:
    told = counts_text({"verified": 1200, "completed": 2, "held": 1})
    assert told == "1200 verified, 2 made (not fetched yet), 1 held"


@pytest.mark.parametrize("state", [state for state in State if state is not State.COMPLETED])
def test_every_other_state_is_its_own_word(state: State) -> None:
    assert state_words(state.value) == state.value


def test_a_plan_and_a_status_call_an_older_take_superseded_and_json_keeps_its_name() -> None:
    made = preview(counts={"done": 2, "stale": 1})
    assert ("  2 done, 1 superseded" in screen(made), preview_json(made)["counts"]) == (True, {"done": 2, "stale": 1})


@pytest.mark.parametrize("is_sending", [True, False])
def test_the_speed_of_a_sandbox_is_told_where_something_is_sent(is_sending: bool) -> None:
    nothing = {} if is_sending else {"to_submit": {}, "estimate": Estimate(0, 0, 0)}
    assert any("times faster" in line for line in screen(preview(speed=60.0, **nothing))) is is_sending


@pytest.mark.parametrize("speed", [None, 1.0, 600.0])
@pytest.mark.parametrize("hours", [-30, 5, 30])
def test_the_embedded_sandbox_has_our_clock_and_no_other_is_told_wrong(
    tmp_path: Path, speed: float | None, hours: int
) -> None:
    notices: list[str] = []
    options = RunOptions(sandbox=True, speed=speed)
    access = Access(load_settings({}, None, tmp_path), options.sandbox, options.speed)
    invocation = Invocation(options, access, Watch(notice=notices.append))

    async def work() -> None:
        with StateFile.create_or_open(tmp_path / "out", new_identity("b", "sandbox", "", EPOCH, sandbox=True)) as state:
            told = Ahead(timedelta(hours=hours))
            await compare_clocks(invocation, BatchClock(state, LoopClock(EPOCH)), told)  # type: ignore[arg-type]

    asyncio.run(work())
    assert notices == []


# --- plain English

PACKAGE = Path(wanbatch.__file__).parent
TEMPLATES = sorted((PACKAGE / "reporting" / "templates").iterdir())
CHECKOUT = PACKAGE.parent
PAGES = [
    *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((CHECKOUT / "docs").rglob("*.md")),
    *sorted((CHECKOUT / "docs" / "made").glob("*.py")),
]

# What is not written, as a pattern, and what is written instead.
ODD = (
    (r"\bby itself\b", "on its own"),
    (r"\bnobody is here\b|\bsomebody to ask\b", "no terminal to ask on"),
    (r"\bnobody(?! ordered)", "no take, unknown, without a reader"),
    (r"\bolder than the truth\b", "out of date"),
    (r"\bstanding word\b", "a decision made in advance"),
    (r"\buser's word\b", "the user's decision"),
    (r"(?<!there )\bis no (?!longer\b|more than\b|answer\b|faster\b)", "is not a"),
    (r"\bnone where\b", "none if"),
    (r"\b(?:empty|nothing|raises \w+) where\b", "if"),
    (r"\bwhat is none\b", "anything else"),
    (r"\bnothing (?:\w+ )?of it (?:shows|is|leaves)\b|\bsays nothing of it\b", "shows no trace of it"),
    (r"\banew\b(?!`)", "again, rebuild"),
    (r"\b(?:is|are|was|were|not) told\b", "reported, shown, known"),
    (r"\btells? of\b", "reports, shows, is about"),
    (r"\bnothing tells\b|\bno answer told\b", "nothing says, no answer showed"),
    (r"\btaken over\b", "adopted"),
    (r"\btakes (?:it|them) over\b", "adopts"),
    (r"\b(?:is|are|was|were) taken for\b", "counts as, is treated as"),
    (r"\btakes? (?:a|another) look\b", "looks"),
    (r"\bat most so many\b|\bso many (?:\w+ )?(?:takes|bytes|samples)\b", "up to a limit"),
    (r"\bhardly (?:be )?meant\b", "probably a mistake"),
    (r"\bround (?:the|a|an|it|them|cells|brackets)\b", "around"),
    (r"(?<![.\"])\bmend(?:s|ed)?\b", "fix"),
    (r"\btake (?:it|them|this line|the row|the shot|the text|the line) (?:out|away)\b", "remove it"),
    (r"\bpassed over\b", "skipped"),
    (r"\blies? (?:in|on|beside|elsewhere|ahead)\b", "is in, is on"),
    (r"\bbeyond measure\b", "too large"),
    (r"\bin the midst\b", "during"),
    (r"\bthe very same\b", "the same"),
    (r"\bgive the same command\b", "run the same command"),
    (r"\byour word\b", "your decision"),
    (r"[.:;] (?-i:Where) [^.:;]{5,90}?, ", "If, for a condition"),
    (r"\bstands? (?:alone|in one|in defaults)\b", "this shot has both, is given without"),
    (r"\bworks? as it stands\b|\bwas already so\b", "works as it is, nothing to change"),
    (r"\bto anybody\b|\bpublished nowhere\b|\bis headed as\b", "no account was charged, not published"),
    (r"\blist of just now\b|\btells the price\b|\bhow takes stand\b", "list from just now, shows the price"),
    (r"\bone (?:row|line|object|prompt|value|shot) an? \w+\b|\bone an? (?:line|row|take|shot|generation)\b", "one per"),
    (r"\b(?:budget|cost|estimate|final|charged) less (?:the )?(?:baseline|estimated?|final)\b", "minus"),
    (r"\bstranger's\b", "untrusted, from someone else"),
    (r"\basks? for its (?:words|meaning)\b", "describe it in FILE: a test asks for that"),
    (r"\bonly when (?:the page|it) was made is\b", "only the time when the page was made"),
    (r"\bask (?:its|the provider's) support\b", "contact the provider's support"),
    (r"\bcop(?:y|ies)\b[^.:;]{0,20}\bput back\b|\bput back an? (?:old )?copy\b", "restored, restore"),
    (r"\bby (?:your|the sandbox's|the stand-in's) clock\b", "on your clock"),
    (r"(?<!whose )\bcharged? (?:it|this|them)\b", "charge for it"),
    (r"\b(?:another|other) (?:amount|length|recipe|pictures?|settings) (?:or \w+ )?than\b", "a different one from"),
    (
        r"\bto its last picture\b|\bcome unevenly\b|\bpicture stands still\b",
        "to its last frame, not evenly spaced, is frozen",
    ),
    (r"\bmodels? (?:that|which) (?:will )?ends?\b", "is retired, will be retired"),
    (r"\bmay (?:not|make no) (?:make )?videos\b", "is not allowed to make videos"),
    (r"\b(?:finishe?s?|fetch(?:es|ed)?|polls and fetches) what runs\b", "what is still running"),
    (r"\bby (?:usable )?second\b", "per second"),
    (r"[.,] (?-i:Never pays)\b", "costs nothing"),
    (r"\b(?:buy|buys) none of (?:it|them)\b", "instead of buying new takes"),
    (r"\bmade nothing known\b", "what it made is unknown"),
    (r"\basks? about (?:it|this) once more\b", "asks the provider about it again"),
    (r"\bof it was made after all\b", "made a generation after all"),
    (r"\b(?:what|which) stands\b(?! for)|\bTODO stands\b", "what is there"),
    (r"\b(?:one|who|those) of the cast\b", "a cast member, which cast members"),
    (r"\b(?:look|what is seen) of (?:it|them)\b", "what it looks like"),
    (r"(?<!many )\bof these (?:verified|failed|held|superseded)\b", "how many of these are"),
    (r"\binto an? (?:column|row) [`a-z]+`?(?! that\b)", "in an `omit` column"),
    (r"\bin earnest\b|\bin truth\b|\bthis machine fit\b", "in a real project, actual, ready"),
    (r"\b(?:says?|has) all of (?:its|their) own\b|\bwhat they come to\b(?! by)", "has all its values written out"),
    (r"\bwithin a day\b", "in the last 24 hours"),
    (r"\bunder (?:the state file|a clip)\b", "while it is written"),
    (r"\bequal(?:s|led)? the credit\b|\bno world shows\b", "agree to the credit, no simulated run reveals"),
    (r"\b(?:is|are) (?:another|others) than\b", "differs from"),
    (r"\bin no sum\b", "no total includes it"),
    (r"\b(?:are|is) like that already\b", "is already set that way"),
    (r"\bfallbacks? (?:\{[^}]*\} )?(?:was|were) (?:not )?taken\b|\btaken once\b", "used"),
    (r"\bmean(?:t|ing)? (?:to be )?so\b|\bblanks (?:around|removed)\b", "suppress, spaces"),
    (r"\ban error of wanbatch or\b", "an error in wanbatch"),
    (
        r"\bsame command (?:goes|sends|continues|uses|accepts|fetches)\b",
        "run the same command again to continue",
    ),
    (
        r"\bcharges?[^.;:]{0,30} (?:is|are) (?:not )?of this\b|\bcharges? of models?\b",
        "belongs to this batch, for models",
    ),
    (r"\bbut not what it made\b", "but does not say what it made"),
    (r"\bwould be bought as (?:a prompt|one)\b", "a clip would be bought for it"),
    (
        r"\bstart what serves\b|\btracks of sound\b|\bof an old Excel\b",
        "start the server, audio tracks, an old version of",
    ),
    (r"\btakes no (?:\{what\}|\w+|) ?beside\b|\bsounds to refer to\b", "together with, reference sounds"),
    (r"\bname (?:it|the file) \.\w+\b|\bname (?:it|the file) \.$", "give it a name that ends in .mp4"),
    (r"\bas often again\b", "the same number of times"),
    (r"\bends? with (?:exit code )?\d and has\b|\band has (?:sent|written) nothing\b", "having sent nothing"),
    (r"\bturns? out (?:wrong|right|true)\b", "turns out to be wrong"),
    (r"\banother [a-z]+ than\b|\banother number of \w+ than\b", "a different one from, one other than"),
    (r", of it(?: [\d.,]+ USD| unknown|$)", "of which 1.05 USD is for"),
    (r"\bis (?:failed|verified|held|planned|queued) now\b", "now counts as failed"),
    (r"(?:\battempt \d+ |^)of it made\b", "its attempt 1 made"),
    (r"\b(?:columns|answers) (?:that|which) are read first\b|\banswers to these questions first\b", "the main columns"),
    (r"\bmodel like this batch's\b|\bsigns of any script\b", "of the same vendor or family, of any language"),
    (r"\bas in the baseline$|\bits line in the manifest\b", "no difference, the prompt in the manifest"),
)
# The same for the pages and templates alone.
ODD_ON_PAGES = (
    (r"\b(?:held|holds? (?:\w+ ){1,5}) ?against\b", "compared with"),
    (
        r"(?:[,;]|\balso|\bor|\bbut) where (?!it (?:is documented|happens|begins)\b|each value comes from|prices come from)",
        "if",
    ),
    (r"\b(?:takes?|took|taken) (?:a (?:default|value)|the effect of \w+ \w+) away\b", "removes, makes useless"),
    (
        r"\bour (?:own )?(?:request ids?|rows|clock)\b|\b(?:submit|take|model like) (?:of )?ours\b",
        "wanbatch's, this machine's",
    ),
    (r"\bpass(?:es|ed)? (?:the|a|its) cap\b", "exceed the cap"),
    (r"\b(?:goes|go|went) alone\b", "is sent on its own"),
    (r"\bgraces\b|\bgrace is over\b", "grace period"),
    (r"\b(?:submits?|charges?) of no take\b(?!`)", "belongs to no take"),
    (r"\bpaid back\b", "refunded"),
    (r"\bcommand (?:that|which) goes on\b|\bwhich command goes on\b", "the command that continues"),
    (r"\bon no (?:screen|page|sheet)\b|\bkeeps it by name\b", "on any screen, lists it by name"),
    (r"\b(?:is|are) called by (?:its|their)\b|\bhow many they are\b", "is named after its, how many there are"),
    (
        r"\b(?:its|answers|ledger|provider's answers) set aside for\b|\bnames of yours\b",
        "the provider set aside",
    ),
    (
        r"\bstills? of the tutorial\b|\bmixed film\b|\bsets the whole\.",
        "a still from, two films mixed, the whole period",
    ),
    (
        r"\b(?:what|how well) (?:each|a clip|the clip) (?:shot )?(?:says|begins with)\b",
        "its prompt, how closely it matches",
    ),
    (r"\bcolours? move\b|\bmoves? the colour\b|\bas the provider documents it\b", "shift, as its documentation says"),
    (r"\bthe last two ask\b|\bmay be left to wait for\b", "name the options, the takes left may be"),
    (r"\banything a run leaves\b(?! behind)|\bcalls? a clip broken\b", "that a run leaves behind, reports as broken"),
)
ODD, ODD_ON_PAGES = (*ODD, *NEWEST), (*ODD_ON_PAGES, *NEWEST_ON_PAGES)
PATTERNS = tuple(pattern for pattern, _ in ODD)
PATTERNS_ON_PAGES = tuple(pattern for pattern, _ in ODD_ON_PAGES)
# A text with each of the newest kinds, as it was written once.
CASES = (
    "The reports are held against the books.",
    "It holds client and sandbox against the files.",
    "The budget less the final cost: below 0 it is over.",
    "A download is a stranger's file.",
    "The page of columns asks for its meaning.",
    "Only when the page was made is on your clock.",
    "The state file is read again, where the log is refused.",
    "It counts also where the manifest changed.",
    "A shot's own value wins, and `null` takes a default away.",
    "DOUBLE: ask the provider's support.",
    "An old copy was put back.",
    "The times are by your clock.",
    "The provider may have charged it.",
    "The copy has other pictures or sound than the clip.",
    "Each clip is checked to its last picture.",
    "The provider names models that end.",
    "This key may not make videos.",
    "The run finishes what runs.",
    "The price by usable second.",
    "The provider returns our request ids.",
    "A rise may pass the cap.",
    "The first take goes alone.",
    "Twice the grace is over.",
    "A charge of no take.",
    "It was charged, and paid back.",
    "Look up lost submits. Never pays.",
    "Use them for the new ids and buy none of them.",
    "It made nothing known, its cost is unknown.",
    "wanbatch asks about it once more.",
    "Attempt 1 of it was made after all.",
    "A run says what stands.",
    "Who of the cast is in the shot.",
    "Write what is seen of it.",
    "Of these verified.",
    "Write true into a column omit.",
    "In earnest you write here what is seen.",
    "Each shot says all of its own.",
    "Two folders were run within a day.",
    "The disk is full under a clip.",
    "Ledger and report equalled the credit.",
    "Its recipes are others than before.",
    "It has its price, which is in no sum.",
    "The circles are like that already.",
    "Its fallback was not taken.",
    "Warnings that you mean to be so.",
    "This is an error of wanbatch or of its installation.",
    "Its fallback is next: the same command goes on with it.",
    "None of these charges is of this batch.",
    "The ledger shows 2 charges of models like yours.",
    "The row says that it succeeded, but not what it made.",
    "This looks like a heading, and would be bought as a prompt.",
    "Nothing answers there: start what serves there.",
    "This model takes no references beside a first frame.",
    "A cut is an MP4: name it .mp4.",
    "wanbatch tries that as often again.",
    "The run ends with exit code 2 and has sent nothing.",
    "What wanbatch does if it turns out wrong.",
    "It shows the command that goes on.",
    "Nothing is rounded, on no screen and in no file.",
    "A shot is called by its scene and its prompt.",
    "It never calls a clip broken that is bought.",
    "No submit holds another frame than the one recorded.",
    "It read another number of rows than the total.",
    "Buy 4 takes here for about 4.20 USD, of it 2.625 USD for what is there already.",
    "sc010_sh020_t1 is failed now.",
    "Attempt 1 of it made a generation.",
    "A sheet with the columns that are read first.",
    "A charge for a model like this batch's.",
    "The final cost: as in the baseline",
    "What the provider's answers set aside for generations.",
    "It makes two films, or a mixed film.",
    "A page of slates: what each says.",
    "Its colours move along a chain.",
    "The last two ask first.",
)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts and comments of a module with their lines; a file of another kind is one text."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield 1, text
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for number, line in enumerate(text.split("\n"), 1):
        if "#" in line:  # in a comment, or in a text, which is then read twice
            yield number, line[line.index("#") :]


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return one pattern that finds what any of these finds. Most begin with a word: that is looked at once for all."""
    at_words, others = [], []
    for each in patterns:
        (at_words if each.startswith(r"\b") else others).append(each.removeprefix(r"\b"))
    return re.compile("|".join([rf"\b(?:{'|'.join(at_words)})", *others]), re.IGNORECASE)


def outermost(pattern: str) -> str:
    """Return a pattern without its groups and sets."""
    less = re.sub(r"\([^()]*\)|\[[^]]*\]", "", pattern)
    return less if less == pattern else outermost(less)


@cache
def suspects(patterns: tuple[str, ...], paths: tuple[Path, ...]) -> tuple[tuple[str, str], ...]:
    """Return the texts that hold any of these patterns, each in one line, with their places."""
    found = any_of(patterns)
    lines = ((f"{path.name}:{line}", " ".join(text.split())) for path in paths for line, text in texts(path))
    return tuple((place, text) for place, text in lines if found.search(text))


def odd_phrases(pattern: str, patterns: tuple[str, ...], paths: tuple[Path, ...]) -> list[str]:
    """Return where these files hold a pattern, which is one of `patterns`: the texts are searched once for all of these."""
    found = re.compile(pattern, re.IGNORECASE)
    places = ((place, found.search(text)) for place, text in suspects(patterns, paths))
    return [f"{place}: {match[0]}" for place, match in places if match]


@pytest.mark.parametrize(("pattern", "instead"), ODD)
def test_no_text_of_the_package_or_its_pages_holds_an_odd_phrase(pattern: str, instead: str) -> None:
    paths = (*sorted(PACKAGE.rglob("*.py")), *TEMPLATES, *PAGES)
    assert odd_phrases(pattern, PATTERNS, paths) == [], f"write instead: {instead}"


@pytest.mark.parametrize(("pattern", "instead"), ODD_ON_PAGES)
def test_no_page_or_template_holds_an_odd_phrase(pattern: str, instead: str) -> None:
    assert odd_phrases(pattern, PATTERNS_ON_PAGES, (*TEMPLATES, *PAGES)) == [], f"write instead: {instead}"


@pytest.mark.parametrize("text", [*CASES, *NEWEST_CASES])
def test_each_newer_kind_of_odd_phrase_is_found(text: str) -> None:
    every = (*PATTERNS, *PATTERNS_ON_PAGES)
    one_by_one = [pattern for pattern in every if re.search(pattern, text, re.IGNORECASE)]
    assert (one_by_one != [], any_of(every).search(text) is not None) == (True, True)


def test_what_else_a_pattern_finds_begins_with_a_word_if_the_pattern_does() -> None:
    at_words = [each for each in (*PATTERNS, *PATTERNS_ON_PAGES) if each.startswith(r"\b")]
    assert [each for each in at_words if not all(more.startswith(r"\b") for more in outermost(each).split("|"))] == []


def test_an_odd_phrase_is_found_in_texts_comments_and_templates(tmp_path: Path) -> None:
    module, page = tmp_path / "m.py", tmp_path / "page.html.j2"
    module.write_text('"""A table made\nanew."""\nTEXT = f"made anew {1}"\n# made anew\nanew = 1\n', encoding="utf-8")
    page.write_text("<p>made anew</p>", encoding="utf-8")
    found = odd_phrases(r"\banew\b", (r"\bmade now\b", r"\banew\b"), (module, page))
    assert found == ["m.py:1: anew", "m.py:3: anew", "m.py:4: anew", "page.html.j2:1: anew"]
