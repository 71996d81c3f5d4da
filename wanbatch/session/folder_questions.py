"""The questions about an output folder, asked before anything is written or bought: what is found, which flag answers.

The question before paying is in `cli/payment_question.py`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from wanbatch.batch.changes import Rename
from wanbatch.batch.orders import Order, OrderKind
from wanbatch.batch.origin import Difference, Likeness, Origin
from wanbatch.batch.plan import Plan
from wanbatch.batch.shots import Recipe
from wanbatch.batch.take import Take
from wanbatch.batch.takeover import Match, Twin
from wanbatch.money.credits import money_text
from wanbatch.session.kept_prices import Cost, PriceOf, cost_of
from wanbatch.units import count_text

PAIRS_SHOWN = 6


class Kind(StrEnum):
    """What a question is about."""

    ORIGIN = "origin"  # another manifest made this folder
    HERE = "here"  # recipes to be bought are in this folder under other ids
    BESIDE = "beside"  # recipes to be bought are in a folder beside this one, or where this manifest was run
    TAKEN = "taken"  # takes that other shots take over; only shown
    DROPPED = "dropped"  # retakes that were planned and are not sent; only shown
    UNREAD = "unread"  # other folders in which nothing could be looked for; only shown


class Answer(StrEnum):
    """What the user says to it."""

    GO_ON = "go on"
    TAKE_OVER = "take over"
    STOP = "stop"


@dataclass(frozen=True)
class Question:
    """What is found, in lines; how to go on, in lines; and what is asked of a person.

    `pairs` are the labels of takes to be bought, each with that of the take there is. If it `is_blocking`, nothing
    is written or bought before it is answered, by a person or by the flag named; else it is only shown. `take_over` is
    asked first where the takes there can be used.
    """

    kind: Kind
    lines: tuple[str, ...]
    remedies: tuple[str, ...]
    asked: str
    flag: str
    pairs: tuple[tuple[str, str], ...] = ()
    is_blocking: bool = True
    take_over: str = ""

    @property
    def refusal(self) -> str:
        """What wanbatch says where it stops."""
        return "\n  ".join(["wanbatch stopped before it wrote or sent anything.", *self.lines, *self.remedies])


@dataclass(frozen=True)
class Folder:
    """An output folder as a question names it: its path, a free one beside it, and the command that runs it.

    `command` begins with wanbatch and ends with the manifest, without a folder; `is_default` where no -o was given.
    `given` are the flags that were given about this folder, `more` those that hold for any.
    """

    path: str
    free_path: str
    command: tuple[str, ...]
    is_default: bool = True
    given: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    def run(self, *flags: str, path: str | None = None) -> str:
        """Return the command that runs the manifest in this folder, or in another, with these flags.

        In this folder, all flags that were given are repeated: who follows advice twice is not asked the first again.
        """
        where = () if path is None and self.is_default else ("-o", self.path if path is None else path)
        given = self.given if path is None else ()
        known = {" ".join(each) for each in _as_flags((*given, *self.more))}
        new = [word for each in _as_flags(flags) if " ".join(each) not in known for word in each]
        return shlex.join((*self.command, *where, *given, *new, *self.more))


def _as_flags(words: Sequence[str]) -> list[list[str]]:
    """Return flags, each with its value."""
    found: list[list[str]] = []
    for word in words:
        if found and not word.startswith("-"):
            found[-1].append(word)
        else:
            found.append([word])
    return found


def origin_question(
    folder: Folder,
    told: tuple[Difference, ...],
    known: tuple[Origin | None, str],
    given: Origin,
    held: tuple[Sequence[Take], Likeness],
) -> Question:
    """Ask whether a manifest continues the batch of a folder that another made.

    `known` is the manifest that the folder remembers, and the name of its batch; `held` the takes there, and what the
    two have in common. The paths of both manifests are as they are to be shown.
    """
    takes, common = held
    if Difference.PATH in told or Difference.NAME in told:
        lines = [f"{folder.path} was made from another manifest:"]
        lines.append(f"  remembered  {_manifest(*known)}")
        lines.append(f"  given       {_manifest(given, given.name)}")
    else:
        lines = [f"The shots in {_manifest(given, given.name)} differ from those in {folder.path}:"]
    alike = f"  {common.ids} of {common.shots} shot ids are the same"
    lines.append(f"{alike}, {common.prompts} with the same prompt")
    lines.append(f"  {folder.path} holds {_held(takes)}")
    remedies = (
        f"If it is the same film, continue it in that folder: {folder.run('--same-batch')}",
        f"If it is another film, give it a folder of its own: {folder.run(path=folder.free_path)}",
    )
    if 2 * common.prompts < common.shots:
        remedies = remedies[::-1]
    asked = f"Does this manifest continue the batch in {folder.path}?"
    return Question(Kind.ORIGIN, tuple(lines), remedies, asked, "--same-batch")


def _manifest(origin: Origin | None, name: str) -> str:
    where = origin.absolute if origin is not None else ""
    return f"{where}, batch '{name}'" if where else f"batch '{name}'"


def _held(takes: Sequence[Take]) -> str:
    sent = [take for take in takes if take.attempts]
    if not sent:
        return f"{count_text(len(takes), 'take')}, none of them sent"
    known = sum(take.credits_committed_known for take in sent)
    unknown = sum(take.credits_committed is None for take in sent)
    more = f" and {unknown} with an unknown cost" if unknown else ""
    return f"{count_text(len(sent), 'take')}, committed {money_text(known)}{more}"


def here_question(folder: Folder, matches: Sequence[Match], price_of: PriceOf) -> Question:
    """Ask what becomes of takes to be bought whose recipes are in this folder under other ids."""
    plain = [match for match in matches if match.take is not None]
    unclear = [match for match in matches if match.take is None]
    pairs = tuple((match.order.label, match.take.label) for match in plain if match.take is not None)
    exist, them = ("exists", "it") if len(matches) == 1 else ("exist", "them")
    what = f"{count_text(len(matches), 'take')} that this run would buy already {exist} in {folder.path}"
    lines = [f"{what} under another id:"]
    lines += _pair_lines(pairs)
    for match in unclear[:PAIRS_SHOWN]:
        names = ", ".join(sorted({take.label for take in match.candidates})[:PAIRS_SHOWN])
        lines.append(f"  {match.order.label} could be any of {names}")
    if len(unclear) > PAIRS_SHOWN:
        lines.append(f"  ... and {len(unclear) - PAIRS_SHOWN} more that could be any of several")
    remedies = []
    if plain:
        remedies.append(f"{_used(len(plain), 'it' if len(plain) == 1 else 'them')}: {folder.run('--take-over')}")
    old, new = _example(plain, unclear)
    remedies.append(f"{'One by one' if plain else 'Say which'}: {folder.run('--rename', f'{old}={new}')}")
    remedies.append(f"Buy {them} again, {_price(matches, price_of)}: {folder.run('--buy-again')}")
    used = _used(len(plain), them if not unclear else "those with one match")
    return Question(
        Kind.HERE,
        tuple(lines),
        tuple(remedies),
        f"Buy {them} again?",
        "--buy-again",
        pairs + tuple((match.order.label, each.label) for match in unclear for each in match.candidates[:1]),
        take_over=f"{used}?" if plain else "",
    )


def _used(count: int, what: str) -> str:
    rest = "id instead of buying a new take" if count == 1 else "ids instead of buying new takes"
    return f"Use {what} for the new {rest}"


def reframed_question(folder: Folder, matches: Sequence[Match], price_of: PriceOf) -> Question:
    """Ask about takes to be bought whose clips are there, but for how the manifest names the frame they are given."""
    pairs = tuple((match.order.label, each.label) for match in matches for each in match.candidates[:1])
    exist, them = ("exists", "it") if len(matches) == 1 else ("exist", "them")
    what = f"{count_text(len(matches), 'take')} that this run would buy already {exist} in {folder.path}"
    lines = [f"{what}, but the manifest now names the frame in another way:", *_pair_lines(pairs)]
    remedies = (
        "If the frame is still the same, name it in the manifest as before (the shot's id, with or without `take:`)",
        f"Buy {them} again, {_price(matches, price_of)}: {folder.run('--buy-again')}",
    )
    return Question(Kind.HERE, tuple(lines), remedies, f"Buy {them} again?", "--buy-again", pairs)


def twins_question(folder: Folder, twins: Sequence[Twin], price_of: PriceOf) -> Question:
    """Ask about takes to be bought that are the same, to the seed, as takes that are there, or as one another."""
    labels = tuple(dict.fromkeys((twin.order.label, twin.label) for twin in twins))
    orders = list({twin.order: twin for twin in twins}.values())
    have, them = ("has", "it") if len(orders) == 1 else ("have", "them")
    what = f"{count_text(len(orders), 'take')} that this run would buy {have}"
    lines = [f"{what} the request and seed of another, so the clips would be identical:"]
    lines += _pair_lines(labels, "is the same as")
    remedies = (
        "To get different clips, change a seed or a prompt in the manifest. To buy only one, leave the other out",
        "If a shot is meant to repeat another, write `allow: [duplicate]` into it",
        f"Buy {them} anyway, {_price(orders, price_of)}: {folder.run('--buy-again')}",
    )
    return Question(Kind.HERE, tuple(lines), remedies, f"Buy {them} anyway?", "--buy-again", labels)


def left_question(
    command: tuple[str, str], where: str, pairs: Sequence[tuple[str, str]], *, is_blocking: bool
) -> Question:
    """Ask about takes left to be sent, without a manifest at hand, that are there: in this folder, or in one beside.

    `command` runs the manifest, empty if it is not known, and buys them again; `where` is the folder.
    """
    run, again = command
    exist, them = ("exists", "it") if len(pairs) == 1 else ("exist", "them")
    lines = (f"{count_text(len(pairs), 'take')} that this command would or may buy already {exist} in {where}:",)
    use = f"To use the existing clips, run the manifest, which asks how: {run or 'wanbatch run MANIFEST'}"
    remedies = (use, f"Buy {them} again: {again}")
    return Question(
        Kind.HERE if is_blocking else Kind.BESIDE,
        (*lines, *_pair_lines(pairs)),
        remedies,
        f"Buy {them} again?",
        "--buy-again",
        tuple(pairs),
        is_blocking=is_blocking,
    )


def _price(matches: Iterable[Match | Twin], price_of: PriceOf) -> str:
    return cost_of((Recipe(match.order.text) for match in matches), price_of).for_about


def _example(plain: Sequence[Match], unclear: Sequence[Match]) -> tuple[str, str]:
    match = plain[0] if plain else unclear[0]
    take = match.take if match.take is not None else match.candidates[0]
    return take.shot_id, match.order.shot_id


def _pair_lines(pairs: Iterable[tuple[str, str]], how: str = "exists as") -> list[str]:
    every = list(pairs)
    lines = [f"  {label}" if label == found else f"  {label} {how} {found}" for label, found in every[:PAIRS_SHOWN]]
    if len(every) > PAIRS_SHOWN:
        lines.append(f"  ... and {len(every) - PAIRS_SHOWN:,} more")
    return lines


def taken_over(renames: Sequence[Rename]) -> Question:
    """Tell which takes other shots take over."""
    pairs = tuple((f"{each.shot_id}_t{each.number}", "{}_t{}".format(*each.was)) for each in renames)
    every = [f"  {label} was {was} until now" for label, was in pairs]
    lines = [
        f"{count_text(len(pairs), 'take')} {'is' if len(pairs) == 1 else 'are'} reused under a new id:",
        *every[:PAIRS_SHOWN],
    ]
    if len(every) > PAIRS_SHOWN:
        lines.append(f"  ... and {len(every) - PAIRS_SHOWN:,} more")
    return Question(Kind.TAKEN, tuple(lines), (), "", "", pairs, is_blocking=False)


def dropped_retakes(labels: Sequence[str]) -> Question:
    """Tell which retakes that an earlier command planned are not sent any more."""
    what = "this retake is" if len(labels) == 1 else "these retakes are"
    line = (
        f"{what} not sent: {', '.join(labels)}. The manifest leaves the shot out, or a take with the same request and"
        " seed already exists"
    )
    return Question(Kind.DROPPED, (line,), (), "", "", is_blocking=False)


def unread_beside(count: int) -> Question:
    """Tell that some other folders were not looked into."""
    line = f"wanbatch could not look into {count_text(count, 'other output folder')} for takes that this run would buy"
    return Question(Kind.UNREAD, (line,), (), "", "", is_blocking=False)


@dataclass(frozen=True)
class Choice:
    """What each answer about a folder beside costs: to buy all here, the takes found there among them; to go on there.

    `there` is the most that it costs if it `is_most`: takes may be there that were not looked for.
    """

    found: Cost
    here: Cost
    there: Cost
    is_most: bool = False

    @classmethod
    def of(cls, plan: Plan, found: Iterable[Order], price_of: PriceOf, *, is_only: bool) -> Choice:
        """Return what the choice costs for a plan of which these orders are in the folder beside.

        It `is_only` if no other folder has takes of the plan: what is found in two is counted in the first.
        """
        bought = [order for order in found if order.kind is not OrderKind.FALLBACK]  # that may not be bought at all
        again = cost_of((Recipe(order.text) for order in bought), price_of)
        here = cost_of((each.recipe for each in plan.to_submit), price_of)
        every = cost_of((each.recipe for each in plan.wanted), price_of)
        return cls(again, here, every - again, is_most=not is_only or every.takes > here.takes)

    @property
    def there_text(self) -> str:
        """What a run in the folder beside buys."""
        if not self.there.takes:
            return "it has all takes of this manifest, so this buys nothing"
        price = self.there.for_about.replace("for about", "for at most") if self.is_most else self.there.for_about
        others = f"{'up to ' if self.is_most else ''}{count_text(self.there.takes, 'more take')}"
        return f"this buys {others} of this manifest {price}"

    @property
    def here_text(self) -> str:
        """What a run here buys."""
        bought = f"{count_text(self.here.takes, 'take')} here {self.here.for_about}"
        is_all = self.found.takes in (0, self.here.takes)
        return bought if is_all else f"{bought}, of which {self.found.text} is for existing takes"


def beside_question(
    folder: Folder, neighbour: tuple[str, bool], found: Sequence[tuple[Order, str]], choice: Choice, *, is_paid: bool
) -> Question:
    """Ask about takes to be bought whose recipes are in a folder beside; on the sandbox it is only shown.

    `neighbour` is its path, and whether takes are called otherwise there; `choice` is what each answer costs.
    """
    path, has_other_ids = neighbour
    pairs = tuple((order.label, label) for order, label in found)
    lines = [f"{len(found):,} of the takes to buy here already {'exists' if len(found) == 1 else 'exist'} in {path}:"]
    lines += _pair_lines(pairs)
    flags = ("--same-batch", *(("--take-over",) if has_other_ids else ()))
    remedies = [f"Continue in that folder ({choice.there_text}): {folder.run(*flags, path=path)}"]
    if is_paid:
        remedies.append(f"Buy {choice.here_text}: {folder.run('--buy-again')}")
    else:
        remedies.append(
            f"A paid run would stop here and ask, even with --yes. --buy-again would let it buy {choice.here_text}"
        )
    return Question(
        Kind.BESIDE, tuple(lines), tuple(remedies), "Buy them again here?", "--buy-again", pairs, is_blocking=is_paid
    )
