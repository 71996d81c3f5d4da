"""What a new take of a chain means: what is advised is accepted, buys what was said, and is not advised again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

import pytest

from tests.batch.takes import shot, take_of
from wanbatch.batch.chained_takes import ChainedTakes, News
from wanbatch.batch.chosen_frames import ChosenFrame
from wanbatch.batch.frames import frames_in
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.retakes import Retake, plan_retakes
from wanbatch.batch.take import Take
from wanbatch.errors import UsageInvalid
from wanbatch.money.successions import Succession

GOOD, FAILED, PLANNED, RUNS = State.VERIFIED, State.FAILED, State.PLANNED, State.QUEUED


def made(label: str, frame: str = "", state: State = GOOD, **more: object) -> Take:
    """Return a take by its label; its id says which shot and number it is."""
    name, _, number = label.partition("_t")
    take_id = 10 * ord(name) + int(number)
    each = shot(name, image_url=frame, duration=5) if frame else shot(name, duration=5)
    sha256 = f"{take_id:064d}" if state is GOOD else None
    sent = int(state is not PLANNED)
    return take_of(each, 1, int(number), take_id, state=state, sha256=sha256, attempt=sent, attempts=sent, **more)


def chained(takes: Sequence[Take], of: Mapping[str, str]) -> ChainedTakes:
    """Chain takes; `of` says by labels of whose clip each was given the frame."""
    by_label = {take.label: take for take in takes}
    by_shot: dict[str, list[Take]] = {}
    for take in takes:
        by_shot.setdefault(take.shot_id, []).append(take)
    frames = {
        by_label[label].take_id: [
            given(frame.text, by_label[other]) for frame in frames_in(by_label[label].recipe.body)
        ]
        for label, other in of.items()
    }
    return ChainedTakes(by_shot, frames)


def given(reference: str, source: Take) -> ChosenFrame:
    return ChosenFrame(reference, source.take_id, source.label, "g", str(source.sha256), "", "")


def said(whole: ChainedTakes) -> list[str]:
    prices = {take.price_class: 500_000 for mine in whole.takes.values() for take in mine}
    return [Succession.of(each, prices).text("out") for each in whole.news()]


def test_a_successor_that_was_made_again_beside_its_circled_take_only_has_to_be_circled() -> None:
    c1, c2 = made("c_t1"), made("c_t2")
    d1, d2 = made("d_t1", "frame:c:last", circled=True), made("d_t2", "frame:c:last")
    of = {"d_t1": "c_t1", "d_t2": "c_t2"}
    told = (
        "c has a new take (c_t2): d_t2 was made from this take: `wanbatch circle out d 2` chooses it, and buys nothing"
    )
    assert said(chained([c1, c2, d1, d2], of)) == [told]
    (news,) = chained([c1, c2, d1, d2], of).news()
    assert (Succession.of(news, {}).credits, news.touched) == (0, {"c", "d"})
    chosen = [c1, c2, replace(d1, circled=False), replace(d2, circled=True)]
    assert said(chained(chosen, of)) == []


def test_a_clip_of_the_circled_take_is_not_bought_again() -> None:
    takes = [made("a_t1", circled=True), made("a_t2"), made("b_t1", "frame:a:last"), made("b_t2", "frame:a:last")]
    told = "a has another take circled (a_t1): b_t1 was made from this take: `wanbatch circle out b 1` chooses it, and buys nothing"
    assert said(chained(takes, {"b_t1": "a_t1", "b_t2": "a_t2"})) == [told]


@pytest.mark.parametrize("state", [PLANNED, RUNS])
def test_nothing_is_advised_while_a_take_of_the_new_frame_is_on_its_way(state: State) -> None:
    takes = [
        made("c_t1"),
        made("c_t2"),
        made("d_t1", "frame:c:last", circled=True),
        made("d_t2", "frame:c:last", state),
    ]
    assert said(chained(takes, {"d_t1": "c_t1"})) == []


def test_a_circle_in_the_middle_is_taken_off_before_what_follows_is_made_again() -> None:
    takes = [
        *(made("b_t1"), made("b_t2"), made("c_t1", "frame:b:last", circled=True), made("d_t1", "frame:c:last")),
        made("e_t1", "frame:b:last"),
    ]
    of = {"c_t1": "b_t1", "d_t1": "c_t1", "e_t1": "b_t1"}
    told = (
        "b has a new take (b_t2): 1 shot was made from its earlier take; keep it, or make it again for 0.25 USD:"
        " `wanbatch retake out e --with-successors`; c was made from its earlier take, and c_t1 is circled; keep it, or"
        " take the circle off first: `wanbatch circle out --clear c`"
    )
    assert said(chained(takes, of)) == [told]
    with pytest.raises(UsageInvalid, match="c_t1 is circled, so d would be made from it again"):
        Retake(("c",), with_successors=True).completed(chained(takes, of))
    cleared = [replace(take, circled=False) for take in takes]
    assert [each.shots for each in chained(cleared, of).news()] == [("c", "d", "e")]


def test_what_continues_from_a_pinned_take_is_not_counted() -> None:
    takes = [made("a_t1"), made("a_t2"), made("b_t1", "frame:a:last"), made("c_t1", "frame:b:last:t1")]
    told = (
        "a has a new take (a_t2): 1 shot was made from its earlier take; keep it, or make it again for 0.25 USD:"
        " `wanbatch retake out b --with-successors`"
    )
    assert said(chained(takes, {"b_t1": "a_t1", "c_t1": "b_t1"})) == [told]


def test_a_shot_that_is_omitted_is_not_advised_to_be_made_again() -> None:
    whole = chained([made("a_t1"), made("a_t2"), made("b_t1", "frame:a:last")], {"b_t1": "a_t1"})
    assert [each.shots for each in whole.news()] == [("b",)]
    assert replace(whole, left_out=frozenset({"b"})).news() == []


def follows(whole: ChainedTakes) -> ChainedTakes:
    """Say that b and c follow what they continue from."""
    return replace(whole, following={"b": ("frame:a:last",), "c": ("frame:b:last",)})


def test_what_the_next_run_makes_again_is_not_advised_to_be_made() -> None:
    takes = [made("a_t1"), made("a_t2"), made("b_t1", "frame:a:last"), made("c_t1", "frame:b:last")]
    takes.append(made("d_t1", "frame:a:last"))
    whole = follows(chained(takes, {"b_t1": "a_t1", "c_t1": "b_t1", "d_t1": "a_t1"}))
    told = (
        "a has a new take (a_t2): 1 shot was made from its earlier take; keep it, or make it again for 0.25 USD:"
        " `wanbatch retake out d --with-successors`; the next `wanbatch run` of the manifest makes b, c again, as it"
        " says follow: always (0.50 USD)"
    )
    assert said(whole) == [told]
    before = {"b_t1": "a_t1", "c_t1": "b_t1", "d_t1": "a_t1"}
    (news,) = follows(chained([take for take in takes if take.label != "a_t2"], before)).news(["a"])
    assert "once the new take is made, the next `wanbatch run`" in Succession.of(news, {}).text("out")


def test_a_follower_of_a_failed_take_is_named_with_the_retry() -> None:
    takes = [made("a_t1"), made("a_t2", state=FAILED), made("b_t1", "frame:a:last")]
    whole = chained(takes, {"b_t1": "a_t1"})
    told = (
        "a_t2 failed: b follows it, as the manifest says follow: always, and keeps its clip until it is made;"
        " `wanbatch retry out --only a` tries again"
    )
    assert (said(whole), said(follows(whole))) == ([], [told])


def some_graph(rng: Random) -> ChainedTakes:
    """Chain up to seven shots at random: branches, pins, circles, takes in every state, frames of any earlier take."""
    by_shot: dict[str, list[Take]] = {}
    of: dict[str, str] = {}
    for name in "abcdefg"[: rng.randint(2, 7)]:
        before = rng.choice(sorted(by_shot)) if by_shot and rng.random() < 0.85 else ""
        pin = ":t1" if rng.random() < 0.2 else ""
        mine = []
        for number in range(1, rng.randint(1, 3) + 1):
            state = rng.choice([GOOD] * 6 + [FAILED, PLANNED, RUNS])
            mine.append(made(f"{name}_t{number}", f"frame:{before}:last{pin}" if before else "", state))
            sources = [take for take in by_shot.get(before, ()) if take.state is GOOD and (not pin or take.number == 1)]
            if sources and state in (GOOD, RUNS):
                of[mine[-1].label] = rng.choice(sources).label
        clips = [take for take in mine if take.state is GOOD]
        circled = rng.choice(clips).label if clips and rng.random() < 0.3 else ""
        by_shot[name] = [replace(take, circled=take.label == circled) for take in mine]
    return chained([take for mine in by_shot.values() for take in mine], of)


def with_circles(whole: ChainedTakes, news: News) -> ChainedTakes:
    """Carry out the circles that are advised."""
    picks, cleared = dict(news.picks), {each.shot_id for each in news.circles}
    takes = {
        name: [
            replace(take, circled=take.number == picks[name] if name in picks else take.circled and name not in cleared)
            for take in mine
        ]
        for name, mine in whole.takes.items()
    }
    return ChainedTakes(takes, whole.frames)


def test_what_is_advised_is_accepted_and_orders_what_was_said() -> None:
    seen: Counter[str] = Counter()
    for seed in range(3000):
        whole = some_graph(Random(seed))
        takes = [take for mine in whole.takes.values() for take in mine]
        rows = [
            ShotRow(name, n, "", "", (), "", "", "p", 1, omit=False, removed=False)
            for n, name in enumerate(whole.takes)
        ]
        for news in whole.news():
            if news.shots:
                asked = Retake(news.direct, with_successors=True).completed(whole)
                plan = plan_retakes(rows, takes, asked)
                ordered = Counter(due.price_class for due in plan.due)
                assert (seed, set(asked.shot_ids), ordered) == (seed, set(news.shots), Counter(news.orders))
            after = with_circles(whole, news)
            again = {each for one in after.news() if one.shot_id == news.shot_id for each, _ in one.picks}
            assert (seed, again & {each for each, _ in news.picks}) == (seed, set())
            kept = {each for one in after.news() if one.shot_id == news.shot_id for each in one.kept}
            assert (seed, kept & set(news.kept)) == (seed, set())
            seen.update({"shots": bool(news.shots), "picks": bool(news.picks), "kept": bool(news.kept)})
    assert min(seen[each] for each in ("shots", "picks", "kept")) > 50
