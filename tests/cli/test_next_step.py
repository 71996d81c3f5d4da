"""The command that goes on: with the cap that it needs, and what comes before it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.worlds import EPOCH
from wanbatch.batch.remedies import Again
from wanbatch.batch.run_details import RunDetails
from wanbatch.batch.selection import EVERYTHING, Choice, Selection
from wanbatch.money.purchase import Purchase
from wanbatch.money.remaining import Remaining
from wanbatch.money.scene_caps import SceneCaps
from wanbatch.state.needs import WAITING, WAITS, Problem, screen_lines
from wanbatch.state.next_step import NextStep, cap_in, choice_in, with_cap
from wanbatch.state.tables import Run

USD = 2_000_000
CAPPED = Run(1, EPOCH, EPOCH, 5, 1.0, "0.1.0", None, 0, 4 * USD, "a cap stopped it", details=RunDetails(("cap",)))
LEFT = Remaining(takes=4, known=2 * USD, unpriced=0, cap=4 * USD, committed=3 * USD)
STEP = NextStep("wanbatch run film.yaml --max-usd 4", "out", CAPPED, LEFT, (), is_running=False, is_finished=False)

LOST = Problem("a_t1", "held", "lost", "", needs_user=True, can_be_looked_up=True)
REFUSED = Problem("r_t1", "failed", "no", "change it", again=Again.CHANGED)
FAILED = Problem("a_t1", "failed", "no", "try again", again=Again.AS_IT_IS)
CHOSEN = "wanbatch run film.yaml --only 'a*'"
RAISED = "to continue, with the cap raised to 5.00 USD"


@pytest.mark.parametrize(
    ("problems", "message", "lines"),
    [
        ([("a_t1", "held", "`x a_t1`")], "", ["a_t1 held: why. `x a_t1`"]),
        (
            [("a_t1", "held", "`x a_t1`"), ("b_t1", WAITING, "")],
            "it waits",
            ["a_t1 held: why. `x a_t1`", "b_t1 waiting: why"],
        ),
        ([("a_t1", "held", "`x a_t1`"), ("b_t1", WAITING, "")], f"It {WAITS}. `x a_t1`", ["a_t1 held: why"]),
        (
            [("a_t1", "held", "`x a_t1`"), ("b_t1", "held", "`x b_t1`")],
            "",
            [
                "2 held takes: `x a_t1`. For the others, do the same with their names",
                "a_t1 held: why",
                "b_t1 held: why",
            ],
        ),
        (
            [("a_t1", "failed", "`retry`"), ("b_t1", "failed", "`retry`")],
            "",
            ["2 failed takes: `retry`", "a_t1 failed: why", "b_t1 failed: why"],
        ),
        (
            [("wb1", "stray", "look"), ("wb2", "stray", "look")],
            "",
            ["2 submits: look", "wb1 stray: why", "wb2 stray: why"],
        ),
    ],
)
def test_a_screen_says_each_advice_once(problems: list[tuple[str, str, str]], message: str, lines: list[str]) -> None:
    assert screen_lines([Problem(take, state, "why", todo) for take, state, todo in problems], message) == lines


@pytest.mark.parametrize(
    ("command", "cap", "result"),
    [
        ("wanbatch run film.yaml", 5 * USD, "wanbatch run film.yaml --max-usd 5.00"),
        ("wanbatch run film.yaml --max-usd 4 --yes", 5 * USD, "wanbatch run film.yaml --yes --max-usd 5.00"),
        ("wanbatch run film.yaml --max-usd=4 --yes", 5 * USD, "wanbatch run film.yaml --yes --max-usd 5.00"),
        ("wanbatch run 'my film.yaml' --max-credits 7", 1_050_001, "wanbatch run 'my film.yaml' --max-usd 0.5250005"),
        ("wanbatch retry ./-x", USD, "wanbatch retry ./-x --max-usd 1.00"),
        ("wanbatch run 'film", USD, "wanbatch run 'film"),  # a state file may come from anywhere
    ],
)
def test_a_command_gets_the_cap_that_is_needed(command: str, cap: int, result: str) -> None:
    assert with_cap(command, cap) == result


def test_the_command_that_is_written_is_read_with_the_same_cap() -> None:
    assert cap_in(with_cap("wanbatch run film.yaml", 1_050_001)) == ("--max-usd", 1_050_001)


@pytest.mark.parametrize(
    ("step", "lines"),
    [
        (STEP, [f"{RAISED}: wanbatch run film.yaml --max-usd 5.00"]),
        (  # a retake under a higher cap came later: its cap is not lowered again
            replace(STEP, remaining=replace(LEFT, cap=9 * USD)),
            ["to continue, under the cap of the last run, 9.00 USD: wanbatch run film.yaml --max-usd 9.00"],
        ),
        (
            replace(STEP, remaining=replace(LEFT, committed=None)),
            ["to continue, with a higher --max-usd: wanbatch run film.yaml --max-usd 4"],
        ),
        (  # the cap of a scene stopped it
            replace(STEP, command="wanbatch run film.yaml", remaining=replace(LEFT, cap=None)),
            ["to continue, with a higher `budget` in the manifest or --max-usd: wanbatch run film.yaml"],
        ),
        (
            replace(STEP, problems=(Problem("a_t1", "held", "lost", "", needs_user=True),)),
            [f"{RAISED}: first decide about 1 take (see above), then wanbatch run film.yaml --max-usd 5.00"],
        ),
        (  # what failed is tried again by another command, which needs a cap, too
            replace(
                STEP,
                last_run=replace(CAPPED, exit_code=1, message=""),
                remaining=Remaining(0, 0, 0, 4 * USD, 3 * USD, failed=2, failed_known=2 * USD),
                problems=(FAILED,),
                is_finished=True,
            ),
            [f"{RAISED}: wanbatch retry out --max-usd 5.00"],
        ),
        (  # a shot that the run left out is included: what waits for its take gets on only then
            replace(
                STEP,
                command="wanbatch run film.yaml --only '[bc]'",
                last_run=replace(CAPPED, exit_code=1, details=RunDetails(left_out=("a",))),
                remaining=replace(LEFT, cap=None),
            ),
            ["to continue: wanbatch run film.yaml --only '[bc]' --only a"],
        ),
        (
            replace(
                STEP,
                command="wanbatch run film.yaml --except a",
                last_run=replace(CAPPED, exit_code=1, details=RunDetails(left_out=("a",))),
                remaining=replace(LEFT, cap=None),
            ),
            ["to continue: wanbatch run film.yaml"],
        ),
        (  # no run makes a take that nobody planned: `status` says beside the take what does
            replace(
                STEP,
                problems=(Problem("b_t1", WAITING, "why", "`wanbatch retake out a`", lacks_take=True),),
                remaining=replace(LEFT, takes=1),
            ),
            [],
        ),
        (  # a later run lowered the cap: the command keeps to it
            replace(STEP, command="wanbatch run film.yaml --max-usd 40", remaining=replace(LEFT, cap=9 * USD)),
            ["to continue, under the cap of the last run, 9.00 USD: wanbatch run film.yaml --max-usd 9.00"],
        ),
        (  # a price is unknown: so is the cap that is needed
            replace(STEP, remaining=replace(LEFT, unpriced=1)),
            ["to continue, with a higher --max-usd: wanbatch run film.yaml --max-usd 4"],
        ),
        (  # nothing is to be sent, a clip is still to be fetched: the failed takes are not what this command is about
            replace(
                STEP,
                last_run=replace(CAPPED, exit_code=None, ended_at=None),
                remaining=Remaining(0, 0, 0, 4 * USD, 3 * USD, failed=2, failed_known=2 * USD),
            ),
            ["to continue: wanbatch run film.yaml --max-usd 4"],
        ),
        (
            replace(
                STEP,
                command="wanbatch run film.yaml",
                last_run=replace(CAPPED, details=RunDetails(("scene_cap",))),
                remaining=replace(LEFT, cap=None),
            ),
            ["to continue, with a higher cap for the scene in the manifest: wanbatch run film.yaml"],
        ),
        (  # that of the batch stops the others, too
            replace(
                STEP,
                command="wanbatch run film.yaml",
                last_run=replace(CAPPED, details=RunDetails(("cap", "scene_cap"))),
                remaining=replace(LEFT, cap=None),
            ),
            ["to continue, with a higher `budget` in the manifest or --max-usd: wanbatch run film.yaml"],
        ),
        (
            replace(
                STEP,
                last_run=replace(CAPPED, details=RunDetails(("new_price",))),
                remaining=replace(LEFT, cap=4 * USD, known=0, takes=1),
            ),
            ["to continue: wanbatch run film.yaml --max-usd 4"],
        ),
        (  # a clip of it may be there: nothing is tried again before the user has decided
            replace(
                STEP,
                last_run=replace(CAPPED, exit_code=1, message=""),
                problems=(replace(FAILED, needs_user=True),),
                remaining=Remaining(0, 0, 0, None, 3 * USD),
                is_finished=True,
            ),
            ["to continue: first decide about 1 take (see above), then wanbatch run film.yaml --max-usd 4"],
        ),
        (  # the provider's log tells, and costs nothing
            replace(STEP, problems=(LOST, replace(LOST, take="b_t1", can_be_looked_up=False))),
            [
                (
                    f"{RAISED}: first wanbatch reconcile out, which looks up 1 take and costs nothing, then decide about"
                    " 1 take (see above), then wanbatch run film.yaml --max-usd 5.00"
                )
            ],
        ),
        (  # the run goes on without the change, and a cap covers what is sent after it
            replace(
                STEP,
                remaining=replace(LEFT, failed=1, tries=1, failed_known=USD, changed=Purchase(1, USD, 0, USD)),
                problems=(REFUSED,),
            ),
            [
                f"{RAISED}: wanbatch run film.yaml --max-usd 5.00",
                (
                    "to send what the provider refused (1 take), with the cap raised to 6.00 USD: change the shot in the"
                    " manifest, then wanbatch run film.yaml --max-usd 6.00. To leave the shot out, write `omit: true` there"
                ),
            ],
        ),
        (  # a retry leaves out what would be refused again, and its cap does not count it
            replace(
                STEP,
                last_run=replace(CAPPED, exit_code=1, message=""),
                remaining=Remaining(
                    0, 0, 0, 4 * USD, 3 * USD, failed=2, failed_known=3 * USD, changed=Purchase(1, USD, 0, USD)
                ),
                problems=(REFUSED, FAILED),
                is_finished=True,
            ),
            [
                f"{RAISED}: wanbatch retry out --except r --max-usd 5.00",
                (
                    "to send what the provider refused (1 take): change the shot in the manifest,"
                    " then wanbatch run film.yaml --max-usd 4. To leave the shot out, write `omit: true` there"
                ),
            ],
        ),
        (  # status is asked in another folder than the run
            replace(STEP, place="/films/my film"),
            [f"{RAISED}: cd '/films/my film' && wanbatch run film.yaml --max-usd 5.00"],
        ),
        (  # a page names no folder of this machine
            replace(STEP, is_elsewhere=True),
            [f"{RAISED}, in the folder where it was run before: wanbatch run film.yaml --max-usd 5.00"],
        ),
        (
            replace(STEP, command="wanbatch run f.yaml\n; curl evil"),
            [f"{RAISED}: wanbatch run f.yaml ';' curl evil --max-usd 5.00"],
        ),
        (  # the cap is for what the command sends, not for all that is left
            replace(
                STEP, command=f"{CHOSEN} --max-usd 4", remaining=replace(LEFT, chosen=Purchase(1, USD, 0, 2 * USD))
            ),
            [f"{RAISED} for 1 of these 4 takes: {CHOSEN} --max-usd 5.00"],
        ),
        (  # what it chooses has no price
            replace(STEP, command=f"{CHOSEN} --max-usd 4", remaining=replace(LEFT, chosen=Purchase(1, 0, 1, 0))),
            [f"to continue, with a higher --max-usd: {CHOSEN} --max-usd 4"],
        ),
        (  # nothing that it chooses is left to be sent: the rest is
            replace(STEP, command=f"{CHOSEN} --max-usd 4", remaining=replace(LEFT, chosen=Purchase())),
            [f"{RAISED}: wanbatch run film.yaml --max-usd 5.00"],
        ),
        (  # nor does it pay for anything, but it fetches
            replace(
                STEP,
                command=f"{CHOSEN} --max-usd 4",
                remaining=replace(LEFT, chosen=Purchase(), cap=5 * USD, unfetched=1),
            ),
            [f"to continue, under the cap of the last run, 5.00 USD: {CHOSEN} --max-usd 5.00"],
        ),
        (  # what has to be changed may be outside of what was chosen
            replace(
                STEP,
                command=f"{CHOSEN} --limit 2 --max-usd 4",
                remaining=replace(
                    LEFT,
                    chosen=Purchase(1, 0, 0, 0),
                    failed=1,
                    tries=1,
                    failed_known=2 * USD,
                    changed=Purchase(1, 2 * USD),
                ),
                problems=(REFUSED,),
            ),
            [
                f"to continue, with a higher --max-usd: {CHOSEN} --limit 2 --max-usd 4",
                (
                    "to send what the provider refused (1 take), with the cap raised to 5.00 USD: change the shot in the"
                    " manifest, then wanbatch run film.yaml --only r --max-usd 5.00. To leave the shot out, write"
                    " `omit: true` there"
                ),
            ],
        ),
        (  # what the user gave up is finished
            replace(
                STEP,
                last_run=replace(CAPPED, exit_code=1, message=""),
                problems=(replace(FAILED, again=Again.GIVEN_UP),),
                is_finished=True,
            ),
            [],
        ),
        (replace(STEP, command="rm -rf /"), [f"{RAISED}: run the manifest again"]),
        (replace(STEP, is_running=True), []),
        (replace(STEP, is_finished=True), []),
    ],
)
def test_how_to_go_on_is_said_with_a_command_that_does_not_stop_at_once(step: NextStep, lines: list[str]) -> None:
    assert step.lines_with(lambda command: command) == lines


@pytest.mark.parametrize(
    ("exit_code", "command"),
    [
        (0, "wanbatch run film.yaml --yes --limit 3"),  # all that was chosen is done: what is left is the rest
        (5, "wanbatch run film.yaml --only 'a*' --yes --except=x --limit 3"),
    ],
)
def test_a_choice_of_shots_that_is_done_is_not_repeated(exit_code: int, command: str) -> None:
    run = replace(CAPPED, exit_code=exit_code, message="", cap_credits=None)
    words = "wanbatch run film.yaml --only 'a*' --yes --except=x --limit 3"
    step = replace(STEP, command=words, last_run=run, remaining=replace(LEFT, cap=None))
    assert step.next_command == command


@pytest.mark.parametrize(
    ("words", "choice"),
    [
        ("", EVERYTHING),
        ("--only 'a*' --except=x --only tag:hero", Choice(Selection(["a*", "tag:hero"], ["x"]))),
        ("--limit 3 --yes", Choice(limit=3)),
        ("--limit=x", EVERYTHING),
    ],
)
def test_what_a_command_chooses_is_read_from_it(words: str, choice: Choice) -> None:
    assert choice_in(f"wanbatch run film.yaml {words}") == choice


SMALL = Purchase(3, USD, 0, USD)
THIRTEEN = SceneCaps({"13": USD}, {"13": USD // 2}, {"13": SMALL}, None, {"13": Purchase(1, USD, 0, USD)}, {})
IN_SCENE = replace(LEFT, takes=3, known=USD, cap=4 * USD, scenes=THIRTEEN)
CUT_OFF = replace(CAPPED, exit_code=None, ended_at=None, details=RunDetails())


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (  # the map beside a table has the caps
            replace(STEP, command="wanbatch run board.csv", last_run=CUT_OFF, remaining=IN_SCENE),
            "to continue, with the cap of scene 13 raised to 1.50 USD (`budget: scenes:` in board.map.yaml): wanbatch run board.csv",
        ),
        (
            replace(STEP, remaining=replace(IN_SCENE, cap=3 * USD)),
            ("to continue, with the cap raised to 4.00 USD and the cap of scene 13 raised to 1.50 USD (`budget: scenes:` in"
            " film.yaml): wanbatch run film.yaml --max-usd 4.00"),
        ),
        (
            replace(STEP, command="", last_run=CUT_OFF, remaining=replace(IN_SCENE, scenes=replace(THIRTEEN, committed={"13": None}))),
            "to continue, with a higher cap of scene 13 (`budget: scenes:` in the manifest): run the manifest again",
        ),
        (  # what failed again wants room there, too
            replace(
                STEP, last_run=replace(CAPPED, exit_code=1), problems=(FAILED,), is_finished=True,
                remaining=replace(IN_SCENE, takes=0, known=0, failed=1, tries=1, failed_known=USD, scenes=replace(THIRTEEN, left={})),
            ),
            ("to continue, with the cap of scene 13 raised to 1.50 USD (`budget: scenes:` in film.yaml; run the manifest"
            " before the retry, which reads no manifest): wanbatch retry out"),
        ),
        (  # nothing that the command chooses is in that scene
            replace(STEP, command=CHOSEN, last_run=CUT_OFF, remaining=replace(IN_SCENE, chosen=SMALL, scenes=replace(THIRTEEN, chosen={}))),
            f"to continue: {CHOSEN}",
        ),
    ],
)  # fmt: skip
def test_a_cap_of_a_scene_that_would_stop_the_command_is_named_with_its_file(step: NextStep, line: str) -> None:
    assert step.lines_with(lambda command: command) == [line]


def test_what_is_left_does_not_read_as_if_it_fitted_where_the_cap_of_its_scene_is_too_low() -> None:
    assert IN_SCENE.words == (
        "3 takes for 1.00 USD; the cap of 4.00 USD has 1.00 USD left; the cap of scene 13, 1.00 USD, has 0.50 USD left:"
        " its 3 takes for 1.00 USD need a cap of 1.50 USD"
    )
