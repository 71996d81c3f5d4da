"""The admission of a manifest to an output folder: the plan, and what must be answered before it is carried out."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path

from wanbatch.batch.chains import with_new_ids
from wanbatch.batch.changes import Change, Past, Rename, Replan, Supersede
from wanbatch.batch.followers import with_followers
from wanbatch.batch.names import composed
from wanbatch.batch.orders import orders_of
from wanbatch.batch.origin import Likeness, Origin, differences
from wanbatch.batch.plan import Plan, ShotRow, make_plan
from wanbatch.batch.shots import Batch
from wanbatch.batch.take import Take
from wanbatch.batch.takeover import (
    Match,
    Settled,
    Twin,
    find_matches,
    find_reframed,
    find_twins,
    is_there,
    renamed,
    renames_asked,
    renames_of,
    settled_by,
    settled_in,
    settled_text,
)
from wanbatch.clip.download import take_back
from wanbatch.disk import second_name
from wanbatch.errors import UsageInvalid
from wanbatch.folders import CLIPS
from wanbatch.session.access import Access
from wanbatch.session.folder_questions import (
    Answer,
    Choice,
    Folder,
    Kind,
    Question,
    beside_question,
    dropped_retakes,
    here_question,
    origin_question,
    reframed_question,
    taken_over,
    twins_question,
    unread_beside,
)
from wanbatch.session.kept_prices import PriceOf, prices_at
from wanbatch.session.neighbours import Neighbour, Places, find_beside
from wanbatch.session.options import RunOptions, Watch
from wanbatch.state.chained_takes import frames_sent
from wanbatch.state.file import StateFile
from wanbatch.state.reader import NAME_NOTE, SETTLED_NOTE, StateReader

ORIGIN_NOTE = "origin"


@dataclass(frozen=True)
class Admission:
    """A plan, with what is asked before it, and what is remembered after.

    `settled` is what the user has said to buy all the same, once all questions are answered.
    """

    plan: Plan
    takes: tuple[Take, ...]
    origin: Origin
    questions: tuple[Question, ...]
    is_same_by_word: bool = False
    settled: Settled = frozenset()

    @property
    def renames(self) -> tuple[Rename, ...]:
        """The takes that another shot takes over."""
        return tuple(change for change in self.plan.changes if isinstance(change, Rename))


def _here_questions(
    folder: Folder,
    options: RunOptions,
    price_of: PriceOf,
    found: tuple[Sequence[Match], Sequence[Match]],
    twins: Sequence[Twin],
) -> list[Question]:
    """Ask about what is in this folder: under another id, but for a frame's id, and to the seed."""
    matches, reframed = found
    questions = []
    if matches:
        question = here_question(folder, matches, price_of)
        questions.append(replace(question, take_over="") if options.take_over else question)  # asked once
    if reframed:
        questions.append(reframed_question(folder, reframed, price_of))
    if twins:
        questions.append(twins_question(folder, twins, price_of))
    return questions


def _beside_questions(
    folder: Folder, plan: Plan, neighbours: Sequence[Neighbour], price_of: PriceOf, *, is_paid: bool
) -> Iterator[Question]:
    """Yield what is asked about the folders beside, each with what its answers cost."""
    for each in neighbours:
        found = [order for order, _ in each.found]
        choice = Choice.of(plan, found, price_of, is_only=len(neighbours) == 1)
        yield beside_question(folder, (str(each.output), each.has_other_ids), each.found, choice, is_paid=is_paid)


def _unmeant(twins: Sequence[Twin], batch: Batch) -> list[Twin]:
    """Return what repeats another although the manifest does not say that it is meant to.

    If one of the two has a clip, the other must say so; if both are to be bought, either may.
    """
    said = {
        twin: {twin.order.shot_id, *(() if isinstance(twin.ref, int) else (twin.label.rpartition("_t")[0],))}
        for twin in twins
    }
    return [twin for twin in twins if batch.repeats.isdisjoint(said[twin])]


def _dropped(plan: Plan) -> list[Question]:
    """Name the retakes that were planned and never sent, and that this plan drops."""
    gone = {change.take_id for change in plan.changes if isinstance(change, Supersede)}
    dropped = [take.label for take in plan.kept if take.take_id in gone and take.is_retake and not take.attempts]
    return [dropped_retakes(dropped)] if dropped else []


def origin_of(source: str, name: str, output: Path) -> Origin:
    """Say where a manifest is, as seen from an output folder too. `source` is empty for a batch of a program."""
    if not source:
        return Origin("", "", name)
    # A link is a manifest by its own name, whatever it leads to.
    way = str(Path(source).parent.resolve() / Path(source).name)
    try:
        relative = Path(os.path.relpath(way, os.path.realpath(output))).as_posix()
    except ValueError:  # another drive
        relative = ""
    return Origin(composed(relative), composed(way), name)


def is_remembered(state: StateReader, origin: Origin) -> bool:
    """Say whether this manifest is the one that the folder remembers, by its place and name."""
    known = Origin.of(state.noted(ORIGIN_NOTE))
    return known is not None and known.is_at(origin) and known.name == origin.name


def admit(batch: Batch, output: Path, reader: StateReader | None, options: RunOptions, access: Access) -> Admission:
    """Plan a batch for an output folder, and find what must be asked first. Writes nothing.

    `reader` is None if the folder holds no state file. Raises UsageInvalid for a renaming that cannot be.
    """
    takes: list[Take] = [] if reader is None else reader.takes()
    known: list[ShotRow] = [] if reader is None else reader.shots()
    past = Past() if reader is None else reader.past()
    wanted = frozenset(shot.id for shot in batch.shots)
    renames = renames_asked(options.renames, takes, past, wanted) if options.renames else ()
    plan, after, past = _planned(batch, takes, known, past, renames)
    settled: Settled = frozenset() if reader is None else settled_in(reader.noted(SETTLED_NOTE))
    matches = find_matches(plan, past.first_recipes, settled)
    while options.take_over and any(match.take is not None for match in matches):  # one found makes more of its chain
        more = renames_of(matches, plan, after, past)
        if not more:
            break
        renames = (*renames, *more)
        plan, after, past = _planned(batch, after, known, past, more)
        matches = find_matches(plan, past.first_recipes, settled)
    found = {match.order for match in matches}
    reframed = [each for each in find_reframed(plan, past, settled) if each.order not in found]
    found |= {match.order for match in reframed}
    plan = _followed(plan, batch, reader, past)
    orders = [order for order in orders_of(plan) if order not in found]
    twins = find_twins(orders, plan.takes, plan.kept, settled)
    found |= {twin.order for twin in twins}
    orders = [order for order in orders if order not in found]
    places = Places.of(output, batch.source, access.address)
    neighbours, unread = find_beside(places, access.address, orders, settled)
    plan = replace(plan, changes=(*renames, *_left(plan.changes)))
    origin = origin_of(batch.source, batch.name, output)
    folder = _folder(batch, output, options)
    questions = [taken_over(renames)] if renames else list[Question]()
    questions += _dropped(plan)
    if reader is not None and not options.same_batch:
        common = _common(batch, takes, known, plan, {match.order.shot_id for match in matches})
        remembered = Origin.of(reader.noted(ORIGIN_NOTE))
        told = differences(remembered, reader.batch(), origin, common)
        if told:
            known_as = (None if remembered is None else _shown(remembered), reader.batch())
            questions.append(origin_question(folder, told, known_as, _shown(origin), (takes, common)))
    if not options.buy_again:
        price_of = prices_at(access, output)
        questions += _here_questions(folder, options, price_of, (matches, reframed), _unmeant(twins, batch))
        questions += [unread_beside(unread)] if unread else []
        questions += _beside_questions(folder, plan, neighbours, price_of, is_paid=not access.is_embedded)
    settled |= settled_by((*matches, *reframed)) | {twin.settled for twin in twins}
    settled = settled.union(*(each.settled for each in neighbours))
    return Admission(plan, tuple(takes), origin, tuple(questions), options.same_batch, settled)


def _planned(
    batch: Batch, takes: Sequence[Take], known: Sequence[ShotRow], past: Past, renames: tuple[Rename, ...]
) -> tuple[Plan, list[Take], Past]:
    """Plan with takes as they are called after a renaming."""
    after = renamed(takes, renames)
    past = replace(past, renames=(*past.renames, *renames))
    names = past.names_of_gone({shot.id for shot in batch.shots})
    asked = [_with_new_ids(take, names) for take in after] if names else after
    first = {take_id: with_new_ids(text, names) for take_id, text in past.first_recipes.items()}
    past = replace(past, first_recipes=first)
    return make_plan(batch, asked, known, past), after, past


def _with_new_ids(take: Take, names: Mapping[str, str]) -> Take:
    """Return a take that was sent as if it had been made from shots under the ids that they have now."""
    return replace(take, recipe_json=with_new_ids(take.recipe_json, names)) if take.attempts else take


def _followed(plan: Plan, batch: Batch, reader: StateReader | None, past: Past) -> Plan:
    """Add the takes of shots that the manifest wants made again with each new frame."""
    if reader is None or not any(shot.following for shot in batch.shots):
        return plan
    names = past.names_of_gone({shot.id for shot in batch.shots})
    return with_followers(plan, batch.shots, frames_sent(reader, plan.takes, names), past)


def _left(changes: Sequence[Change]) -> list[Change]:
    return [change for change in changes if not isinstance(change, Rename)]


def _common(batch: Batch, takes: Sequence[Take], known: Sequence[ShotRow], plan: Plan, matched: set[str]) -> Likeness:
    """Count what a manifest and a folder have in common, after the renaming that is asked for."""
    current = [row for row in known if not row.removed]
    went = {change.was[0]: change.shot_id for change in plan.changes if isinstance(change, Rename)}
    prompts = {went.get(row.shot_id, row.shot_id): composed(row.prompt) for row in known}
    replanned = {change.take_id for change in plan.changes if isinstance(change, Replan)}
    found = {
        each.shot.id
        for each in plan.wanted
        if each.take is not None and each.take.take_id not in replanned and is_there(each.take.state)
    }
    return Likeness(
        shots=min(len(batch.shots), len(current)),
        ids=sum(shot.id in prompts for shot in batch.shots),
        prompts=sum(prompts.get(shot.id) == composed(shot.prompt) for shot in batch.shots),
        recipes=len(found | matched),
        sent=sum(take.attempts > 0 for take in takes),
        is_unchanged=not plan.changes,
    )


def _folder(batch: Batch, output: Path, options: RunOptions) -> Folder:
    flags = ("--sandbox",) if options.sandbox else ()
    command = ("wanbatch", "run", _printable(batch.source) or "MANIFEST", *flags)
    given = ["--same-batch"] if options.same_batch else []
    given += ["--take-over"] if options.take_over else []
    given += [word for old, new in options.renames for word in ("--rename", f"{old}={new}")]
    places = _printable(str(output)), _printable(str(_free(output)))
    more = (*(("--buy-again",) if options.buy_again else ()), *map(_printable, options.flags))
    return Folder(*places, command, is_default=options.output is None, given=tuple(given), more=more)


def command_of(source: str, options: RunOptions) -> str:
    """Return the command line that runs a manifest as it is run now, for another day; empty without a file."""
    if not source:
        return ""
    flags = ["--sandbox"] if options.sandbox else []
    flags += [] if options.output is None else ["-o", str(options.output)]
    once = ("--moved", "--new-key", "--trust-state", "--fresh", "--shared-account")
    flags += [each for each in options.flags if each not in once]
    return shlex.join(map(_printable, ("wanbatch", "run", source, *flags)))


def _free(output: Path) -> Path:
    output = output if output.name else output.absolute()  # `.` has no name of its own
    return next(path for number in count(2) if not (path := output.with_name(f"{output.name}-{number}")).exists())


def _shown(origin: Origin) -> Origin:
    """Write the path of a manifest as seen from the working folder, where it is below it."""
    if not origin.is_file:
        return origin
    here, place = os.path.realpath("."), Path(origin.absolute)
    is_below = place.is_relative_to(here)
    return replace(origin, absolute=_printable(str(place.relative_to(here) if is_below else place)))


def _printable(path: str) -> str:
    """Return a path with stand-ins for bytes that are not text."""
    return path.encode("utf-8", "replace").decode()


def ask(admission: Admission, options: RunOptions, watch: Watch) -> RunOptions | None:
    """Put the questions of an admission to the user; what needs no answer goes to the notices.

    Returns the options with which to plan again, if the user reuses something; None if everything is
    answered. Raises UsageInvalid if the user does not answer, or says no: nothing was written.
    """
    for question in [each for each in admission.questions if each.is_blocking]:
        answer = watch.ask(question)
        if answer is Answer.STOP:
            raise UsageInvalid(question.refusal)
        if answer is Answer.TAKE_OVER:
            return replace(options, take_over=True)
        if question.kind is Kind.ORIGIN:
            options = replace(options, same_batch=True)
    ask_all([each for each in admission.questions if not each.is_blocking], watch)
    return None


def ask_all(questions: Sequence[Question], watch: Watch) -> None:
    """Put questions of which none leads to another plan; what needs no answer goes to the notices.

    Raises UsageInvalid if the user does not answer, or says no: nothing was written.
    """
    for question in sorted(questions, key=lambda each: not each.is_blocking):
        if not question.is_blocking:
            for line in (*question.lines, *question.remedies):
                watch.notice(line)
        elif watch.ask(question) is Answer.STOP:
            raise UsageInvalid(question.refusal)


def carry(state: StateFile, admission: Admission, at: datetime, digest: str) -> None:
    """Write an admitted plan into the state file, and remember the manifest that it is from."""
    with _parts_kept(state.output, admission):
        state.adopt(admission.plan, at, digest)
    _remember(state, admission)


def _remember(state: StateFile, admission: Admission) -> None:
    origin, known = admission.origin, Origin.of(state.noted(ORIGIN_NOTE))
    if state.batch() != origin.name:
        state.note(NAME_NOTE, origin.name)
    if admission.settled != settled_in(state.noted(SETTLED_NOTE)):
        state.note(SETTLED_NOTE, settled_text(admission.settled))
    is_copy = known is not None and not known.is_at(origin) and Path(known.absolute).exists()
    is_told = any(each.kind is Kind.ORIGIN for each in admission.questions) or admission.is_same_by_word
    if origin.is_file and known != origin and (is_told or not is_copy):
        state.note(ORIGIN_NOTE, origin.text)


@contextmanager
def _parts_kept(output: Path, admission: Admission) -> Iterator[None]:
    """Give clips that are whole, and whose file is not recorded yet, the part names of the shots that take them over.

    A clip that has its final name already is a part again first. Both names are there while the renaming is written:
    a crash at any moment loses nothing.
    """
    by_id = {take.take_id: take for take in admission.takes}
    old = []
    for change in admission.renames:
        take = by_id[change.take_id]
        if take.sha256 is not None and take.file is None:
            final = output / CLIPS / f"{change.was[0]}_t{change.was[1]}.mp4"
            part = final.with_name(f"{final.name}.part")
            take_back(part, final, take.sha256)
            second_name(part, part.with_name(f"{change.shot_id}_t{change.number}.mp4.part"))
            old.append(part)
    yield
    for part in old:
        part.unlink(missing_ok=True)
