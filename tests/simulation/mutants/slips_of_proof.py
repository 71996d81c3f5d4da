"""Slips in what is taken for proof, and in what is found: a condition dropped or turned round, the wrong row or clock."""

from __future__ import annotations

from tests.simulation.mutants.rewriting import slip, unseen
from wanbatch.batch import attempts
from wanbatch.batch.take import Take
from wanbatch.provider import answers, clocks, requestlog
from wanbatch.provider.protocol import LogScan
from wanbatch.provider.requestlog import RequestLog
from wanbatch.runner import evidence, late_generations, resubmission
from wanbatch.runner.doubles import Doubles
from wanbatch.runner.late_generations import LateGenerations
from wanbatch.runner.log_window import Window
from wanbatch.runner.rechecks import Rechecks
from wanbatch.runner.searches import Searches
from wanbatch.runner.unexplained import Unexplained
from wanbatch.runner.unrecorded_submits import UnrecordedSubmits
from wanbatch.runner.verdicts import Verdicts
from wanbatch.state.reader import StateReader

# --- P2: a row that says it failed

slip(
    "a failed row is as old as its submit",
    resubmission._failed,
    "evidence.now - seen >= evidence.lag",
    "evidence.now - attempt.started_at >= evidence.lag",
)
slip(
    "a failed row is proof beside a charge of no take",
    resubmission._failed,
    "is_proof=is_old and not unowned",
    "is_proof=is_old",
)
slip("a row without a cost cost nothing", resubmission._failed, "row.credits != 0", "row.credits")
unseen(
    "only the newest row of a request counts",
    resubmission.find,
    "rows = rows_of(evidence.scan, attempt.request_id)",
    "rows = rows_of(evidence.scan, attempt.request_id)[-1:]",
)
slip(
    "only the oldest row of a request counts",
    resubmission.find,
    "rows = rows_of(evidence.scan, attempt.request_id)",
    "rows = rows_of(evidence.scan, attempt.request_id)[:1]",
)
slip("an odd status is a failure", resubmission.find, "if row.word]", "if row.word and row.credits]")
slip(
    "the rows of an earlier attempt are this one's",
    resubmission.rows_of,
    "return scan.by_request.get(request_id, ())",
    'return [row for row in scan.rows[::-1] if row.request_id.rpartition(".")[0] == request_id.rpartition(".")[0]]',
)
slip(
    "charges count from the very second of the submit",
    resubmission.charges_of_no_take,
    "since = evidence.earliest(attempt)",
    "since = attempt.started_at",
)

# --- P4: no trace of it

unseen(
    "an earlier submit is a witness",
    resubmission.has_witness,
    "each.started_at > attempt.started_at",
    "each != attempt",
)
slip(
    "the age of a lost answer is the longer of two",
    resubmission._absent,
    "age = min(ages)",
    "age = max(ages)",
)
slip(
    "the log of another key is believed",
    resubmission._absent,
    "attempt.key_fingerprint != evidence.key_fingerprint",
    "not attempt.key_fingerprint",
)
slip(
    "a charge of no take is not ours either",
    resubmission._absent,
    "    if unowned:\n        return Absent(is_proof=False, why=_of_no_take_text(unowned))\n",
    "",
)
unseen("who never gave an id back gives them back", evidence.evidence_of, "bool(echoes) and all(echoes)", "all(echoes)")
slip("one id given back stands for all", evidence.evidence_of, "bool(echoes) and all(echoes)", "any(echoes)")
unseen(
    "one of the submits before is enough",
    resubmission.shows_all_before,
    "bool(before) and all(each.request_id in shown for each in before)",
    "any(each.request_id in shown for each in before)",
)
slip("one grace is enough without a later submit", resubmission._absent, "age >= 2 * grace", "age >= grace")
slip("the first lag that is seen is the lag", resubmission.default_grace, "len(lags_s) >= LAG_SAMPLES", "lags_s")
slip(
    "the earlier clip is forgotten where the second is absent",
    Verdicts._absent,
    "if replacement is not None:",
    "if replacement is not None and take.superseded:",
)
slip(
    "the earlier clip is forgotten where the second failed",
    Verdicts._found_failed,
    "if replacement is not None and not take.superseded:",
    "if replacement is not None and take.superseded:",
)
slip(
    "what failed is bought again for a manifest without it",
    Verdicts._found_failed,
    "context.may_try_again(take)",
    "take.tries < context.settings.rates.max_attempts",
)
slip(
    "what is absent is bought again for a manifest without it",
    Verdicts._absent,
    "not context.may_try_again(take)",
    "take.tries >= context.settings.rates.max_attempts",
)
slip("what is held is looked up no more", Take.can_be_searched, "(State.UNKNOWN, State.HELD)", "(State.UNKNOWN,)")

# --- the ledger beside it

slip(
    "lost answers are judged without the ledger",
    Searches._settle,
    "evidence_of(context, scan, charges, context.state.attempts_as_sent())",
    "evidence_of(context, scan, (), context.state.attempts_as_sent())",
)
slip(
    "a ledger that cannot be read is empty",
    Searches._settle,
    'lost answers remain unresolved")\n'
    '            self._give_up_waiting(f"wanbatch could not read the provider\'s ledger ({charges.message})")\n'
    "            return",
    'lost answers remain unresolved")\n            charges = ()',
)
slip(
    "the ledger is read since the newest lost answer",
    Searches._settle,
    "context.batch_clock.earliest(min(begun))",
    "context.batch_clock.earliest(max(begun))",
)

# --- charges that nothing explains

slip(
    "a charge that nothing explains is of others",
    Unexplained.look,
    "if found.unexplained and not context.settings.trust_state:",
    "if False:",
)
# --- how the log is read

slip("the log is read since the newest question", Window.since, "return min(begun)", "return max(begun)")
slip(
    "the mark is moved before what was found is held",
    Searches._search,
    "            self._note_lags(scan)\n",
    "            self._note_lags(scan)\n"
    "            context.state.note_log_read(\n"
    "                context.settings.key_fingerprint, scan.known_until - self._mark_grace(), anew=window.is_mark_wrong()\n"
    "            )\n",
)
slip(
    "a resume looks only where something is lost",
    Searches.plan,
    "context.schedule.planned or any(map(_may_matter, context.takes)) or is_nameless",
    "any(map(_may_matter, context.takes)) or is_nameless",
)
slip(
    "a log that refuses us gives leave to send",
    Searches._never_read,
    "context.schedule.waits_to_submit and not context.settings.trust_state",
    "context.schedule.waits_to_submit and context.settings.trust_state",
)
slip(
    "a log that is out for ten minutes gives leave to send",
    Searches._not_read,
    'self._refuse_to_send(ExitCode.PROVIDER_UNREACHABLE, "Run the same command again later")',
    "context.schedule.allow_submits()",
)
slip(
    "a row that stands twice hides none",
    requestlog._is_whole,
    "return before is not None and found.rows == before.rows and found.repeats_lie_together",
    "return True",
)
slip(
    "the window ends now",
    RequestLog.scan,
    "end = theirs if tried else max(theirs, ours)",
    "end = self._clock.now()",
)
slip(
    "all that the log told is believed at once",
    LogScan.known_until,
    "min(self.end, self.taken_at, self.read_at)",
    "max(self.end, self.taken_at, self.read_at)",
)
unseen("a later clock is the clock", clocks.is_in_the_future, "min(ours, theirs)", "max(ours, theirs)")
unseen("ages go by the faster clock", clocks.Kept.now, "min(passed)", "max(passed)")
slip("our clock was never ahead", clocks.margin_of, "UNCHECKED_MARGIN) + behind", "UNCHECKED_MARGIN)")

slip(
    "the log is read from the last look on",
    Window.first,
    "if state.is_new and not (self._is_thorough or self.has_unknown_charges):",
    "if state.is_new or state.keys_used():",
)

# --- charges of no take beside a failure

slip(
    "a charge of no take keeps no failure from a retry",
    Rechecks.may_retry,
    "beside = await look_beside(context, take_id, charges)",
    "beside = await look_beside(context, take_id, ())",
)
slip(
    "what failed is beside no charge of no take",
    Searches._ended,
    "more += failed_since(self._context, since, FAILED_AT_MOST)",
    "more += failed_since(self._context, since, 0)",
)

# --- before a take is sent again

unseen(
    "what polls call failed is not looked for in the log",
    Rechecks._is_logged_as_made,
    "if all(each.generation_id is None",
    "if True or all(each.generation_id is None",
)

slip("a proof lasts for as long as its take waits", Rechecks.is_owed, "any(each", "False and any(each")
slip(
    "only a generation that was polled is looked at again",
    Rechecks._proven,
    "if each.is_called_free or",
    "if (each.is_called_free and each.generation_id is not None) or",
)
slip("what left no trace is not looked for again", Rechecks._proven, "words[-1] is Fact.PRESUMED_ABSENT", "False")
slip("what the log shows by now does not matter", Rechecks._block, "if self._was_made(by_log, scan):", "if False:")
slip(
    "a charge that may be for a lost submit keeps no take from being sent",
    Rechecks._is_unclear,
    "return bool(found - answered_charges(context.state))",
    "return False",
)
unseen(
    "books that cannot be read keep no take from being sent again",
    Rechecks._block,
    "unread = None if is_asked or not rests_on_books else Block.UNREAD",
    "unread = None",
)

# --- what the state file lacks

slip("any batch is this one", resubmission.unrecorded, '"wb1:{nonce}:"', '"wb1:"')
slip(
    "run.log is believed only where it names a generation",
    UnrecordedSubmits.note_logged,
    "if row.request_id not in known:",
    "if row.request_id not in known and row.generation_id:",
)
slip(
    "a stray is offered to whatever is planned",
    UnrecordedSubmits._heir,
    "(take for take in self._untried() if recipe_in(row.request_id) in self._hashes(take))",
    "iter(self._untried())",
)
slip(
    "a take is offered what was made of another recipe",
    UnrecordedSubmits._note_unrecorded,
    " or recipe is None",
    "",
)
slip(
    "a take follows what was made of another recipe",
    late_generations.may_adopt,
    "recipe_in(attempt.request_id) == take.recipe.short_hash and not live(others)",
    "not live(others)",
)
unseen(
    "what is under way is no reason to leave a find alone",
    late_generations.may_adopt,
    " and not live(others)",
    "",
)
unseen(
    "a take that is done hides another submit of it",
    UnrecordedSubmits._note_unrecorded,
    "elif take.state in _DONE:",
    "elif take.state in _DONE and not row.is_good:",
)
slip(
    "only the last attempt may have been made after all",
    LateGenerations.note_late,
    "            if is_awaited or",
    "            if attempt.number != take.attempt or is_awaited or",
)
unseen(
    "what was refused is never looked for again",
    LateGenerations.note_late,
    "if attempt.generation_id is not None:",
    "if attempt.generation_id is not None or attempt.outcome is Outcome.REFUSED:",
)
unseen(
    "the log is not read back to what was refused",
    StateReader.first_nameless_at,
    "generation_id IS NULL AND started_at >= ?",
    "generation_id IS NULL AND outcome IN ('open', 'lost') AND started_at >= ?",
)
slip(
    "a double belongs to no take",
    StateReader.owner_of,
    "generation_id = ? ORDER BY",
    "generation_id = ? AND number > 0 ORDER BY",
)
slip(
    "two are no double",
    Doubles.name_doubles,
    "if made - {take.generation_id} - named_in(",
    "if len(made) > 2 and made - {take.generation_id} - named_in(",
)
unseen(
    "an attempt stays open beside the one that is adopted",
    attempts.attempts_after,
    "entry.fact is Fact.ADOPTED and before.attempt",
    "entry.fact is Fact.FOUND_LATE and before.attempt",
)
unseen(
    "what was found late stays with the later one",
    LateGenerations.adopt_awaited,
    "if may_adopt(take, late, ",
    "if take.state is State.FAILED and may_adopt(take, late, ",
)
slip(
    "an envelope is not asked for",
    answers.read_submit,
    "    if message is not None and other",
    '    message = message or "no"\n    if message is not None and other',
)
