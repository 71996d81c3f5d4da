"""Breaks of the way of a clip to its final name."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any
from unittest import mock

from tests.simulation.mutants.registry import Patches, mutant
from wanbatch.batch.take import Take
from wanbatch.clip import download
from wanbatch.clip.download import publish
from wanbatch.provider.protocol import LinkDead
from wanbatch.runner import downloads as fetching
from wanbatch.runner.downloads import Downloads

# --- clips


@mutant
def a_download_goes_to_the_final_name() -> Patches:
    def paths_of(self: Downloads, take: Take) -> Any:
        final = self._context.state.output / "clips" / f"{take.label}.mp4"
        return final, final

    def settle_at(part: Any, final: Any, sha256: str) -> None:
        if not final.exists():
            raise FileNotFoundError

    yield Downloads, "paths_of", paths_of
    yield fetching, "publish", settle_at


@mutant
def the_hash_is_not_checked_before_the_rename() -> Patches:
    yield download, "_has_hash", lambda path, _: path.exists()


@mutant
def the_clip_is_not_flushed() -> Patches:
    real = download.check_part

    def check_part(part: Any, inspection: Any) -> Any:
        with mock.patch.object(os, "fsync"):
            return real(part, inspection)

    yield fetching, "check_part", check_part


@mutant
def the_media_check_is_skipped() -> Patches:
    def check_part(part: Any, _: Any) -> Any:
        probe = download.Probe(5.0, 832, 480, 30.0, 150, has_audio=False)
        return download.CheckedPart(download.sha256_of(part), part.stat().st_size, probe)

    yield fetching, "check_part", check_part


@mutant
def the_name_comes_before_the_record() -> Patches:
    real = Downloads._downloaded

    def downloaded(self: Downloads, take: Take, checked: Any, took_s: float) -> Take:
        publish(*self.paths_of(take), checked.sha256)
        return real(self, take, checked, took_s)

    yield Downloads, "_downloaded", downloaded


@mutant
def a_dead_link_is_the_end() -> Patches:
    real = Downloads._not_fetched

    def not_fetched(self: Downloads, take: Take, answer: Any) -> None:
        if isinstance(answer, LinkDead):
            self._context.hold(take.take_id, "dead")
            held = self._context.takes[take.take_id]
            self._context.takes.follow(held, replace(held, needs_user=True))
        else:
            real(self, take, answer)

    yield Downloads, "_not_fetched", not_fetched
    yield Take, "can_be_looked_at", property(lambda _: False)
