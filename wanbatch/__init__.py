"""wanbatch: a manifest of prompts in, a folder of verified clips and an account of every credit out."""

from __future__ import annotations

__version__ = "0.1.0"
