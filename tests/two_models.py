"""A manifest with two models that the sandbox prices: one shot has a fallback, one has none."""

from __future__ import annotations

FIRST, SECOND = "alibaba/wan2.1-t2v-turbo", "alibaba/wan2.2-t2v-plus"
PRICE, OTHER_PRICE = 378_000, 210_000
SHOTS = f"""version: 1
defaults: {{model: {FIRST}, resolution: 480p}}
shots:
  - {{id: gull, prompt: A gull lands., fallback: {SECOND}}}
  - {{id: crane, prompt: A crane lands.}}
"""
