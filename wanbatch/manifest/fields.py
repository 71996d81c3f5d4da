"""The fields of a shot, by what they hold. The schemas define the fields; this module only sorts them."""

from __future__ import annotations

PLANNING_FIELDS = frozenset({"id", "sequence", "scene", "takes", "seed", "tags", "cost_code", "notes", "omit"})
INTEGER_FIELDS = frozenset({"takes", "seed", "duration"})
BOOLEAN_FIELDS = frozenset({"omit", "generate_audio", "enhance_prompt", "enable_prompt_expansion", "watermark"})
LIST_FIELDS = frozenset({"tags", "image_urls", "video_urls"})
FREE_TEXT_FIELDS = frozenset({"id", "prompt", "notes"})
