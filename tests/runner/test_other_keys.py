"""A batch that is run with another key: the question before it sends, and what that key's log cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import HOURS, beside_runs, told
from tests.runner.test_resubmission import LOST, UNKNOWN, evidence, row
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.cli.reconcile import _exit_code, _lines
from wanbatch.clock import system_now
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.provider.endpoint import Settings, fingerprint, load_settings
from wanbatch.provider.protocol import Secret
from wanbatch.runner.context import RunContext
from wanbatch.runner.other_keys import give_up_keys, unseen_submits, unseen_text
from wanbatch.runner.resubmission import Failed, find
from wanbatch.runner.settings import RunSettings
from wanbatch.session.access import Access
from wanbatch.session.invocation import Invocation
from wanbatch.session.lookup import look_up
from wanbatch.session.options import RunOptions, Watch
from wanbatch.session.safeguards import is_key_agreed, note_key
from wanbatch.state.file import StateFile
from wanbatch.state.tables import Identity, new_identity

pytestmark = pytest.mark.usefixtures("quick_clips")

# --- the question


PAID = new_identity("film", "https://api.provider.test", "", system_now(), sandbox=False)
FREE = new_identity("world", "sandbox", "", EPOCH, sandbox=True)


def settings_with(key: str, folder: Path, address: str = "https://api.provider.test") -> Settings:
    return load_settings({"AIMLAPI_API_KEY": key, "AIMLAPI_BASE_URL": address}, None, folder)


def asked(
    folder: Path,
    *keys: str,
    is_new_key: bool = False,
    confirm: Callable[[str], bool] | None = None,
    identity: Identity = PAID,
    **access: Any,
) -> list[bool]:
    """Begin a run with each key in turn; returns whether it might send."""
    found = []
    with StateFile.create_or_open(folder / "out", identity) as state:
        for key in keys:
            options = RunOptions(is_new_key=is_new_key)
            made = Access(settings_with(key, folder), **access)
            invocation = Invocation(options, made, Watch(confirm_key=confirm))
            found.append(is_key_agreed(invocation, state))
            if found[-1]:
                note_key(invocation, state)
    return found


def test_the_first_key_of_a_folder_and_the_same_again_are_not_asked_about(tmp_path: Path) -> None:
    assert asked(tmp_path, "one", "one", "one") == [True] * 3


def test_another_key_without_anybody_to_ask_is_refused_and_the_words_say_why_and_what_to_do(tmp_path: Path) -> None:
    one, two = (fingerprint(Secret(key)) for key in ("one", "two"))
    with pytest.raises(UsageInvalid) as refusal:
        asked(tmp_path, "one", "two")
    text = str(refusal.value)
    needed = (one, two, "older copy that was restored", "buy it again", "`wanbatch reconcile` with the other key first")
    assert [each for each in (*needed, "--new-key", "Nothing was sent") if each not in text] == []
    assert refusal.value.exit_code is ExitCode.USAGE


def test_new_key_answers_and_is_remembered_for_both_keys(tmp_path: Path) -> None:
    assert asked(tmp_path, "one") == [True]
    assert asked(tmp_path, "two", is_new_key=True) == [True]
    assert asked(tmp_path, "two", "one", "two") == [True] * 3
    with pytest.raises(UsageInvalid):
        asked(tmp_path, "three")


@pytest.mark.parametrize("word", [True, False])
def test_a_person_is_asked_until_the_answer_is_yes(tmp_path: Path, word: bool) -> None:
    texts: list[str] = []

    def confirm(text: str) -> bool:
        texts.append(text)
        return word

    assert asked(tmp_path, "one", "two", "two", confirm=confirm) == [True, word, word]
    assert len(texts) == (1 if word else 2)


def test_the_embedded_sandbox_has_one_key_for_ever(tmp_path: Path) -> None:
    assert asked(tmp_path, "one", "two", is_embedded=True) == [True, True]


def test_a_key_that_an_older_version_sent_with_is_known(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(key_fingerprint=fingerprint(Secret("one"))))
    world.run(batch_of(1))
    assert asked(tmp_path, "one", identity=FREE) == [True]
    with pytest.raises(UsageInvalid, match="never run with this key"):
        asked(tmp_path, "two", identity=FREE)


# --- what is not a proof


def test_a_failed_row_in_the_log_of_another_key_proves_nothing_of_this_submit() -> None:
    take = replace(UNKNOWN, failure_seen_at=EPOCH - timedelta(days=9))
    rows = evidence(row(LOST, None, is_good=False, cost=0))
    assert find(take, LOST, rows) == Failed(None, is_proof=True)
    found = find(take, replace(LOST, key_fingerprint="another"), rows)
    assert found == Failed(None, is_proof=False, why="it was sent with another key, which has another log")


# --- what a look cannot see


def sent_before(tmp_path: Path, count: int = 2) -> World:
    world = World(tmp_path / "out", settings=RunSettings(key_fingerprint="old"))
    world.run(batch_of(count))
    world.settings, world.elapsed_s = RunSettings(), world.elapsed_s + HOURS
    return world


def test_reconcile_with_a_key_that_cannot_see_earlier_submits_says_which_and_ends_with_3(tmp_path: Path) -> None:
    world = sent_before(tmp_path)
    found = told(world)
    assert (found.unseen, found.unseen_submits) == (("sh000_t1", "sh001_t1"), 2)
    assert _exit_code(replace(found, uncharged=())) is ExitCode.DECISION_NEEDED
    (line,) = [line for line in _lines(found) if "another key" in line]
    assert "2 submits were sent with another key" in line
    assert "sh000_t1, sh001_t1" in line


def test_reconcile_with_the_key_that_sent_them_settles_it(tmp_path: Path) -> None:
    world = sent_before(tmp_path)

    async def with_old_key(context: RunContext) -> None:
        from wanbatch.session.decisions import reconcile

        context.settings = replace(context.settings, key_fingerprint="old")
        await reconcile(context)

    beside_runs(world, with_old_key)
    assert told(world).unseen_submits == 2  # its log may still be late
    world.elapsed_s += 40 * HOURS
    beside_runs(world, with_old_key)
    found = told(world)
    assert (found.unseen_submits, _exit_code(found)) == (0, ExitCode.OK)


def test_a_key_that_the_user_no_longer_has_is_not_asked_about_again_and_is_named(tmp_path: Path) -> None:
    world = sent_before(tmp_path)
    (line,) = [line for line in _lines(told(world)) if "another key" in line]
    assert "another key (old)" in line
    assert "add --without-key old, once" in line
    with StateFile.create_or_open(world.output, FREE) as state:
        for wrong in ("new", ""):
            with pytest.raises(UsageInvalid, match=r"no submit of this batch was sent with .*key.*; its keys are: old"):
                give_up_keys(state, [wrong])
        give_up_keys(state, ["old", "old"])
    found = replace(told(world), uncharged=())
    assert (found.unseen_submits, found.keys_given_up, _exit_code(found)) == (0, ("old",), ExitCode.OK)
    assert "not checked: what only the log of the key old can show, because you gave the key up" in _lines(found)


def test_what_lies_further_back_than_the_log_reaches_is_not_asked_for(tmp_path: Path) -> None:
    world = sent_before(tmp_path)
    world.elapsed_s += 100 * 24 * HOURS
    assert told(world).unseen_submits == 0


def test_a_run_of_a_finished_batch_says_what_its_key_does_not_show(tmp_path: Path) -> None:
    assert "1 submit was sent with another key" in beside_runs(sent_before(tmp_path, 1), look_up).text


def test_a_submit_whose_key_is_not_known_is_seen_where_the_log_shows_it(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(key_fingerprint=""))
    world.run(batch_of(2))
    world.elapsed_s += HOURS

    async def work(context: RunContext) -> list[int]:
        context.load()
        context.settings = replace(context.settings, key_fingerprint="new")
        scan = await context.provider.scan_log(EPOCH - timedelta(days=1))
        return [len(unseen_submits(context, EPOCH - timedelta(days=1), each)) for each in (None, scan)]

    assert beside_runs(world, work) == [2, 0]


def test_a_submit_that_was_not_sent_is_in_no_log(tmp_path: Path) -> None:
    world = sent_before(tmp_path, 1)

    async def work(context: RunContext) -> list[Attempt]:
        context.load()
        return unseen_submits(context, EPOCH - timedelta(days=1))

    (sent,) = beside_runs(world, work)
    assert sent.outcome is Outcome.COMPLETED
    with StateFile.create_or_open(world.output, FREE) as state:
        state._db.execute("UPDATE attempts SET outcome = 'not_sent'")
    assert beside_runs(world, work) == []


def test_the_words_count() -> None:
    assert unseen_text(1, ["old"]).startswith("1 submit was sent with another key")
    assert unseen_text(1_200, [""]).startswith("1,200 submits were sent")
