"""Queries for the attempts of a state file: whose they are, what may still be charged, which name no generation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from wanbatch.batch.attempts import MAY_BE_CHARGED, NO_POST, Attempt, Outcome
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.state.connection import foreign_errors
from wanbatch.state.record_reader import Records
from wanbatch.state.tables import to_sql

IN_ONE_QUERY = 500

_WENT_ON = sorted(each.value for each in (*MAY_BE_CHARGED, Outcome.FAILED))


class AttemptRecords(Records):
    """What is asked of the attempts."""

    def attempts(self) -> list[Attempt]:
        """All attempts, by take and number."""
        return self._all(Attempt, "ORDER BY take_id, number")

    def attempts_as_sent(self) -> list[Attempt]:
        """All attempts in the order in which they were first recorded."""
        return self._all(Attempt, "ORDER BY rowid")

    def attempts_of(self, take_id: int) -> list[Attempt]:
        """The attempts of one take, by number."""
        return self._all(Attempt, "WHERE take_id = ? ORDER BY number", take_id)

    def bodies_sent(self) -> Iterator[tuple[int, str]]:
        """The take and the body of each submit, as the hash of what was sent."""
        sql = "SELECT take_id, body_sha256 FROM attempts WHERE length(body_sha256) = 64"
        with foreign_errors(self.path):
            yield from self._db.execute(sql)

    def attempts_at_risk(self) -> list[Attempt]:
        """The attempts that were given up, and that the ledger may still charge."""
        marks = ", ".join("?" * len(MAY_BE_CHARGED))
        return self._all(
            Attempt,
            f"WHERE outcome IN ({marks}) AND credits_charged IS NULL ORDER BY take_id, number",
            *(each.value for each in sorted(MAY_BE_CHARGED)),
        )

    def priced_before(self) -> list[Attempt]:
        """The attempts that takes went on without, or that failed, and whose price a hold or a charge showed."""
        marks = ", ".join("?" * len(_WENT_ON))
        clause = f"WHERE outcome IN ({marks}) AND coalesce(credits_held, credits_charged, 0) > 0"
        return self._all(Attempt, f"{clause} ORDER BY take_id, number", *_WENT_ON)

    def failed_generations(self, limit: int) -> list[Attempt]:
        """The attempts whose generations the provider failed, the newest first, up to a limit."""
        clause = "WHERE outcome = ? AND generation_id IS NOT NULL"
        return self._all(Attempt, f"{clause} ORDER BY started_at DESC LIMIT ?", Outcome.FAILED.value, limit)

    def refused(self) -> frozenset[int]:
        """The takes, by id, that failed because the provider refused the request itself."""
        sql = (
            "SELECT takes.take_id FROM takes JOIN attempts ON attempts.take_id = takes.take_id"
            " AND attempts.number = takes.attempt WHERE state = 'failed' AND outcome = 'refused'"
        )
        with foreign_errors(self.path):
            return frozenset(take_id for (take_id,) in self._db.execute(sql))

    def offered(self) -> frozenset[int]:
        """The takes, by id, that are held with a submit which this file did not record: its clip waits for the user."""
        sql = (
            "SELECT takes.take_id FROM takes JOIN attempts ON attempts.take_id = takes.take_id"
            " AND attempts.number = takes.attempt WHERE state = 'held' AND takes.generation_id IS NULL"
            " AND body_sha256 = ''"
        )
        with foreign_errors(self.path):
            return frozenset(take_id for (take_id,) in self._db.execute(sql))

    def abandoned(self) -> frozenset[int]:
        """The failed takes, by id, that the user gave up."""
        sql = (
            "SELECT takes.take_id FROM takes JOIN attempts ON attempts.take_id = takes.take_id"
            " AND attempts.number = takes.attempt WHERE state = 'failed' AND outcome = 'abandoned'"
        )
        with foreign_errors(self.path):
            return frozenset(take_id for (take_id,) in self._db.execute(sql))

    def given_up(self) -> frozenset[int]:
        """The failed takes, by id, whose newest charge was recorded before the user gave them up."""
        sql = (
            "SELECT take_id FROM facts WHERE fact IN (?, ?) AND take_id IN"
            " (SELECT take_id FROM takes WHERE state = 'failed' AND credits_charged IS NOT NULL)"
            " GROUP BY take_id HAVING max(CASE fact WHEN ? THEN seq END) > max(CASE fact WHEN ? THEN seq END)"
        )
        names = (Fact.ABANDONED.value, Fact.CHARGED.value)
        with foreign_errors(self.path):
            return frozenset(take_id for (take_id,) in self._db.execute(sql, (*names, *names)))

    def made_for_failed(self) -> dict[int, str]:
        """A generation that each failed take can still have, by take id: that of a submit which it went on without."""
        marks = ", ".join("?" * len(MAY_BE_CHARGED))
        sql = (
            "SELECT takes.take_id, attempts.generation_id FROM takes"  # noqa: S608
            " JOIN attempts ON attempts.take_id = takes.take_id"
            f" WHERE state = 'failed' AND attempts.generation_id IS NOT NULL AND outcome IN ({marks})"
            " AND attempts.generation_id IS NOT takes.generation_id ORDER BY attempts.number DESC"
        )
        with foreign_errors(self.path):
            return dict(self._db.execute(sql, [each.value for each in MAY_BE_CHARGED]).fetchall())

    def attempts_of_requests(self, request_ids: Iterable[str]) -> list[Attempt]:
        """The attempts with these request ids, by take and number."""
        return self._attempts_with("request_id", request_ids)

    def attempts_of_generations(self, generation_ids: Iterable[str]) -> list[Attempt]:
        """The attempts that name these generations, by take and number."""
        return self._attempts_with("generation_id", generation_ids)

    def _attempts_with(self, column: str, values: Iterable[str]) -> list[Attempt]:
        wanted, found = list(values), []
        for at in range(0, len(wanted), IN_ONE_QUERY):
            part = wanted[at : at + IN_ONE_QUERY]
            found += self._all(Attempt, f"WHERE {column} IN ({', '.join('?' * len(part))})", *part)
        return sorted(found, key=lambda each: (each.take_id, each.number))

    def first_sent_at(self) -> datetime | None:
        """When the first submit began that made a generation, or may have; None before it."""
        marks = ", ".join("?" * len(NO_POST))
        sql = f"SELECT min(started_at) FROM attempts WHERE generation_id IS NOT NULL OR outcome NOT IN ({marks})"  # noqa: S608
        with foreign_errors(self.path):
            first = self._db.execute(sql, sorted(each.value for each in NO_POST)).fetchone()[0]
            return None if first is None else datetime.fromisoformat(first)

    def first_attempt_at(self) -> datetime | None:
        """When the first submit began; None before it."""
        with foreign_errors(self.path):
            first = self._db.execute("SELECT min(started_at) FROM attempts").fetchone()[0]
            return None if first is None else datetime.fromisoformat(first)

    def nameless_since(self, at: datetime) -> list[Attempt]:
        """The attempts that began then or later, and of which no generation is known, in the order they began."""
        return self._all(Attempt, "WHERE generation_id IS NULL AND started_at >= ? ORDER BY started_at", to_sql(at))

    def first_nameless_at(self, since: datetime) -> datetime | None:
        """When the first attempt began, then or later, of which no generation is known; None if there is none."""
        sql = "SELECT min(started_at) FROM attempts WHERE generation_id IS NULL AND started_at >= ?"
        with foreign_errors(self.path):
            first = self._db.execute(sql, (to_sql(since),)).fetchone()[0]
            return None if first is None else datetime.fromisoformat(first)

    def nameless_in(self, states: Iterable[State]) -> list[datetime]:
        """When the attempts began of which no generation is known, of takes in these states."""
        wanted = sorted(state.value for state in states)
        sql = (
            "SELECT attempts.started_at FROM attempts CROSS JOIN takes ON takes.take_id = attempts.take_id"  # noqa: S608
            f" WHERE attempts.generation_id IS NULL AND state IN ({', '.join('?' * len(wanted))})"
        )
        with foreign_errors(self.path):
            return [datetime.fromisoformat(at) for (at,) in self._db.execute(sql, wanted)]

    def sent_with_other_keys(self, key_fingerprint: str, since: datetime) -> list[Attempt]:
        """The submits that this file recorded then or later, and that were sent with a key other than this one."""
        clause = "WHERE key_fingerprint <> ? AND started_at >= ? AND body_sha256 <> '' ORDER BY take_id, number"
        return self._all(Attempt, clause, key_fingerprint, to_sql(since))

    def keys_used(self) -> list[str]:
        """The fingerprints of the keys that submits were sent with, as this file recorded them, in no order.

        An empty one stands for submits whose key is not known.
        """
        sql = "SELECT DISTINCT key_fingerprint FROM attempts WHERE body_sha256 <> ''"
        with foreign_errors(self.path):
            return [str(key) for (key,) in self._db.execute(sql)]

    def sent_since(self, at: datetime) -> int:
        """How many attempts began then or later."""
        with foreign_errors(self.path):
            sql = "SELECT count(*) FROM attempts WHERE started_at >= ?"
            return int(self._db.execute(sql, (to_sql(at),)).fetchone()[0])

    def late_generations(self) -> list[Attempt]:
        """The attempts whose generations were found late, or beside another, of takes with no other one to come."""
        return self._all(
            Attempt,
            "WHERE outcome IN ('lost', 'double') AND generation_id IS NOT NULL AND EXISTS (SELECT 1 FROM takes"
            " WHERE takes.take_id = attempts.take_id AND state IN ('planned', 'failed')) ORDER BY take_id, number",
        )

    def first_awaited_at(self) -> datetime | None:
        """When the first submit of the takes began whose charges should show and do not; None if all do."""
        sql = (
            "SELECT min(started_at) FROM attempts WHERE take_id IN"
            " (SELECT take_id FROM takes WHERE state = 'verified' AND NOT is_charge_seen)"
        )
        with foreign_errors(self.path):
            first = self._db.execute(sql).fetchone()[0]
            return None if first is None else datetime.fromisoformat(first)

    def owner_of(self, generation_id: str | None) -> int | None:
        """The take of a generation, by id; None if no take here has it."""
        with foreign_errors(self.path):
            sql = "SELECT take_id FROM attempts WHERE generation_id = ? ORDER BY rowid DESC LIMIT 1"
            row = self._db.execute(sql, (generation_id,)).fetchone()
            return None if row is None else int(row[0])
