"""Made at the first try: the first submit of the first take made its clip. The chart shows the tries that failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.money.test_costs import costs_of, rows_of, write_run
from tests.reporting.states import CREDITS, Pen, begin, shot
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import Batch
from wanbatch.reporting.book import book_of
from wanbatch.reporting.charts import gantt
from wanbatch.reporting.record import read_record
from wanbatch.state.reader import StateReader


def _tried_again(pen: Pen, number: int, **words: Any) -> None:
    pen.tell(1, Fact.RETRY_PLANNED, by="user")
    more = {"body_sha256": "b" * 64, "key_fingerprint": "k", "credits_estimated": CREDITS}
    pen.tell(1, Fact.SUBMIT_STARTED, attempt=number, request_id=f"wb1:nonce:1:{number}", **more)
    pen.tell(1, Fact.ACCEPTED, generation_id=f"gen-1-{number}", credits_held=CREDITS)


def test_a_take_that_a_retry_made_was_not_made_at_the_first_try(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("film", (shot("s0", 0, scene="sc1"), shot("s1", 1, scene="sc1"))))
    pen.lead(1, State.FAILED)
    _tried_again(pen, 2)
    pen.tell(1, Fact.COMPLETED)
    pen.tell(1, Fact.DOWNLOADED, sha256="c" * 64, size_bytes=9, clip_duration_s=5.0)
    pen.tell(1, Fact.VERIFIED, file="clips/s0_t1.mp4")
    pen.lead(2, State.VERIFIED, charged=CREDITS, label="s1_t1")
    write_run(pen, None)
    with StateReader.open(tmp_path) as reader:
        book = book_of(read_record(reader))
    takes, attempts = book.record.takes, book.record.attempts
    pen.state.close()
    row = rows_of(costs_of(tmp_path), "batch")["film"]
    chart = gantt(takes, attempts)
    assert chart is not None
    failed = [trace["text"] for trace in chart["traces"] if trace["role"] == "failed"]
    assert takes["tries"].tolist() == [1, 1]  # a retry counts anew against the limit
    assert (row["first_takes"], row["first_takes_good"], row["first_take_yield"]) == (2, 1, 0.5)
    assert [[text.partition(",")[0] for text in texts] for texts in failed] == [["s0_t1: try 1 failed"]]
