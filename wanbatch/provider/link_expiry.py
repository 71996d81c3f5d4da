"""Clip links: until when a signed one is valid, if it says so. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

LASTS = timedelta(days=1)  # for a link that does not say: the longest that the documentation's samples are signed for
_STAMP = "%Y%m%dT%H%M%SZ"
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


def expires_at(link: str) -> datetime | None:
    """Return when a link expires; None if it does not say so in a known way.

    `Expires` in Unix seconds is in Alibaba's and older S3 links; `X-Amz-` and `X-Goog-Date` with `-Expires`
    are S3 and Google; `se` is Azure.
    """
    try:
        fields = {name.lower(): values[0] for name, values in parse_qs(urlsplit(link).query).items()}
        if "expires" in fields:
            seconds = int(fields["expires"])
            return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < _LATEST else None
        for maker in ("x-amz", "x-goog", "x-oss"):
            if f"{maker}-date" in fields and f"{maker}-expires" in fields:
                begin = datetime.strptime(fields[f"{maker}-date"], _STAMP).replace(tzinfo=UTC)
                return begin + timedelta(seconds=int(fields[f"{maker}-expires"]))
        if "se" in fields:
            end = datetime.fromisoformat(fields["se"])
            return end if end.tzinfo is not None else end.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return None
