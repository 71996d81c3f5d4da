"""Every bad manifest of the corpus gives exactly its problems, and no input whatever gives a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wanbatch.batch.shots import Batch
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import PROBLEMS_SHOWN, load_manifest
from wanbatch.resources import folder_of

CORPUS = Path(__file__).parent / "bad"
BAD = sorted(path for path in CORPUS.iterdir() if path.suffix != ".expected" and ".map." not in path.name)


def problems_of(path: Path) -> list[str]:
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(path)
    assert {problem.file for problem in caught.value.problems} == {str(path)}
    return [f"{problem.line}:{problem.column} {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_a_bad_manifest_gives_exactly_its_problems(path: Path) -> None:
    expected = path.with_name(f"{path.name}.expected").read_text(encoding="utf-8").splitlines()
    assert problems_of(path) == expected


def test_the_corpus_is_large() -> None:
    assert len(BAD) >= 180


NAMES_UNIT = "name the unit of a budget: write budget: {{max_usd: {}}}, or max_credits instead of max_usd; 1 USD is 2,000,000 credits"
GOOD = b"version: 1\nshots:\n  - id: a\n    prompt: caf\xc3\xa9\n"


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("utf16.yaml", GOOD.decode().encode("utf-16"), "1:1 this file is UTF-16; save it as UTF-8"),
        ("bare16.yaml", GOOD.decode().encode("utf-16-le"), "1:1 this file is UTF-16 or UTF-32; save it as UTF-8"),
        ("early.yaml", "# é\nx: \x01\n".encode(), "2:4 a character that YAML does not allow in text; remove it"),
        ("mac.csv", b"id,prompt,duration\ra,x,7\r", "2:5 duration is 7; alibaba/wan-2-6-t2v accepts 5, 10 or 15"),
        ("return.csv", b"id,prompt\na,x\ry\n", "2:3 a carriage return in a cell; put the cell in quotes"),
        (
            "wide.csv",
            b'id,prompt\na,"' + b"x\n" * 600_000,
            "2:3 a quote that begins here is never closed",
        ),
        (
            "long.csv",
            b'id,prompt\na,"' + b"x\n" * 600_000 + b'"',
            "2:3 a cell of more than 1 MiB; is a quote in this row not closed?",
        ),
        ("utf32.yaml", GOOD.decode().encode("utf-32"), "1:1 this file is UTF-32; save it as UTF-8"),
        ("latin1.yaml", GOOD.decode().encode("latin-1"), "4:16 byte 0xE9 is not valid UTF-8; save the file as UTF-8"),
        ("nul.yaml", GOOD + b"\0", "5:1 a NUL character; this is not a text file"),
        ("nul.csv", b"id,prompt\na,\0\n", "2:3 a NUL character; this is not a text file"),
        ("control.yaml", b"version: 1\nx: \x01\n", "2:4 a character that YAML does not allow in text; remove it"),
        ("zero.yaml", b"", "1:1 this file is empty"),
        ("mark.yaml", b"\xef\xbb\xbf", "1:1 this file is empty"),
    ],
)
def test_bytes_that_editors_would_spoil(tmp_path: Path, name: str, data: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert problems_of(tmp_path / name) == [problem]


def test_what_is_no_file_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    told = [problems_of(tmp_path / name)[0] for name in ("folder.yaml", "pipe.yaml", "missing.yaml", "loop.yaml")]
    assert [text.split(";")[0] for text in told[:3]] == [
        "0:0 this is a folder",
        "0:0 this is not an ordinary file",
        "0:0 there is no such file: check the name",
    ]
    assert told[3].startswith("0:0 this file cannot be read")


def test_a_flood_of_problems_is_cut_and_counted(tmp_path: Path) -> None:
    rows = "".join(f"  - {{id: s{n}, prompt: x, duration: 7}}\n" for n in range(500))
    (tmp_path / "many.yaml").write_text(f"version: 1\nshots:\n{rows}")
    told = problems_of(tmp_path / "many.yaml")
    assert (len(told), told[-1].split(" ", 1)[1]) == (PROBLEMS_SHOWN + 1, "... and 300 more problems")


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 100_000,
        "a: " + "{a: " * 50_000,
        "version: 1\nshots: [{id: a, prompt: x, seed: " + "9" * 5000 + "}]\n",
        "&a [" * 2000,
        "? " * 5000,
        "- " * 20_000,
        "!" * 1000,
        "%YAML 9.9\n---\na",
    ],
    ids=["lists", "tables", "digits", "anchors", "keys", "dashes", "tags", "directive"],
)
def test_bombs_are_refused_quickly(tmp_path: Path, text: str) -> None:
    (tmp_path / "bomb.yaml").write_text(text)
    assert problems_of(tmp_path / "bomb.yaml")


def test_a_deep_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb.json").write_text("[" * 200_000)
    assert problems_of(tmp_path / "bomb.json")


ENDINGS = st.sampled_from([".yaml", ".json", ".csv", ".txt"])
QUIET = settings(max_examples=150, suppress_health_check=list(HealthCheck))
EXAMPLES = [path.read_bytes() for path in sorted(folder_of("manifests").iterdir()) if path.is_file()]


def is_a_batch_or_problems(folder: Path, ending: str, data: bytes) -> bool:
    """Read a manifest; say whether it gives a batch, or problems that each have a place and a message."""
    path = folder / f"fuzz{ending}"
    path.write_bytes(data)
    try:
        made: object = load_manifest(path)
    except ManifestInvalid as error:
        made = error
    if isinstance(made, ManifestInvalid):
        return bool(made.problems) and all(problem.line >= 0 and problem.message for problem in made.problems)
    return isinstance(made, Batch)


@given(ENDINGS, st.binary(max_size=300))
@QUIET
def test_no_bytes_give_a_traceback(tmp_path_factory: pytest.TempPathFactory, ending: str, data: bytes) -> None:
    assert is_a_batch_or_problems(tmp_path_factory.getbasetemp(), ending, data)


@given(ENDINGS, st.text(alphabet=":-[]{}&*!|>'\"%@`,#?\n\t 0a1éid\\x", max_size=120))
@QUIET
def test_no_text_gives_a_traceback(tmp_path_factory: pytest.TempPathFactory, ending: str, text: str) -> None:
    data = b"version: 1\nshots:\n - " + text.encode()
    assert is_a_batch_or_problems(tmp_path_factory.getbasetemp(), ending, data)


@given(ENDINGS, st.sampled_from(EXAMPLES), st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=6)), max_size=4))
@QUIET
def test_no_damage_to_a_good_manifest_gives_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, ending: str, data: bytes, cuts: list[tuple[int, bytes]]
) -> None:
    for at, new in cuts:
        data = data[:at] + new + data[at + len(new) :]
    assert is_a_batch_or_problems(tmp_path_factory.getbasetemp(), ending, data[:3000])


@pytest.mark.parametrize(
    ("head", "problems"),
    [
        (
            "limits: {rate: 5, concurrency: 3, retries: 1, fps: 2}",
            [
                "2:10 'rate' is not a field of limits; did you mean submit_rate?",
                "2:19 'concurrency' is not a field of limits; did you mean in_flight?",
                "2:35 'retries' is not a field of limits; did you mean max_attempts?",
                "2:47 'fps' is not a field of limits",
            ],
        ),
        ("budget: 20", [f"2:9 budget is '20'; {NAMES_UNIT.format(20)}"]),
        ("budget: {usd: 20}", ["2:10 'usd' is not a field of budget; did you mean max_usd?"]),
        ("duration: 5", ["2:1 'duration' is not a field of a manifest; put duration under defaults:"]),
    ],
)
def test_names_of_other_tools_in_the_head_lead_to_ours(tmp_path: Path, head: str, problems: list[str]) -> None:
    (tmp_path / "x.yaml").write_text(f"version: 1\n{head}\nshots:\n  - {{id: a, prompt: x}}\n")
    assert problems_of(tmp_path / "x.yaml") == problems
