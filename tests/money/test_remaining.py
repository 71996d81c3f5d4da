"""What is still to be sent: its cost, the room under the cap, and which run tells why it waits."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.reporting.states import BEGIN, CREDITS, MADE_AT, begin, shot
from tests.reporting.test_pages import read, reported
from tests.worlds import EPOCH
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import make_plan
from wanbatch.batch.shots import Batch
from wanbatch.cli import call
from wanbatch.cli.spending import remaining_lines
from wanbatch.errors import MEANINGS, ExitCode
from wanbatch.money.remaining import NOTHING_REMAINS, Remaining
from wanbatch.reporting.cost_files import write_combined
from wanbatch.reporting.workbook_summary import how_to_go_on
from wanbatch.state.file import StateFile
from wanbatch.state.kept_command import COMMAND_NOTE
from wanbatch.state.next_step import NextStep, early_end, end_text
from wanbatch.state.progress_reader import read_overview
from wanbatch.state.reader import StateReader
from wanbatch.state.remaining import read_remaining
from wanbatch.state.tables import Run

USD = 2_000_000
FOUR = Remaining(takes=4, known=2 * USD, unpriced=0, cap=None, committed=3 * USD)
RUN = Run(1, EPOCH, EPOCH + timedelta(hours=1), 0, 1.0, "0.1.0", None, 0, None, "")


@pytest.mark.parametrize(
    ("remaining", "room", "needed", "words"),
    [
        (FOUR, None, None, "4 takes for 2.00 USD"),
        (replace(FOUR, cap=9 * USD), 6 * USD, None, "4 takes for 2.00 USD; the cap of 9.00 USD has 6.00 USD left"),
        (replace(FOUR, cap=5 * USD), 2 * USD, None, "4 takes for 2.00 USD; the cap of 5.00 USD has 2.00 USD left"),
        (
            replace(FOUR, cap=4 * USD),
            USD,
            5 * USD,
            "4 takes for 2.00 USD; the cap of 4.00 USD has 1.00 USD left: sending them all needs a cap of 5.00 USD",
        ),
        (
            replace(FOUR, takes=1, cap=2 * USD),  # passed by charges
            0,
            5 * USD,
            "1 take for 2.00 USD; the cap of 2.00 USD has 0.00 USD left: sending it needs a cap of 5.00 USD",
        ),
        (
            replace(FOUR, cap=4 * USD, committed=None),
            None,
            None,
            "4 takes for 2.00 USD; the cap is 4.00 USD, and how much of it is left is unknown",
        ),
        (  # a price is unknown, and so is the cap that is needed
            replace(FOUR, cap=4 * USD, unpriced=2),
            USD,
            None,
            "4 takes for 2.00 USD + unknown (2 takes); the cap of 4.00 USD has 1.00 USD left",
        ),
        (  # a run holds its cap by the highest price seen
            replace(FOUR, cap=6 * USD, worst=4 * USD),
            3 * USD,
            7 * USD,
            "4 takes for 2.00 USD; the cap of 6.00 USD has 3.00 USD left: sending them all needs a cap of 7.00 USD",
        ),
        (replace(FOUR, known=USD, unpriced=2), None, None, "4 takes for 1.00 USD + unknown (2 takes)"),
        (replace(FOUR, takes=0, known=0, cap=4 * USD), USD, None, "no take"),
    ],
)
def test_what_is_left_is_held_against_the_cap(
    remaining: Remaining, room: int | None, needed: int | None, words: str
) -> None:
    assert (remaining.room, remaining.needed_cap, remaining.words) == (room, needed, words)


CAPPED = replace(RUN, exit_code=5, message="the cap of 4.00 USD is reached")
LATER = replace(RUN, run_id=2, ended_at=EPOCH + timedelta(hours=2))


@pytest.mark.parametrize(
    ("runs", "hour", "found"),
    [
        ([CAPPED], 0, CAPPED),
        ([CAPPED, LATER], 0, CAPPED),  # a retake sent its own takes and ended well
        ([CAPPED, LATER], 1.5, None),  # they were planned after the run that stopped
        ([CAPPED, LATER], None, None),  # nothing is left
        ([replace(CAPPED, exit_code=1)], 0, None),  # takes that failed stop no run
        ([replace(CAPPED, exit_code=130)], 0, replace(CAPPED, exit_code=130)),
        ([replace(CAPPED, exit_code=None, ended_at=None), LATER], 0, replace(CAPPED, exit_code=None, ended_at=None)),
        ([LATER], 0, None),
        ([], 0, None),
    ],
)
def test_the_run_that_tells_why_takes_wait_is_the_newest_that_stopped_early(
    runs: list[Run], hour: float | None, found: Run | None
) -> None:
    since = None if hour is None else EPOCH + timedelta(hours=hour)
    assert early_end(runs, since) == found


def stopped_and_then_retaken(folder: Path) -> Path:
    """A batch of two shots: one made, one kept back by a cap; a later run ended well."""
    pen = begin(folder, Batch("film", (shot("a", 0), shot("b", 1))), base_url="sandbox", sandbox=True)
    pen.lead(1, State.VERIFIED, charged=CREDITS, label="a_t1")
    capped = Run(1, BEGIN, pen.now, 5, 60.0, "0.1.0", None, 0, 1_200_000, "the cap of 0.60 USD is reached")
    pen.state.store_run(capped)
    pen.state.store_run(replace(capped, run_id=2, exit_code=0, message=""))
    pen.state.close()
    return folder


@pytest.mark.long
def test_status_pages_and_workbook_say_why_takes_wait_after_a_later_run_ended_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stopped_and_then_retaken(tmp_path / "one")
    assert call(["status", str(folder)]) == 0
    status = " ".join(capsys.readouterr().out.split())
    assert "still to be sent: 1 take for 0.525 USD" in status
    assert "waiting since an earlier run ended at" in status
    assert call(["--json", "status", str(folder)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["remaining"]["takes"], told["stopped_early"]["exit_code"], told["last_run"]["exit_code"]) == (1, 5, 0)
    report = read(reported(folder).report).words
    assert "A run stopped early An earlier run ended at" in report
    assert "the cap of 0.60 USD is reached. The last run ended at" in report
    assert "Still to be sent: 1 take for 0.525" in report
    page, _ = write_combined([folder], tmp_path / "all", MADE_AT)
    assert "What needs your attention in film A run stopped early An earlier run ended at" in read(page).words


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [
        ("", None),
        ("--only scene:sc2 --max-usd 1", (1, CREDITS)),
        ("--only 'a*' --only tag:hero", (2, 3 * CREDITS)),
        ("--except b --limit 1", (1, 2 * CREDITS)),  # that which costs most
    ],
)
def test_what_the_command_that_goes_on_sends_has_a_price_of_its_own(
    tmp_path: Path, flags: str, chosen: tuple[int, int] | None
) -> None:
    long, hero = {"request": {"duration": 10}}, {"tags": ("hero",)}
    made = (shot("e", 4), shot("f", 5, **long))
    shots = (shot("a", 0, **long), shot("b", 1, scene="sc2"), shot("c", 2, **hero), shot("d", 3), *made)
    pen = begin(tmp_path, Batch("film", shots), base_url="sandbox", sandbox=True)
    for take_id, price in ((5, CREDITS), (6, 2 * CREDITS)):
        pen.lead(take_id, State.VERIFIED, held=price, charged=price, label=f"made{take_id}")
    pen.state.note(COMMAND_NOTE, f"wanbatch run film.yaml {flags}")
    pen.state.store_run(CAPPED)
    pen.state.close()
    with StateReader.open(tmp_path) as reader:
        told = read_remaining(reader).chosen
    assert (None if told is None else (told.takes, told.known)) == chosen


def test_what_failed_has_a_price_of_its_own_and_what_is_not_asked_for_is_not_tried_again(tmp_path: Path) -> None:
    shots = (shot("a", 0), shot("b", 1), shot("c", 2))
    pen = begin(tmp_path / "one", Batch("film", shots))
    for take in pen.state.takes():
        pen.lead(take.take_id, State.FAILED if take.shot_id != "c" else State.VERIFIED, label=take.label)
    plan = make_plan(Batch("film", (shots[0], shot("b", 1, omit=True), shots[2])), pen.state.takes(), pen.state.shots())
    pen.state.adopt(plan, pen.now)
    pen.state.close()
    with StateReader.open(tmp_path / "one") as reader:
        remaining = read_remaining(reader)
    assert (remaining.takes, remaining.failed) == (0, 1)
    assert "1 take failed: trying it again would cost 0.525 USD" in remaining.failed_words


def test_a_take_that_is_still_to_be_sent_is_not_counted_again_where_its_shot_has_to_be_changed(tmp_path: Path) -> None:
    pen = begin(tmp_path / "one", Batch("film", (shot("a", 0, takes=3),)))
    first, second, _ = pen.state.takes()
    pen.lead(first.take_id, State.FAILED, error="Content policy violation")
    pen.lead(second.take_id, State.VERIFIED, label=second.label)
    pen.state.close()
    with StateReader.open(tmp_path / "one") as reader:
        remaining = read_remaining(reader)
    assert (remaining.takes, remaining.failed, remaining.tries) == (1, 1, 2)
    assert remaining.changed.known == 2 * CREDITS


@pytest.mark.parametrize("is_absolute", [False, True])
def test_a_page_prints_no_command_that_would_mean_another_folder(tmp_path: Path, *, is_absolute: bool) -> None:
    folder = stopped_and_then_retaken(tmp_path / "one")
    name = str(folder) if is_absolute else "relative/one"
    with StateReader.open(folder) as reader:
        identity = reader.identity()
    with StateFile.create_or_open(folder, identity) as state:
        state.note(COMMAND_NOTE, f"wanbatch run film.yaml -o {name} --yes")
    words = read(reported(folder).report).words
    assert (f"wanbatch run film.yaml -o {name}" in words, "-o one" in words) == (not is_absolute, False)


def test_batches_of_one_name_in_folders_of_one_name_stay_apart(tmp_path: Path) -> None:
    folders = [stopped_and_then_retaken(tmp_path / each / "film") for each in ("ep1", "ep2")]
    _, facts = write_combined(folders, tmp_path / "all", MADE_AT)
    assert facts["batches"] == ["film (ep1/film)", "film (ep2/film)"]


OF_TWO = "2 takes failed: trying them again would cost 1.00 USD (not in the final cost)"
OF_THREE = "This buys 3 takes, because all takes of a shot that you change are made again"


@pytest.mark.parametrize(
    ("remaining", "words"),
    [
        (
            Remaining(0, 0, 0, None, USD, failed=2, tries=2, failed_known=USD),
            f"{OF_TWO}. To finish all shots: 2.00 USD",
        ),
        (
            Remaining(0, 0, 0, 9 * USD, USD, failed=2, tries=3, failed_known=USD),
            f"{OF_TWO}, which the cap of 9.00 USD allows. {OF_THREE}. To finish all shots: 2.00 USD",
        ),
        (
            Remaining(0, 0, 0, 3 * USD, 3 * USD, failed=1, tries=1, failed_known=USD),
            (
                "1 take failed: trying it again would cost 1.00 USD (not in the final cost) and needs a cap of 4.00 USD."
                " To finish all shots: 4.00 USD"
            ),
        ),
        (  # of one that may have been charged the cost is unknown
            Remaining(1, USD, 0, None, None, failed=1, tries=1, failed_known=USD, committed_known=USD, uncosted=1),
            (
                "1 take failed: trying it again would cost 1.00 USD (not in the final cost). To finish all shots: 3.00 USD +"
                " unknown (1 take)"
            ),
        ),
        (Remaining(0, 0, 0, 3 * USD, 3 * USD), ""),
    ],
)
def test_another_try_has_its_price_and_says_whether_the_cap_allows_it(remaining: Remaining, words: str) -> None:
    assert remaining.failed_words == words


@pytest.mark.parametrize(
    ("exit_code", "message", "words"),
    [
        (0, "", "with exit code 0 (everything that this command asked for is done)"),
        (1, "", "with exit code 1 (some takes failed)"),
        (3, "", "with exit code 3 (something needs your decision)"),
        (1, "a_t1 failed", "with exit code 1 (some takes failed): a_t1 failed"),
        (3, "b_t1 waits for a_t1", "with exit code 3 (something needs your decision): b_t1 waits for a_t1"),
        (5, "the cap of 5.00 USD is reached", "with exit code 5: the cap of 5.00 USD is reached"),
        (77, "", "with exit code 77"),
    ],
)
def test_an_exit_code_stands_with_its_meaning_or_its_reason(exit_code: int, message: str, words: str) -> None:
    assert end_text(replace(RUN, exit_code=exit_code, message=message)).endswith(words)


def test_every_exit_code_has_words() -> None:
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.parametrize(("estimated", "amount"), [(CREDITS, "0.525 USD"), (None, "1 of unknown cost")])
def test_what_is_at_risk_after_a_run_is_said_with_who_settles_it(
    estimated: int | None, amount: str, tmp_path: Path
) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s1", 0),)))
    (take,) = pen.state.takes()
    pen.lead(take.take_id, State.HELD, label=take.label, estimated=estimated)
    pen.state.close()
    assert remaining_lines(read_overview(tmp_path)) == [
        (
            f"at risk, for submits that may still be charged: {amount}. `wanbatch reconcile {tmp_path}` looks in the"
            " provider's ledger and log, and costs nothing. If a submit shows up in neither, contact the provider's support"
        )
    ]
    name = tmp_path.name
    told = f"{amount}. wanbatch reconcile {name} looks in the provider's ledger and log, and costs nothing. If a submit"
    assert f"What may still be charged At risk, for submits that may still be charged: {told}" in page_of(tmp_path)
    (progress,) = json.loads((tmp_path / "reports" / "costs.json").read_text(encoding="utf-8"))["progress"]
    assert any(told in line for line in how_to_go_on(progress))


LISTED_LATER = (
    "at risk, only because the provider's ledger has not listed the charge yet: {} that {} verified or under way. A charge"
    " appears some time after its clip is made: `wanbatch reconcile {}` looks again, and costs nothing"
)


@pytest.mark.parametrize(
    ("states", "amount"),
    [
        ((State.VERIFIED,), ("0.525 USD for 1 clip", "is")),
        ((State.VERIFIED, State.GENERATING), ("1.05 USD for 2 clips", "are")),
        ((State.VERIFIED, State.HELD), ("0.525 USD for 1 clip", "is")),
    ],
)
def test_a_charge_that_is_listed_later_needs_nobody(
    states: tuple[State, ...], amount: tuple[str, str], tmp_path: Path
) -> None:
    pen = begin(tmp_path, Batch("b", tuple(shot(f"s{place}", place) for place in range(len(states)))))
    for take, state in zip(pen.state.takes(), states, strict=True):
        pen.lead(take.take_id, state, label=take.label, estimated=CREDITS)
    pen.state.close()
    line, *_ = remaining_lines(read_overview(tmp_path))
    told, _, rest = line.partition(". Also at risk, for submits that may still be charged: ")
    assert told == LISTED_LATER.format(*amount, tmp_path)
    assert ("support" in rest, rest.startswith("0.525 USD.")) == (State.HELD in states, State.HELD in states)
    assert told.replace(str(tmp_path), tmp_path.name).replace("`", "")[1:] in page_of(tmp_path)


def page_of(folder: Path) -> str:
    return read(reported(folder).report).words


def test_clips_that_are_ordered_and_not_fetched_are_a_reason_to_continue(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shots = (shot("s1", 0), shot("s2", 1), shot("s3", 2))
    pen = begin(tmp_path, Batch("b", shots), base_url="sandbox", sandbox=True)
    states = (State.GENERATING, State.COMPLETED, State.VERIFIED)
    for take, state in zip(pen.state.takes(), states, strict=True):
        pen.lead(take.take_id, state, label=take.label, charged=CREDITS)
    pen.state.close()
    line = "2 clips paid for and not fetched yet: running the manifest again fetches them at no further cost"
    assert remaining_lines(read_overview(tmp_path)) == [line]
    assert line in page_of(tmp_path)
    (progress,) = json.loads((tmp_path / "reports" / "costs.json").read_text(encoding="utf-8"))["progress"]
    assert [progress["unfetched_words"], line in how_to_go_on(progress)] == [line, True]
    call(["reconcile", str(tmp_path)])
    assert line in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("left", "line"),
    [
        (
            replace(NOTHING_REMAINS, unfetched=2, paid=1),
            (
                "2 clips ordered and not fetched yet, 1 of them paid for: `wanbatch run a.yaml` fetches them at no further"
                " cost"
            ),
        ),
        (
            replace(NOTHING_REMAINS, takes=1, unfetched=1),
            (
                "1 clip ordered and not fetched yet: `wanbatch run a.yaml` fetches it at no further cost and continues with"
                " what is still to be sent"
            ),
        ),
    ],
)
def test_the_command_that_fetches_what_is_ordered_is_named(left: Remaining, line: str) -> None:
    step = NextStep("wanbatch run a.yaml", "outputs/a", RUN, left, (), is_running=False, is_finished=False)
    assert [step.fetch_line, replace(step, is_running=True).fetch_line] == [line, ""]
