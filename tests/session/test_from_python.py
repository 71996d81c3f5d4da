"""What a program calls: in a loop that runs already, cancelled, with a callback that fails, with paths as text."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

import wanbatch
from wanbatch.errors import ExitCode
from wanbatch.money.prices import Estimate
from wanbatch.session.rounds import drained
from wanbatch.state.reader import StateReader

QUICK = "id,prompt,scene,model,resolution\n" + "".join(
    f"{name},a prompt of {name},s1,alibaba/wan2.1-t2v-turbo,480P\n" for name in "abc"
)


@pytest.fixture(autouse=True)
def a_folder_of_its_own(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text(QUICK)


def options(**more: object) -> wanbatch.RunOptions:
    told: dict[str, object] = {"sandbox": True, "speed": 600, "output": "out", "makes_report": False, **more}
    return wanbatch.RunOptions(**told)  # type: ignore[arg-type]


def agreed(_: wanbatch.Preview) -> bool:
    return True


def test_a_run_is_awaited_in_a_loop_of_the_caller() -> None:
    result = asyncio.run(wanbatch.run_async("a.csv", options(), confirm=agreed))
    assert (result.exit_code, result.counts, result.output) == (ExitCode.OK, {"verified": 3}, Path("out"))


def test_run_works_where_a_loop_runs_already_as_in_a_notebook() -> None:
    async def cell() -> wanbatch.RunResult:
        return wanbatch.run("a.csv", options(), confirm=agreed)

    assert asyncio.run(cell()).counts == {"verified": 3}


def test_a_cancelled_task_fetches_what_is_paid_for_and_then_ends_as_cancelled() -> None:
    tasks: list[asyncio.Task[wanbatch.RunResult]] = []

    def cancel(event: wanbatch.Event) -> None:
        if event.kind == "accepted":
            tasks[0].cancel()

    async def night() -> None:
        limits = wanbatch.Limits(in_flight=1)
        work = wanbatch.run_async("a.csv", options(limits=limits), confirm=agreed, on_event=cancel)
        tasks.append(asyncio.ensure_future(work))
        await tasks[0]

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(night())
    with StateReader.open(Path("out")) as reader:
        states = sorted(take.state.value for take in reader.takes())
        last = reader.runs()[-1]
    assert (states, last.exit_code) == (["planned", "planned", "verified"], int(ExitCode.INTERRUPTED))


def test_work_that_is_cancelled_is_drained_each_time_and_then_has_its_result() -> None:
    async def story() -> tuple[str, int]:
        free, drains = asyncio.Event(), list[int]()

        async def work() -> str:
            await free.wait()
            return "done"

        def drain() -> None:
            drains.append(1)
            if len(drains) == 2:
                free.set()

        task = asyncio.ensure_future(drained(work(), drain))
        for _ in range(2):
            await asyncio.sleep(0)
            task.cancel()
        return await task, len(drains)

    assert asyncio.run(story()) == ("done", 2)


def test_an_error_in_a_callback_is_logged_at_once_and_raised_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def fail(event: wanbatch.Event) -> None:
        seen.append(event.kind)
        raise KeyError("a mistake")

    with caplog.at_level(logging.ERROR, "wanbatch"), pytest.raises(KeyError, match="a mistake") as raised:
        wanbatch.run("a.csv", options(), confirm=agreed, on_event=fail)
    with StateReader.open(Path("out")) as reader:
        states = {take.state.value for take in reader.takes()}
    assert (states, len(seen), [each.levelname for each in caplog.records]) == ({"verified"}, 1, ["ERROR"])
    assert raised.value.__notes__ == ["The run went on to its end: exit code 0, in out"]


def test_a_cap_in_usd_is_one_in_credits() -> None:
    caps = [wanbatch.RunOptions(max_usd=usd).max_credits for usd in (40, "12.50", Decimal("0.1"), 0)]
    assert caps == [80_000_000, 25_000_000, 200_000, 0]
    assert replace(wanbatch.RunOptions(max_usd=40), max_credits=7).max_credits == 7


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"max_usd": 1, "max_credits": 1}, "not both"),
        ({"max_usd": "much"}, "write an amount"),
        ({"max_usd": -1}, "0 or more"),
        ({"max_usd": "NaN"}, "0 or more"),
    ],
)
def test_a_cap_that_is_none_is_refused(more: dict[str, object], words: str) -> None:
    with pytest.raises(wanbatch.UsageInvalid, match=words):
        options(**more)


def test_a_plan_without_prices_says_unknown_and_never_0() -> None:
    told = wanbatch.plan("a.csv", options(), offline=True).estimate
    assert (told.usd, str(told)) == (None, "3 takes for unknown (3 takes)")


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (Estimate(2_000_000, 3, 0, 2_000_000, 4_000_000), "3 takes for about 1.00 USD, at worst 2.00 USD"),
        (Estimate(2_000_000, 3, 1), "3 takes for 1.00 USD + unknown (1 take)"),
    ],
)
def test_an_estimate_is_told_in_words(estimate: Estimate, words: str) -> None:
    assert str(estimate) == words


@pytest.mark.long
def test_takes_are_circled_cut_exported_and_made_again() -> None:
    wanbatch.run("a.csv", options(), confirm=agreed)
    wanbatch.circle("out", "a", 1)
    with StateReader.open(Path("out")) as reader:
        assert [take.label for take in reader.takes() if take.circled] == ["a_t1"]
    wanbatch.circle("out", "a", None)
    film = wanbatch.make_cut("out", "part.mp4", wanted=wanbatch.Selection(("a",)))
    assert (film, film.is_file(), wanbatch.make_cut("out")) == (Path("part.mp4"), True, Path("out/cut.mp4"))
    assert wanbatch.export("out", "edl").read_text().count("FROM CLIP NAME") == 3
    assert sorted(path.name for path in wanbatch.export("out", "mp4").iterdir()) == [f"{name}_t1.mp4" for name in "abc"]
    with pytest.raises(wanbatch.UsageInvalid, match="name otio, edl or mp4"):
        wanbatch.export("out", "avi")
    result = wanbatch.retake("out", ["b"], options(), confirm=agreed)
    asked = wanbatch.Retake(("c",), takes=2, note="slower")
    again = wanbatch.retake("out", asked, options(), confirm=agreed)
    assert (result.counts, again.counts) == ({"verified": 4}, {"verified": 6})


def test_the_names_of_the_package_are_listed_for_completion() -> None:
    assert dir(wanbatch) == sorted(wanbatch.__all__)
