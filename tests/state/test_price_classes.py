"""Price classes of takes: the same whether each take is read as a whole or counted by the database."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.reporting.states import begin, shot
from wanbatch.batch.inventory import Inventory
from wanbatch.batch.registry import model_from, reading, shipped
from wanbatch.batch.shots import Batch
from wanbatch.reporting.book import book_of
from wanbatch.reporting.csv_tables import make_frames
from wanbatch.reporting.record import read_record

LENS = model_from(
    {
        "properties": {
            "model": {"const": "studio/lens-1"},
            "provider": {"type": "string"},
            "mode": {"type": "string", "enum": ["std", "pro"], "default": "std"},
            "references": {"type": "array", "items": {"type": "string"}},
        }
    }
)
REQUESTS = (
    {},
    {"generate_audio": False},
    {"generate_audio": True},
    {"model": "studio/lens-1"},
    {"model": "studio/lens-1", "mode": "pro", "references": ["a"]},
    {"model": "studio/lens-1", "mode": "std", "provider": "FAL"},
    {"model": "nobody/knows", "mode": "pro", "generate_audio": [1]},
)


def test_takes_are_counted_by_all_that_their_price_may_depend_on(tmp_path: Path) -> None:
    shots = [shot(f"s{number}", number, request=told) for number, told in enumerate(REQUESTS)]
    with reading(shipped().with_added([LENS])):
        pen = begin(tmp_path, Batch("b", tuple(shots)))
        takes, counted = pen.state.takes(), pen.state.inventory()
        told = make_frames(book_of(read_record(pen.state))).takes["provider"]
        by_scene = pen.state.tallies_by_scene()
        pen.state.close()
        classes = [take.price_class for take in takes]
        assert [each.price_class for each in counted.due] == [each.price_class for each in Inventory.of(takes).due]
        assert Counter(take.price_class for take, count in counted.kinds for _ in range(count)) == Counter(classes)
        assert Counter(take.price_class for _, take, count in by_scene for _ in range(count)) == Counter(classes)
        assert len(set(classes)) == 6
        assert list(told.fillna("-")) == [
            "-", "-", "-", "auto", "auto", "fal", "-",
        ]  # fmt: skip
