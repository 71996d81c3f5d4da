"""What mkdocs calls while it builds the site: the parts go in, and nothing on a page may be fetched from elsewhere."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

from docs.made.parts import filled
from docs.made.sample import Sample, make_sample
from docs.made.table import PartIncomplete

_FOLDER = tempfile.TemporaryDirectory(prefix="wanbatch-pages-")
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*?\bsrc=["']?https?:|<link\b[^>]*?\brel=["']?(?:stylesheet|preload|icon)["']?[^>]*?https?:"""
)


@cache
def _sample() -> Sample:
    return make_sample(Path(_FOLDER.name))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put the parts that are made from the code into a page."""
    try:
        return filled(markdown, _sample)
    except PartIncomplete as error:
        raise PluginError(f"{page.file.src_uri}: {error}") from error


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that a browser would complete from the network."""
    found = _FETCHED.search(output)
    if found is not None:
        raise PluginError(f"{page.file.src_uri}: the page fetches from elsewhere: {found.group()[:200]}")
    return output


def on_post_build(**_: Any) -> None:
    """Remove the sample batch."""
    _FOLDER.cleanup()
