"""Each reason why the final cost is another has a line of its own: failures, extra clips, fallbacks, more or fewer takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.money.test_ledger import PRICE, attempt, take
from tests.reporting.states import BEGIN, CREDITS, Pen, begin, shot
from wanbatch.batch.attempts import Outcome
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.plan import make_plan
from wanbatch.batch.shots import Batch, Recipe
from wanbatch.money.baseline import Baseline, BaselineLine, Cause, Reason, variance_text
from wanbatch.money.causes import Ordered, causes_of
from wanbatch.reporting.book import book_of
from wanbatch.reporting.record import read_record
from wanbatch.reporting.variance import variance_frame
from wanbatch.state.progress_reader import read_baseline
from wanbatch.state.reader import StateReader

SHOTS = ("fine", "broken", "again", "moved", "dearer", "more", "fewer")


def send_again(pen: Pen, take_id: int, price: int) -> None:
    """Send a take a second time, to a verified clip that is charged."""
    take = pen.state.take(take_id)
    pen.tell(
        take_id,
        Fact.SUBMIT_STARTED,
        attempt=2,
        request_id=f"wb1:nonce:{take.recipe.short_hash}:{take_id}.2",
        body_sha256="b" * 64,
        key_fingerprint="k",
        credits_estimated=price,
    )
    pen.tell(take_id, Fact.ACCEPTED, generation_id=f"gen-{take_id}-2", credits_held=price)
    pen.tell(take_id, Fact.COMPLETED)
    pen.tell(take_id, Fact.DOWNLOADED, sha256="c" * 64, size_bytes=9, download_s=1.0, clip_duration_s=5.0)
    pen.tell(take_id, Fact.VERIFIED, file=f"clips/{take.label}.mp4")
    pen.tell(take_id, Fact.CHARGED, credits_charged=price, generation_id=f"gen-{take_id}-2")


def one_of_each(folder: Path) -> None:
    """A take for each cause, and one for none."""
    shots = tuple(shot(name, n, takes=2 if name == "more" else 1) for n, name in enumerate(SHOTS))
    pen = begin(folder, Batch("film", shots))
    pen.state.keep_baseline(
        [BaselineLine(name, 1 + (name == "fewer"), CREDITS * (1 + (name == "fewer"))) for name in SHOTS], BEGIN
    )
    ids: dict[str, list[Any]] = {}
    for each in pen.state.takes():
        ids.setdefault(each.shot_id, []).append(each)
    words = {"estimated": CREDITS}
    for name in ("fine", "more", "fewer"):
        for each in ids[name]:
            pen.lead(each.take_id, State.VERIFIED, charged=CREDITS, label=each.label, **words)
    (dearer,), (broken,), (again,), (moved,) = (ids[name] for name in ("dearer", "broken", "again", "moved"))
    pen.lead(dearer.take_id, State.VERIFIED, charged=CREDITS + 7, label=dearer.label, **words)
    pen.lead(broken.take_id, State.FAILED, **words)
    pen.lead(again.take_id, State.FAILED, charged=CREDITS, **words)
    pen.tell(again.take_id, Fact.RETRY_PLANNED, by="user")
    send_again(pen, again.take_id, CREDITS)
    pen.lead(moved.take_id, State.FAILED, **words)
    other = Recipe.of({**moved.recipe.body, "model": "alibaba/wan2.2-t2v-plus"})
    pen.tell(moved.take_id, Fact.MODEL_CHANGED, recipe_json=other.canonical, model="alibaba/wan2.2-t2v-plus")
    send_again(pen, moved.take_id, 3 * CREDITS)
    pen.state.close()


def baseline_in(folder: Path) -> Baseline:
    with StateReader.open(folder) as reader:
        found = read_baseline(reader, reader.kinds())
    assert found is not None
    return found


def test_each_cause_has_a_line_of_its_own_and_all_add_up(tmp_path: Path) -> None:
    one_of_each(tmp_path)
    found = baseline_in(tmp_path)
    assert {part.words: part.credits for part in found.parts} == {
        "1 failed take": -CREDITS,
        "failed tries of 1 take": CREDITS,
        "1 take on a fallback": 2 * CREDITS,
        "1 take added to shots": CREDITS,
        "1 take dropped from shots": -CREDITS,
        "other prices": 7,
    }
    assert (found.credits, found.final) == (8 * CREDITS, 10 * CREDITS + 7)
    assert "other prices +0.0000035" in variance_text(found)


def test_the_table_by_shot_has_the_same_causes(tmp_path: Path) -> None:
    one_of_each(tmp_path)
    with StateReader.open(tmp_path) as reader:
        table = variance_frame([book_of(read_record(reader))])
    added = table[table["reason"] != "baseline"]
    rows = zip(added["shot_id"], added["reason"], added["credits"], strict=True)
    assert sorted(rows) == [
        ("again", "failed try", CREDITS),
        ("broken", "failed take", -CREDITS),
        ("dearer", "other price", 7),
        ("fewer", "take dropped", -CREDITS),
        ("more", "take added", CREDITS),
        ("moved", "fallback", 2 * CREDITS),
    ]
    assert table["credits"].sum() == baseline_in(tmp_path).final


def test_an_extra_clip_is_no_failed_try() -> None:
    own = attempt(Outcome.COMPLETED, credits_charged=PRICE, credits_estimated=PRICE)
    extra = attempt(Outcome.COMPLETED, number=-1, request_id="x", generation_id="g2", credits_charged=PRICE)
    failed = attempt(Outcome.FAILED, number=2, generation_id="g3", credits_charged=5, error="Internal")
    made = take(State.VERIFIED, attempts=1, credits_charged=2 * PRICE + 5, is_charge_seen=True, credits_estimated=PRICE)
    assert causes_of(made, [own, extra, failed], Ordered("a", PRICE), {}) == [
        Cause("a", Reason.EXTRA, 1, PRICE),
        Cause("a", Reason.TRY, 1, 5),
    ]


def test_what_was_refused_and_then_edited_is_named_though_it_adds_nothing(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("film", (shot("a", 0, takes=2), shot("b", 1))))
    pen.state.keep_baseline([BaselineLine("a", 2, 2 * CREDITS), BaselineLine("b", 1, CREDITS)], BEGIN)
    for take_id in (1, 2):
        pen.lead(take_id, State.FAILED, estimated=CREDITS, error="Content policy violation")
    pen.lead(3, State.VERIFIED, charged=CREDITS, label="b_t1", estimated=CREDITS)
    edited = Batch("film", (shot("a", 0, takes=2, prompt="Rain."), shot("b", 1, prompt="Snow.")))
    pen.state.adopt(make_plan(edited, pen.state.takes(), pen.state.shots()), pen.now)
    for each in [each for each in pen.state.takes() if not each.superseded]:
        pen.lead(each.take_id, State.VERIFIED, charged=CREDITS, label=each.label, estimated=CREDITS)
    pen.state.close()
    found = baseline_in(tmp_path)
    assert variance_text(found) == "3 takes of edited shots +1.575, 2 takes refused -1.05"
    with StateReader.open(tmp_path) as reader:
        table = variance_frame([book_of(read_record(reader))])
    rows = zip(table["shot_id"], table["reason"], table["takes"], table["credits"], strict=True)
    assert sorted(each for each in rows if each[1] != "baseline") == [
        ("a", "edit", 2, 2 * CREDITS),
        ("a", "refused take", 2, -2 * CREDITS),
        ("b", "edit", 1, CREDITS),
    ]
    assert table["credits"].sum() == found.final


def test_one_refused_take_of_an_edited_shot_with_clips_is_named(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("film", (shot("a", 0, takes=3),)))
    pen.state.keep_baseline([BaselineLine("a", 3, 3 * CREDITS)], BEGIN)
    pen.lead(1, State.VERIFIED, charged=CREDITS, label="a_t1", estimated=CREDITS)
    pen.lead(2, State.FAILED, estimated=CREDITS, error="Content policy violation")
    pen.lead(3, State.VERIFIED, charged=CREDITS, label="a_t3", estimated=CREDITS)
    edited = Batch("film", (shot("a", 0, takes=3, prompt="Rain."),))
    pen.state.adopt(make_plan(edited, pen.state.takes(), pen.state.shots()), pen.now)
    for each in [each for each in pen.state.takes() if not each.superseded]:
        pen.lead(each.take_id, State.VERIFIED, charged=CREDITS, label=each.label, estimated=CREDITS)
    pen.state.close()
    found = baseline_in(tmp_path)
    assert variance_text(found) == "3 takes of edited shots +1.575, 1 take refused -0.525"
    assert found.final == 5 * CREDITS
    with StateReader.open(tmp_path) as reader:
        table = variance_frame([book_of(read_record(reader))])
    rows = zip(table["reason"], table["takes"], table["credits"], strict=True)
    assert sorted(rows) == [
        ("baseline", 3, 3 * CREDITS),
        ("edit", 3, 3 * CREDITS),
        ("refused take", 1, -CREDITS),
    ]


def test_a_try_whose_answer_was_lost_has_not_failed() -> None:
    lost = attempt(Outcome.ABANDONED, credits_estimated=PRICE, generation_id=None)
    own = attempt(Outcome.COMPLETED, number=2, request_id="x", credits_charged=PRICE, credits_estimated=PRICE)
    again = take(
        State.VERIFIED, attempts=2, attempt=2, credits_charged=PRICE, is_charge_seen=True, credits_at_risk=PRICE
    )
    assert causes_of(again, [lost, own], Ordered("a", PRICE), {}) == [Cause("a", Reason.UNANSWERED, 1, PRICE)]
