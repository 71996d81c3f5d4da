"""Why takes wait, and which command goes on with a batch. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from wanbatch.batch.remedies import retry_flags
from wanbatch.batch.run_details import Stop
from wanbatch.batch.selection import EVERY_SHOT, EVERYTHING, Choice, Selection
from wanbatch.errors import MEANINGS, ExitCode
from wanbatch.money.credits import credits_of_usd, exact_usd, usd_text
from wanbatch.money.remaining import Remaining
from wanbatch.state.needs import WAITING, Problem, shots_to_retry, takes_to_change
from wanbatch.state.tables import Run
from wanbatch.units import agreeing, count_text, local_text

_CHOICES = ("--only", "--except")
_LIMIT = "--limit"
_SOURCE_AT = 2  # wanbatch run SOURCE
_WITH_CAPS = ("yaml", "yml", "json")  # the manifests that have a budget of their own
_CAPS = ("--max-usd", "--max-credits")
_STOPS_EARLY = frozenset(set(ExitCode) - {ExitCode.OK, ExitCode.TAKES_FAILED})


@dataclass(frozen=True)
class NextStep:
    """What is known of a batch that tells how to go on with it.

    `command` is the command line of the newest run of its manifest, empty if it is not known; `folder` is its output
    folder as commands name it. `remaining` is what is still to be sent. `is_finished` if no take is left that a run
    would send or fetch. `place` is the folder in which the command has to be given, if that is not the working folder;
    `is_elsewhere` if it is another that a page does not name. A retry sends what failed as it is: what the provider
    would refuse again is changed first.
    """

    command: str
    folder: str
    last_run: Run | None
    remaining: Remaining
    problems: Sequence[Problem]
    is_running: bool
    is_finished: bool
    place: str = ""
    is_elsewhere: bool = False

    @property
    def next_command(self) -> str | None:
        """The command that goes on, with the cap that it needs; None while a run goes on, if the batch is finished, or
        if it is not known.
        """
        command, is_retry = self._plain_command()
        if command is None and self._refused_shots and not self.is_running:
            return self._changed_command()[0] or None
        return self._there(self._with_cap(command, is_retry=is_retry)[0], is_retry=is_retry) if command else None

    @property
    def fetch_line(self) -> str:
        """Say how many clips are ordered and not fetched yet, and which command fetches them; empty while a run goes
        on.
        """
        left = self.remaining
        if self.is_running or not left.unfetched:
            return ""
        command = self.next_command
        elsewhere = ", in the folder where it was run before," if self.is_elsewhere and command else ""
        fetches = f"`{command}`{elsewhere} fetches" if command else "running the manifest again fetches"
        more = " and continues with what is still to be sent" if left.takes else ""
        them = agreeing(left.unfetched, "them|it")
        return f"{left.unfetched_words}: {fetches} {them} at no further cost{more}"

    def _there(self, command: str, *, is_retry: bool) -> str:
        """Return a command that works in its own folder; a retry names its output folder from here."""
        return command if is_retry or not self.place else f"cd {shlex.quote(self.place)} && {command}"

    def _plain_command(self) -> tuple[str | None, bool]:
        """Return the command as it was given, empty if it is not known, None if none goes on with the manifest as it
        is; and whether it retries.

        What only the user can decide about is not tried again: its clip may be there already.
        """
        if self.is_running or self.last_run is None:
            return None, False
        waiting = sum(each.state == WAITING for each in self.problems)
        # all that is left may continue from what failed
        is_chained = self._to_retry and 0 < self.remaining.takes <= waiting
        if not self._to_retry and self._is_all_without_take:
            return None, False
        if not self.is_finished and not is_chained:
            command = going_on(self.command, self.last_run)
            return (without(command, _CHOICES) if self._is_choice_done else command), False
        if not self._to_retry and self._decisions:
            return own_command(self.command), False  # what is decided may have to be sent or fetched
        if not self._to_retry or self.last_run.exit_code != ExitCode.TAKES_FAILED:
            return None, False
        return self._of_folder("retry", *retry_flags(self._to_retry, self._refused_shots)), True

    def _of_folder(self, command: str, *words: str) -> str:
        """Return a command about the output folder."""
        folder = self.folder if not self.folder.startswith("-") else f"./{self.folder}"
        return shlex.join(("wanbatch", command, folder, *words))

    def _changed_command(self) -> tuple[str, str]:
        """Return the command that goes on once what the provider refused is changed, and what is said of its cap."""
        own = own_command(self.command)
        if choice_in(own) != EVERYTHING:  # what was chosen then may leave these out
            words = [word for each in self._refused_shots for word in ("--only", each)]
            own = shlex.join([*shlex.split(without(own, (*_CHOICES, _LIMIT))), *words])
        command, cap = self._with_cap(own or "run the manifest again", is_changed=True)
        return (self._there(command, is_retry=False) if own else "", cap)

    @property
    def _is_all_without_take(self) -> bool:
        """Say whether all that is left waits for takes that no plan has: no run would send or fetch anything."""
        waiting = sum(each.lacks_take for each in self.problems)
        return 0 < self.remaining.takes <= waiting and not self.remaining.unfetched

    @property
    def _decisions(self) -> int:
        return sum(each.needs_user for each in self.problems)

    @property
    def lines(self) -> list[str]:
        """How to go on, in words; a refused prompt or request has to be changed first."""
        return self.lines_with(lambda command: f"`{command}`")

    def lines_with(self, mark: Callable[[str], str]) -> list[str]:
        """Return the lines with each command marked."""
        plain, is_retry = self._plain_command()
        lines = []
        if plain is not None:
            command, cap = self._with_cap(plain or "run the manifest again", is_retry=is_retry)
            if plain:
                command = mark(self._there(command, is_retry=is_retry))
            elsewhere = ", in the folder where it was run before" if self.is_elsewhere and not is_retry else ""
            lines.append(f"to continue{cap}{elsewhere}: {self._first(mark)}{command}")
        if self._refused_shots and not self.is_running:
            lines.append(self._change_line(mark))
        return lines

    def _first(self, mark: Callable[[str], str]) -> str:
        """Say what comes before the command: a look for lost submits, which costs nothing, or what the user decides."""
        lost = sum(each.needs_user and each.can_be_looked_up for each in self.problems)
        left = self._decisions - lost
        first = f"first decide about {count_text(left, 'take')} (see above), then " if left else ""
        if not lost:
            return first
        look = f"{mark(self._of_folder('reconcile'))}, which looks up {count_text(lost, 'take')} and costs nothing"
        return f"first {look}, then {first.removeprefix('first ')}"

    def _change_line(self, mark: Callable[[str], str]) -> str:
        """Say what to change before what the provider refused is sent again: a condition of nothing else."""
        command, cap = self._changed_command()
        elsewhere = ", in the folder where it was run before" if self.is_elsewhere and command else ""
        refused = count_text(len(takes_to_change(self.problems)), "take")
        shots = agreeing(len(self._refused_shots), "shots|shot")
        then = f"then {mark(command)}" if command else "and run the manifest again"
        what = f"to send what the provider refused ({refused}){cap}{elsewhere}"
        return f"{what}: change the {shots} in the manifest, {then}. To leave the {shots} out, write `omit: true` there"

    def _with_cap(self, command: str, *, is_retry: bool = False, is_changed: bool = False) -> tuple[str, str]:
        """Return a command with the cap that what is left needs, and what is said of it.

        As it is, the command would stop at once if its own cap is too low, or replace the cap of a later run.
        """
        left, (flag, own) = self.remaining, cap_in(command)
        is_all = left.chosen is None or self._is_choice_done
        needed = left.needed_cap if is_all else left.cap_for_chosen
        part = f" for {left.chosen.takes} of these {left.takes} takes" if left.chosen and not is_all else ""
        needed = needed if left.takes else None
        if is_retry or is_changed:
            needed, part = (left.cap_for_retry if is_retry else self._cap_for_changed), ""
        scenes = self._scene_caps(is_retry=is_retry, is_changed=is_changed)
        if needed is not None:
            return with_cap(
                command, needed
            ), f", with the cap raised to {usd_text(needed)}{part}{f' and {scenes}' if scenes else ''}"
        if own is not None and left.cap is not None and own != left.cap:
            return with_cap(
                command, left.cap
            ), f", under the cap of the last run, {usd_text(left.cap)}{f', with {scenes}' if scenes else ''}"
        higher = self._higher_cap(flag, own, has_scenes=bool(scenes))
        joined = " and " if higher else ", with "
        return command, f"{higher}{joined}{scenes}" if scenes else higher

    def _scene_caps(self, *, is_retry: bool, is_changed: bool) -> str:
        """Say which caps of scenes stop the command and how high they have to be, with their file; empty if none does.

        A retry is held to the caps that a run of the manifest read.
        """
        caps = self.remaining.scenes
        is_all = is_retry or is_changed or caps.chosen is None or self._is_choice_done
        beside = [caps.again] if is_retry else [caps.changed] if is_changed else []
        short = caps.short(caps.left if is_all or caps.chosen is None else caps.chosen, *beside)
        if not short:
            return ""
        named = caps_file(self.command)
        at = f"in {named}" if named else "in the manifest"
        read = "; run the manifest before the retry, which reads no manifest" if is_retry else ""
        return f"{' and '.join(each.raised_words for each in short)} (`budget: scenes:` {at}{read})"

    @property
    def _is_choice_done(self) -> bool:
        """Say whether the command chooses nothing that is left: the rest is."""
        left = self.remaining
        return left.chosen is not None and not left.chosen.takes and not left.unfetched

    @property
    def _cap_for_changed(self) -> int | None:
        """The cap for what has to be changed: beside all that is left, or alone where the command chooses."""
        left = self.remaining
        is_all = choice_in(own_command(self.command)) == EVERYTHING
        return left.cap_for_changed if is_all else left.cap_for_changed_alone

    def _higher_cap(self, flag: str, own: int | None, *, has_scenes: bool) -> str:
        """Say which cap has to be higher, if one stopped the last run, or would stop the command at once.

        `has_scenes` if that of a scene is named anyway.
        """
        left, last = self.remaining, self.last_run
        stops = () if last is None else last.details.stops
        is_stopped = last is not None and last.exit_code == ExitCode.BUDGET_REACHED
        if is_stopped and Stop.SCENE_CAP in stops and Stop.CAP not in stops:
            return "" if has_scenes else ", with a higher cap for the scene in the manifest"
        is_spent = own is not None and left.committed is not None and own <= left.committed and left.takes > 0
        if not is_spent and (not is_stopped or Stop.NEW_PRICE in stops):
            return ""
        return f", with a higher {flag}" if flag else ", with a higher `budget` in the manifest or --max-usd"

    @property
    def _to_retry(self) -> list[str]:
        """The shots of failed takes that a retry may make."""
        return shots_to_retry(self.problems)

    @property
    def _refused_shots(self) -> list[str]:
        """The shots of failed takes that the provider would refuse again as they are."""
        return list(dict.fromkeys(each.shot_id for each in takes_to_change(self.problems)))


def going_on(command: str, last_run: Run) -> str:
    """Return the command line that goes on after a run, empty if it is not known."""
    own = with_shots(own_command(command), last_run.details.left_out)
    # All that was chosen is done: what is left is the rest.
    return without(own, _CHOICES) if last_run.exit_code == ExitCode.OK else own


def choice_in(command: str) -> Choice:
    """Return what a command line chooses."""
    told: dict[str, list[str]] = {flag: [] for flag in (*_CHOICES, _LIMIT)}
    for flag, word in pairwise([*shlex.split(command), ""]):
        name, is_joined, value = flag.partition("=")
        if name in told:
            told[name].append(value if is_joined else word)
    only, excepted, limits = (told[flag] for flag in (*_CHOICES, _LIMIT))
    limit = int(limits[-1]) if limits and limits[-1].isdecimal() else None
    return Choice(Selection(only, excepted) if only or excepted else EVERY_SHOT, limit)


def without(command: str, flags: Container[str]) -> str:
    """Return a command without some flags and their values."""
    words, is_value = list[str](), False
    for word in shlex.split(command):
        name, is_joined, _ = word.partition("=")
        if not is_value and name not in flags:
            words.append(word)
        is_value = not is_value and name in flags and not is_joined
    return shlex.join(words)


def with_shots(command: str, shots: Sequence[str]) -> str:
    """Return a command that also makes these shots."""
    if not shots or not command:
        return command
    words = shlex.split(command)
    if any(each.partition("=")[0] == "--except" for each in words):
        return without(command, _CHOICES)
    is_chosen = any(each.partition("=")[0] == "--only" for each in words)
    return shlex.join([*words, *(word for each in shots if is_chosen for word in ("--only", each))])


def own_command(text: str) -> str:
    """Return a kept command line as a shell takes it; empty for anything else: a state file may come from anywhere."""
    try:
        words = shlex.split(text)
    except ValueError:
        return ""
    is_ours = words[:2] == ["wanbatch", "run"] and all(word.isprintable() for word in words)
    return shlex.join(words) if is_ours else ""


def caps_file(command: str) -> str:
    """Return the file that has the caps of scenes of the manifest that a command runs; empty if it is not known.

    What a table cannot say is in the map beside it.
    """
    words = shlex.split(own_command(command))
    source = words[_SOURCE_AT] if len(words) > _SOURCE_AT and not words[_SOURCE_AT].startswith("-") else ""
    base, dot, ending = source.rpartition(".")
    return f"{base}.map.yaml" if dot and ending.lower() not in _WITH_CAPS else source


def cap_in(command: str) -> tuple[str, int | None]:
    """Return the flag of a cap in a command line, empty without one, and its credits; None if it cannot be read."""
    try:
        given = shlex.split(command)
    except ValueError:  # the state file may come from anywhere
        given = []
    found: tuple[str, int | None] = "", None
    for flag, word in pairwise([*given, ""]):
        name, _, value = flag.partition("=")
        if name in _CAPS:
            found = name, None
            with suppress(InvalidOperation, ValueError, OverflowError):
                amount = Decimal(value or word)
                found = name, credits_of_usd(amount) if name == "--max-usd" else int(amount)
    return found


def with_cap(command: str, cap: int) -> str:
    """Return a command line with another cap, in credits; as it is if it cannot be read."""
    try:
        given = shlex.split(command)
    except ValueError:
        return command
    if given[:1] != ["wanbatch"]:
        return command  # words, not a command line
    return shlex.join([*shlex.split(without(command, _CAPS)), "--max-usd", exact_usd(cap)])


def early_end(
    runs: Sequence[Run], waiting_since: datetime | None, was_asked: Callable[[Run], bool] = lambda _: True
) -> Run | None:
    """Return the run that tells why takes wait: the newest that stopped early with one of them planned.

    `runs` have ended, oldest first. `waiting_since` is when the first of the takes that are still to be sent was
    planned, None if there is none. A later run that ended well sent others, as a retake does. `was_asked` says whether
    a run was asked to send one of them: how one ended that was not says nothing about them.
    """
    for run in reversed(runs):
        if waiting_since is None or (run.ended_at is not None and run.ended_at < waiting_since):
            return None
        if (run.exit_code is None or run.exit_code in _STOPS_EARLY) and was_asked(run):
            return run
    return None


def end_text(run: Run, name: str = "the last run") -> str:
    """Say when and how a run ended, in local time."""
    if run.ended_at is None or run.exit_code is None:
        began = f"{local_text(run.started_at)}{_clock_text(run) or ','}"
        return f"{name}, started at {began} was cut off: it was killed, or this machine stopped"
    why = f": {run.message}" if run.message else ""
    is_said = not why or run.exit_code in _SAID_BESIDE_A_REASON
    words = [MEANINGS[ExitCode(run.exit_code)].words] if is_said and run.exit_code in set(ExitCode) else []
    words += ["the cap has been reached, too"] if _is_both(run) else []
    meaning = f" ({'; '.join(words)})" if words else ""
    return f"{name} ended at {local_text(run.ended_at)}{_clock_text(run)} with exit code {run.exit_code}{meaning}{why}"


_SAID_BESIDE_A_REASON = (ExitCode.TAKES_FAILED, ExitCode.DECISION_NEEDED)  # the reason may be one of several


def _clock_text(run: Run) -> str:
    """Say whose clock a time of a run is by, where that is ahead of the clock on the wall."""
    return "" if run.speed == 1 else " on the sandbox's clock, which is ahead of yours,"


def _is_both(run: Run) -> bool:
    """Say whether a take that waits for a decision hides that a cap is reached, too."""
    return run.exit_code == ExitCode.DECISION_NEEDED and not {Stop.CAP, Stop.SCENE_CAP}.isdisjoint(run.details.stops)
