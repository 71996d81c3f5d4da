"""The pages: safe to open, whole without a network, and every link leads to a file of the output folder."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.reporting.states import MADE_AT, begin, every_state, place_clips, shot, write_run
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Batch, Shot
from wanbatch.cli import call
from wanbatch.reporting.files import ReportFiles, write_reports
from wanbatch.reporting.page import ROWS_SHOWN, _by_need, _coded, visible
from wanbatch.reporting.sheet import SHOTS_SHOWN
from wanbatch.state.reader import StateReader

HOSTILE = [
    "</script><script>alert(1)</script>",
    "\"' onerror=alert(1) x='",
    "<img src=x onerror=alert(1)>",
    "</style></title></textarea>",
    "{{ 7*7 }} {% raw %}",
    "&lt;b&gt; &amp;",
]
SCRIPTS: dict[str, list[dict[str, str | None]]] = {
    "storyboard.html": [{}],
    "report.html": [{"id": "figures", "type": "application/json"}, {"src": "plotly.min.js"}, {}],
}
VOID = {"meta", "img", "br", "input", "wbr"}


class Reader(HTMLParser):
    """Collects tags, attributes and text, and asserts that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.words = ""
        self.gap = " "

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.gap = "" if tag == "wbr" else " "  # a place where a word may break is no end of it
        if tag == "wbr":
            return
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            return
        self.text += data
        self.words = " ".join(f"{self.words}{self.gap}{data}".split())
        self.gap = " "


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    assert reader.open == []
    return reader


def reported(output: Path) -> ReportFiles:
    with StateReader.open(output) as reader:
        return write_reports(reader, made_at=MADE_AT)


def one_take(output: Path, state: State, prompt: str = "p", **words: str) -> ReportFiles:
    pen = begin(output, Batch(words.pop("batch", "b"), (shot("s", 0, prompt=prompt, scene=words.pop("scene", "")),)))
    pen.lead(1, state, label="s_t1", **words)
    place_clips(output, pen.state)
    write_run(pen, message=words.get("message", ""))
    pen.state.close()
    return reported(output)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_is_shown_and_never_markup(tmp_path: Path, text: str) -> None:
    files = one_take(tmp_path, State.FAILED, text, error=text, warning=text, scene=text, batch=text)
    for path in (files.report, files.storyboard):
        found = read(path)
        attributes = {name for _, attributes in found.tags for name in attributes}
        assert text in found.text
        assert not [tag for tag, _ in found.tags if tag in ("iframe", "object")]
        assert [each for tag, each in found.tags if tag == "script"] == SCRIPTS[path.name]
        assert not [name for name in attributes if name.startswith("on")]


def test_nothing_hides_in_a_text() -> None:
    assert visible("a\u202eb\x00c\x1bd\n\te\u2066f\x9bg") == "a[U+202E]bcd\n\te[U+2066]fg"


def test_a_page_carries_no_raw_control_or_bidi_character(tmp_path: Path) -> None:
    hostile = "a\u202egpj.exe\u202c \x1b[31m \x07 \u2067x\u2069"
    files = one_take(tmp_path, State.FAILED, hostile, error=hostile)
    for path in (files.report, files.storyboard):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
        assert "[U+202E]" in text


def test_the_policy_lets_in_the_style_of_the_page_and_nothing_else(tmp_path: Path) -> None:
    every_state(tmp_path)
    files = reported(tmp_path)
    for path in (files.report, files.storyboard):
        text = path.read_text(encoding="utf-8")
        styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
        policy = next(each["content"] for _, each in read(path).tags if "http-equiv" in each)
        scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts]
        style, code = f"'sha256-{digest}'", f"'sha256-{digests[0]}'"
        if path == files.report:  # plotly sets styles, and a file beside a page from a disk has no hash
            style, code = "'unsafe-inline'", f"{code} 'self' file:"
        assert (len(styles), len(scripts)) == (1, 1)
        assert policy == (
            f"default-src 'none'; style-src {style}; script-src {code}; img-src 'self' file: data:;"
            " media-src 'self' file:; base-uri 'none'; form-action 'none'"
        )
        assert "style=" not in text.replace(styles[0], "")


@pytest.mark.long
def test_every_link_leads_to_a_file_of_the_output_folder(tmp_path: Path) -> None:
    every_state(tmp_path)
    files = reported(tmp_path)
    for path in (files.report, files.storyboard):
        links = [
            value
            for _, attributes in read(path).tags
            for name, value in attributes.items()
            if name in ("href", "src", "poster") and value is not None and not value.startswith("#")
        ]
        targets = [(path.parent / unquote(link)).resolve() for link in links]
        assert len(links) > 2
        assert [link for link in links if re.match(r"[a-z]+:|/", link)] == []
        assert all(target.is_file() and target.is_relative_to(tmp_path.resolve()) for target in targets)


@pytest.mark.sampled(6)
@pytest.mark.parametrize(
    "file",
    [
        "../../x.mp4",
        "clips/../../../x.mp4",
        "clips/a/../../../../x.mp4",
        "clips/..\\x.mp4",
        "/etc/x.mp4",
        "//host/x.mp4",
        "..\\x.mp4",
        "C:x.mp4",
        "clips/\0x.mp4",
        "javascript:alert(1)",
        "reports/x.mp4",
    ],
)
def test_a_state_file_cannot_lead_out_of_its_folder(tmp_path: Path, file: str) -> None:
    output = tmp_path / "a" / "b"
    pen = begin(output, Batch("b", (shot("s", 0),)))
    pen.lead(1, State.VERIFIED, file=file)
    (tmp_path / "x.mp4").write_bytes(b"not ours")
    pen.state.close()
    files = reported(output)
    assert not (tmp_path / "x.json").exists()
    for path in (files.report, files.storyboard):
        assert not [each for _, each in read(path).tags if "x.mp4" in str(each) or "javascript" in str(each)]


def test_every_state_has_its_place_in_the_storyboard(tmp_path: Path) -> None:
    states = every_state(tmp_path)
    found = read(reported(tmp_path).storyboard)
    cards = [each["data-shot"] for tag, each in found.tags if tag == "article"]
    clips = [(each["href"], each["aria-label"]) for tag, each in found.tags if each.get("class") == "clip"]
    stills = [(each["src"], each["loading"], each["width"]) for tag, each in found.tags if tag == "img"]
    assert cards == [*states, "zz_omitted"]
    assert {state.value for state in states.values()} - {"completed"} | {"omitted"} <= set(found.words.split())
    assert "made (not fetched yet)" in found.words
    assert clips == [("clips/sc2_sh08_t1.mp4", "play sc2_sh08_t1")]
    assert stills == [("posters/sc2_sh08_t1.jpg", "lazy", "1280")]
    assert [tag for tag, _ in found.tags if tag == "video"] == []


@pytest.mark.long
def test_what_is_too_much_for_a_page_is_told_with_where_the_rest_is(tmp_path: Path) -> None:
    takes, listed = ROWS_SHOWN + 7, SHOTS_SHOWN + 3
    shots = tuple(shot(f"s{n:04}", n, omit=n >= takes) for n in range(listed))
    begin(tmp_path, Batch("b", shots)).state.close()
    files = reported(tmp_path)
    board, report = (path.read_text(encoding="utf-8") for path in (files.storyboard, files.report))
    told = f"The first {SHOTS_SHOWN:,} shots of {listed:,} are shown; <code>reports/takes.csv</code> lists all of them."
    assert (told in board, board.count("<article")) == (True, SHOTS_SHOWN)
    assert f'The first {ROWS_SHOWN} takes; 7 more are in <a href="takes.csv">takes.csv</a>.' in report


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("state", "words", "told"),
    [
        (State.FAILED, {}, ["wanbatch retry outputs/b --only s"]),
        (State.FAILED, {"charged": 5}, []),
        (State.UNKNOWN, {}, []),
        (
            State.HELD,
            {},
            [
                "wanbatch reconcile outputs/b",
                *(f"wanbatch resolve outputs/b s_t1 {way}" for way in ("--resubmit", "--abandon")),
            ],
        ),
        (State.VERIFIED, {}, []),
        (State.GENERATING, {}, []),
    ],
)
def test_a_card_tells_what_can_be_done(tmp_path: Path, state: State, words: dict[str, Any], told: list[str]) -> None:
    text = one_take(tmp_path / "outputs/b", state, **words).storyboard.read_text(encoding="utf-8")
    assert [unescape(each) for each in re.findall(r"<code data-command[^>]*>(.*?)</code>", text)] == told


@pytest.mark.long
def test_a_card_tells_what_a_take_cost_and_took(tmp_path: Path) -> None:
    words = read(one_take(tmp_path, State.VERIFIED, charged=1_050_000).storyboard).words
    assert "T1 720p 5 s seed 7" in words.replace("16:9 ", "")
    assert "verified 0.525 USD in 3.0 s" in words
    unknown = read(one_take(tmp_path / "u", State.UNKNOWN, estimated=None).storyboard).words
    assert "cost unknown" in unknown


def test_the_report_says_what_needs_the_user(tmp_path: Path) -> None:
    every_state(tmp_path)
    text = read(reported(tmp_path).report).words
    assert f"1 failed wanbatch retry {tmp_path.name} tries again. the server said: no sc2_sh09_t1" in text
    wait = (
        f"1 held wanbatch reconcile {tmp_path.name} looks it up in the provider's log, and costs nothing; so does the"
        f" next run. If neither finds it, choose one: wanbatch resolve {tmp_path.name} "
    )
    assert re.search(rf"{re.escape(wait)}sc\d_sh\d+_t1 --resubmit", text)
    assert text.index("1 held wanbatch") < text.index("1 unknown wanbatch reconcile") < text.index("1 failed wanbatch")
    assert "1 of 10" in text


def test_takes_in_one_state_are_in_one_box_each_with_its_own_commands() -> None:
    needs = [{"state": "held", "todo": f"decide about {name}", "count": 1} for name in ("a_t1", "b_t1")]
    failed = {"state": "failed", "todo": "`wanbatch retry` tries again", "count": 3}
    assert [(state, count, [todo for todo, _ in cures]) for state, count, cures in _by_need([*needs, failed])] == [
        ("held", 2, ["decide about a_t1", "decide about b_t1"]),
        ("failed", 3, ["`wanbatch retry` tries again"]),
    ]


@pytest.mark.parametrize(
    ("shots", "words"),
    [
        ((), "verified no plan yet no run has recorded its plan here: run the manifest, which plans its takes"),
        ((shot("a", 0), shot("b", 1, takes=2)), "verified 0 of 3 3 planned"),
        ((shot("a", 0, omit=True),), "verified none asked for 1 shot omitted"),
    ],
    ids=["killed before it planned", "killed before it sent", "omitted"],
)
def test_the_report_says_how_many_takes_are_asked_for_before_the_first_is_sent(
    tmp_path: Path, shots: tuple[Shot, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(tmp_path, Batch("b", shots)).state.close()
    assert words in read(reported(tmp_path).report).words
    assert call(["status", str(tmp_path)]) == 0
    assert ("no plan yet: no run has" in " ".join(capsys.readouterr().out.split())) is not bool(shots)


def test_a_page_never_says_0_for_what_is_not_known(tmp_path: Path) -> None:
    text = read(one_take(tmp_path, State.UNKNOWN).report).words
    assert (
        "charged unknown (1 possible charge not in the provider's ledger yet) unknown credits, seen in the ledger"
        in text
    )
    assert "outside the cut unknown of what was charged; what was charged for the cut: unknown" in text
    assert "b unknown unknown unknown 1 possible charge not in the provider's ledger yet" in text
    assert text.count("charged 0.00") == 0
    assert "committed unknown (1 take) unknown credits, and 1 take with an unknown cost" in text
    assert "final cost unknown (1 take) unknown credits: what is committed, and what is still to be sent" in text


def test_the_curve_of_the_money_counts_what_it_cannot_draw(tmp_path: Path) -> None:
    every_state(tmp_path)
    text = read(reported(tmp_path).report).words
    assert (
        "2.625 USD committed, 0.525 USD of it seen in the ledger; the lines leave out 3 takes with an unknown cost"
        in text
    )


@pytest.mark.long
def test_a_poster_outside_of_the_folder_is_not_shown(tmp_path: Path) -> None:
    output = tmp_path / "a"
    one_take(output, State.VERIFIED)
    (tmp_path / "elsewhere.jpg").write_bytes(b"not ours")
    (output / "posters/s_t1.jpg").unlink()
    (output / "posters/s_t1.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    found = read(reported(output).storyboard)
    assert [each["href"] for _, each in found.tags if each.get("class") == "clip"] == ["clips/s_t1.mp4"]
    assert [tag for tag, _ in found.tags if tag == "img"] == []


def test_a_sandbox_says_so_on_every_page(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s", 0),)), base_url="sandbox", sandbox=True)
    write_run(pen, speed=60)
    files = write_reports(pen.state, made_at=MADE_AT)
    pen.state.close()
    for path in (files.report, files.storyboard):
        text = read(path).text
        assert "SANDBOX" in text
        assert "60 times faster than real" in text


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("kind", "told", "shown"),
    [
        ("empty", "verified no plan yet", "No shots yet."),
        ("all planned", "verified 0 of 3 3 planned", "s2 planned"),
        ("all failed", "verified 0 of 3 3 failed", "s2 failed"),
        ("all omitted", "verified none asked for 3 shots omitted", "s2 omitted"),
        ("all verified", "verified 3 of 3 3 verified", "s2 no still for this clip T1"),
    ],
)
def test_a_batch_of_one_kind_has_all_its_pages(tmp_path: Path, kind: str, told: str, shown: str) -> None:
    shots = tuple(shot(f"s{number}", number, omit=kind == "all omitted") for number in range(3))
    pen = begin(tmp_path, Batch("b", () if kind == "empty" else shots))
    for take in pen.state.takes():
        pen.lead(take.take_id, State(kind.removeprefix("all ")), label=take.label)
    files = write_reports(pen.state, made_at=MADE_AT)
    pen.state.close()
    assert told in read(files.report).words
    assert shown in read(files.storyboard).words


def test_the_browser_is_asked_for_nothing_from_outside(tmp_path: Path) -> None:
    every_state(tmp_path)
    files = reported(tmp_path)
    for path in (files.report, files.storyboard):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://|@import|url\(|<script src=\"(?!plotly.min.js)|<link", text)


@pytest.mark.parametrize(
    "code",
    [
        "import sys, wanbatch.reporting.sidecar; sys.exit('pandas' in sys.modules or 'jinja2' in sys.modules)",
        "import sys; from wanbatch.reporting.page import page; page('animatic.css.j2'); sys.exit('pandas' in sys.modules)",
    ],
    ids=["sidecars", "pages without a table"],
)
def test_what_is_written_while_somebody_waits_costs_no_pandas(code: str) -> None:
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_word_of_a_command_with_a_hyphen_is_kept_together() -> None:
    told = _coded("to continue: `wanbatch run a.yaml -o outputs/b-2 --max-usd 4`, and --yes <b>")
    assert str(told) == (
        "to continue: <code>wanbatch run a.yaml <span>-o</span> <span>outputs/b-2</span> <span>--max-usd</span> 4</code>,"
        " and <code><span>--yes</span></code> &lt;b&gt;"
    )
