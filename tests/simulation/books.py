"""The provider's books as a world tells them: late, out of order, under other names, by clocks of their own."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.simulation.scenario import KEY, Scenario
from tests.simulation.wrongness import ALIASES, OTHER_STATUSES
from wanbatch.sandbox.account import INTERCEPTS, Account, Arrival, Generation, key_name, open_account
from wanbatch.sandbox.books import LedgerPage, LogPage, charge_entry, log_row, topup_entry

SHADOW = "-shadow"  # ends the id under which a failed job was charged
GATEWAY_LAG_S = 30.0  # what a gateway turns away is told soon, however late the rows of generations are
MOST_ROWS = 100  # that a page of the log may be asked for
WINDOW_MARGIN_S = 2.0  # a reading of the log ends so long before the provider's time
_GOOD = "(http_status = 200 AND failure IS NULL)"
_PAID = "http_status = 200 AND (failure IS NULL OR fault = 'fail_charged')"
Row = dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """One answer of the log: when it was given, to which window, and which of our request ids it showed."""

    at: float
    begin: float
    end: float
    shown: frozenset[str]


class Books(Account):
    """The sandbox's account, with what a scenario has go wrong in it. Times are Unix seconds, and true."""

    def __init__(self, account: Account, scenario: Scenario, prefix: str, epoch_s: float) -> None:
        super().__init__(account._db, scenario.options)
        self.readings: list[Reading] = []
        self.jobs: dict[str, int] = {}  # by generation id: which job of ours it is
        self.refusals: dict[str, int] = {}  # by request id: with what its answer lies
        self.gateways: dict[str, tuple[float, str]] = {}  # by request id: when it came, and the gateway's own id
        self._scenario, self._prefix, self._epoch_s = scenario, prefix, epoch_s
        self.is_honest = False  # no promise is broken, and no row kept back, from here on
        self._log_reads = 0
        self._lost_rows: set[str] = set()

    @classmethod
    def opened(cls, scenario: Scenario, prefix: str, epoch_s: float) -> Books:
        """Open the books of a world in memory."""
        account, _ = open_account(scenario.options, epoch_s)
        books = cls(account, scenario, prefix, epoch_s)
        weakref.finalize(books, account.close)
        return books

    def accept(
        self, arrival: Arrival, body: Mapping[str, Any], *, failure: str | None = None, never_ends: bool = False
    ) -> Generation:
        """Book a generation, at the price of the day."""
        made = super().accept(arrival, body, failure=failure, never_ends=never_ends)
        request_id = arrival.client_request_id or ""
        if not request_id.startswith(self._prefix):
            return made
        job = self.jobs[made.generation_id] = len(self.jobs) + 1
        jump, lies = self._scenario.jump, self._scenario.lies
        if jump is not None and job >= jump.job:
            made = replace(made, credits=made.credits * jump.factor)
            self._db.execute(
                "UPDATE requests SET credits = ? WHERE inference_id = ?", (made.credits, made.generation_id)
            )
        if failure is None and not never_ends and not self.is_honest:
            for number, status in lies.refused:
                if number == job:
                    self.refusals[request_id] = status
            for number, is_shown in lies.gateway:
                if number == job:
                    self.gateways[request_id] = arrival.at, f"gw-{self._new_id(Random(f'gateway {request_id}'))[:12]}"
                    self._lost_rows |= set() if is_shown else {made.generation_id}
        if failure is not None and job in lies.shadows:
            self._charge_shadow(made.generation_id)
        if job in self._scenario.mess.nameless:
            self._lost_rows.add(made.generation_id)
        return made

    def _charge_shadow(self, inference_id: str) -> None:
        """Charge what a failed job made under another id, which no log of ours shows."""
        columns = "at, fault, body, body_sha256, http_status, model, credits, starts_at, ends_at"
        self._db.execute(
            f"INSERT INTO requests ({columns}, key, inference_id) SELECT {columns}, 'another', inference_id || ?"
            " FROM requests WHERE inference_id = ?",
            (SHADOW, inference_id),
        )

    @property
    def last_seq(self) -> int:
        """The number of the last submit that arrived."""
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM requests").fetchone()[0])

    # --- when something shows, in true time

    def _late_s(self, kind: str, inference_id: str) -> float:
        most_s = self._scenario.mess.late_s
        late_s = Random(f"{kind} {self._scenario.seed} {inference_id}").uniform(0, most_s) if most_s else 0.0
        mess, job = self._scenario.mess, self.jobs.get(inference_id)
        slow = (*mess.slow, *(mess.odd if kind == "ledger" else ()))
        return late_s + sum(by_s for number, by_s in slow if number == job)

    def _created(self, at: float) -> float:
        return at + self._scenario.clocks.log.off_s(at - self._epoch_s)

    def _in_log_at(self, inference_id: str, ends_at: float) -> float:
        if inference_id in self._lost_rows:
            return math.inf
        return ends_at + self._options.log_lag_s + self._late_s("log", inference_id)

    def in_log_at(self, row: Row) -> float:
        """Return from when on a reading of the log tells of a submit: it is there, and dated before the window ends.

        A row that is counted and not shown tells, too: such a reading is not whole.
        """
        if self.jobs.get(row["inference_id"]) in self._scenario.mess.unkept:
            return math.inf
        shows = self._in_log_at(row["inference_id"], row["ends_at"])
        date_s = self._scenario.clocks.date.off_s(row["at"] - self._epoch_s)
        return max(shows, self._created(row["at"]) - date_s + WINDOW_MARGIN_S)

    def in_ledger_at(self, row: Row) -> float:
        """Return from when on the ledger shows the charge of a generation."""
        return row["ends_at"] + self._options.log_lag_s + self._late_s("ledger", row["inference_id"])

    def _hole_s(self, inference_id: str) -> float:
        job = self.jobs.get(inference_id)
        holes = () if self.is_honest else self._scenario.mess.holes
        return sum(length_s for number, length_s in holes if number == job)

    def copies(self, inference_id: str) -> int:
        """Return how many rows the ledger has for a generation."""
        return 1 + (self.jobs.get(inference_id) in self._scenario.mess.charged_twice)

    def _model(self, kind: str, inference_id: str, model: str) -> str | None:
        if not self._scenario.mess.has_aliases or inference_id not in self.jobs:
            return model
        return Random(f"alias {kind} {self._scenario.seed} {inference_id}").choice(ALIASES) or None

    # --- the log

    def log(self, page: LogPage, now: float) -> tuple[list[Row], int]:
        """A page of a key's request log, newest first, and how many rows it says there are in all."""
        assert not page.models
        assert not page.statuses
        found: list[tuple[float, int, Row, bool]] = []
        sql = f"SELECT at, {_GOOD}, model, credits, seq, inference_id, client_request_id, ends_at FROM requests"
        for at, *row, ends_at in self._db.execute(f"{sql} WHERE key = ? AND fault NOT IN {INTERCEPTS}", (page.key,)):
            is_good, model, credit_count, seq, made, client_id = row
            client_id = None if self.jobs.get(made) in self._scenario.mess.unkept else client_id
            since = self._in_log_at(made, ends_at)
            if since > now:
                continue
            shown = log_row(
                self._created(at), is_good, self._model("log", made, model), credit_count, seq, made, client_id
            )
            if any(self.jobs.get(made) == job and now < since + long_s for job, long_s in self._scenario.mess.odd):
                shown |= {"status": "processing", "cost": {"usd": 0, "credits": 0}}
            found.append((self._created(at), seq, shown, since + self._hole_s(made) > now))
            if Random(f"twice {self._scenario.seed} {made}").random() < self._scenario.mess.twice:
                found.append(found[-1])
        if page.key == key_name(KEY):
            found += self._gateway_rows(now) + self._other_rows(now)
        mine = sorted((each for each in found if page.begin <= each[0] <= page.end), key=lambda each: each[:2])[::-1]
        self._log_reads += 1
        first = page.offset - (self._log_reads in self._scenario.mess.shifted and page.offset > 0)
        # Who asks for fewer rows than the most gets pages of another size here, too.
        until = first + min(page.limit, self._scenario.mess.page + MOST_ROWS - page.limit)
        rows = [row for _, _, row, is_hidden in mine if not is_hidden][first:until]
        ids = frozenset(str(row["client_request_id"]) for row in rows)
        self.readings.append(Reading(now, page.begin, page.end, ids))
        return rows, len(mine) + (self._log_reads in self._scenario.mess.moving)

    def _gateway_rows(self, now: float) -> list[tuple[float, int, Row, bool]]:
        found = []
        for number, (request_id, (at, inference_id)) in enumerate(self.gateways.items()):
            if at + min(self._options.log_lag_s, GATEWAY_LAG_S) <= now:
                created = self._created(at + self._scenario.mess.gateway_after_s)
                row = log_row(created, False, "alibaba/unknown", 0, 10_000 + number, inference_id, request_id)
                row |= {"cost": None} if self._scenario.mess.has_no_costs else {}
                found.append((created, 10_000 + number, row, False))
        return found

    def _other_rows(self, now: float) -> list[tuple[float, int, Row, bool]]:
        """Rows of other programs: their statuses, their ids or none, costs of any shape, some of them twice."""
        found = []
        for number, (at_s, kind) in enumerate(self._scenario.mess.others):
            at, seq = self._epoch_s + at_s, 20_000 + number
            if at + self._options.log_lag_s > now:
                continue
            rng = Random(f"other {self._scenario.seed} {number}")
            row = log_row(self._created(at), True, "openai/gpt-4o", 120, seq, f"chat-{seq}", None)
            row["status"] = OTHER_STATUSES[kind % len(OTHER_STATUSES)]
            row["client_request_id"] = rng.choice((None, "their-own-id:41", f"wb1:aaaaaaaaaaaaa:{'0' * 20}:1.1"))
            row["cost"] = rng.choice((row["cost"], None, {}, {"usd": None, "credits": None}, {"credits": -5}))
            is_another_batch = str(row["client_request_id"]).startswith("wb1:")
            row["created"] = rng.choice((row["created"], row["created"] if is_another_batch else None))
            found += [(self._created(at), seq, row, False)] * rng.choice((1, 1, 2))
        return found

    # --- the ledger

    def ledger(self, page: LedgerPage, now: float) -> tuple[list[Row], tuple[float, int] | None]:
        """A page of the ledger, newest first, and the place where the next begins (None where there is none)."""
        found: list[tuple[tuple[float, int], Row]] = []
        paid = self._db.execute(f"SELECT ends_at, seq, credits, model, inference_id FROM requests WHERE {_PAID}")
        for ends_at, seq, credit_count, model, made in paid.fetchall() if page.has_charges else []:
            shows = self.in_ledger_at({"ends_at": ends_at, "inference_id": made})
            if shows > now:
                continue
            after_s = self._scenario.mess.second_after_s
            dated = shows + self._scenario.clocks.ledger.off_s(shows - self._epoch_s)
            entry = charge_entry(dated, credit_count, str(self._model("ledger", made, model) or ""), made)
            found.append(((dated, 2 * seq), entry))
            if self.copies(made) > 1 and shows + after_s <= now:
                again = charge_entry(dated + after_s, credit_count, entry["model"], made) if after_s else entry
                found.append(((dated + after_s, 2 * seq + 1), again))
        topped, topped_at = self._topup()
        if page.has_topups:
            found.append(((topped_at, 0), topup_entry(topped_at, topped)))
        mine = sorted(
            (each for each in found if page.begin <= each[0][0] < page.end and each[0] < (page.after or (math.inf, 0))),
            key=lambda each: each[0],
        )[::-1]
        shown = mine[: min(page.limit, self._scenario.mess.ledger_page)]
        return [entry for _, entry in shown], shown[-1][0] if len(mine) > len(shown) else None

    def everything(self, now: float, *, with_intercepted: bool = False) -> list[Row]:
        """All submits, as the sandbox tells those who check, with what was charged for each in all its ledger rows."""
        rows = super().everything(now, with_intercepted=with_intercepted)
        return [{**row, "charged": row["charged"] * self.copies(row["inference_id"])} for row in rows]
