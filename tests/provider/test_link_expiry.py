"""Until when a clip's link is valid: the ways in which signed links say it."""

from __future__ import annotations

import pytest

from wanbatch.provider.link_expiry import expires_at

SIGNED = "https://cdn.example.com/a.mp4?"


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("Expires=1767808493&OSSAccessKeyId=x&Signature=y", 1767808493),
        ("X-Amz-Date=20260107T120000Z&X-Amz-Expires=3600", 1767790800),
        ("X-Goog-Date=20260107T120000Z&X-Goog-Expires=600", 1767787800),
        ("se=2026-01-07T12%3A00%3A00Z&sig=x", 1767787200),
        ("se=2026-01-07T12%3A00%3A00", 1767787200),
        ("", None),
        ("Expires=soon", None),
        ("Expires=-5", None),
        ("Expires=99999999999999999999", None),
        ("X-Amz-Date=yesterday&X-Amz-Expires=3600", None),
        ("X-Amz-Date=20260107T120000Z&X-Amz-Expires=1e99", None),
        ("X-Amz-Date=20260107T120000Z&X-Amz-Expires=99999999999999", None),
    ],
)
def test_a_signed_link_says_when_it_dies(query: str, at: int | None) -> None:
    found = expires_at(SIGNED + query)
    assert (None if found is None else int(found.timestamp())) == at
    assert expires_at("https://[broken/") is None
