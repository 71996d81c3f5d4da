"""The columns of each CSV file: read from the files of the sample batch, in their order, with a meaning for each."""

from __future__ import annotations

from docs.made.sample import Sample
from docs.made.table import code, described, table

_TAKES = {
    "shot_id": "the shot",
    "take": "the number of the take",
    "scene": "as in the manifest",
    "state": "where the take stands: see the lifecycle; `superseded` and `omitted` besides",
    "model": "the provider's name of the model",
    "resolution": "as ordered, the model's default filled in",
    "aspect_ratio": "as ordered, the model's default filled in",
    "duration_ordered_s": "the length that was ordered",
    "seed": "the seed that was sent",
    "prompt": "the prompt as it was sent",
    "generation_id": "the provider's id of the clip",
    "attempts": "how many paid submits the take has had",
    "credits_held": "what answers set aside for its generations that did not fail; empty if one is unknown",
    "credits_charged": "what the ledger showed; empty until it did",
    **{f"usd_{name}": f"`credits_{name}` in USD, exact" for name in ("held", "charged", "estimated")},
    "submitted_at": "when the newest attempt was sent",
    "started_at": "when a poll first saw it being generated; empty if no poll happened to",
    "completed_at": "when a poll saw it completed",
    "verified_at": "when the clip got its name",
    "queued_s": "from `submitted_at` to `started_at`",
    "generating_s": "from `started_at` to `completed_at`",
    "detect_lag_s": "from the last poll that saw it run to `completed_at`: at most so late was its end seen",
    "download_s": "how long the download took, without its check, and on a sandbox without the drawing of the clip",
    "file": "the clip, relative to the output folder",
    "sha256": "its hash",
    "size_bytes": "its size",
    "clip_duration_s": "its measured length",
    "width": "its measured width",
    "height": "its measured height",
    "has_audio": "whether it has a sound track",
    "warning": "what about the clip deserves a look",
    "error": "why it failed, or waits for you",
    "sequence": "as in the manifest",
    "tags": "as in the manifest, separated by `;`",
    "cost_code": "as in the manifest",
    "notes": "as in the manifest",
    "recipe_sha256": "the hash of the request: the same for the same prompt, parameters and seed",
    "credits_estimated": "what the newest attempt was expected to cost",
    "total_s": "from `submitted_at` to `verified_at`, the waits, checks and drawing of this machine included",
    "circled": "whether you chose the take",
    "take_note": "the note that you gave with `retake --note`",
    "provider": "who was to make the clip, of models with that choice: a name, or `auto`; then the provider may fall"
    " back to another machine",
}
_ATTEMPTS = {
    "shot_id": "the shot",
    "take": "the number of the take",
    "attempt": "the number of the attempt; below 0 for a second generation of a submit that had one (DOUBLE)",
    "request_id": "the id that this submit carried, and no other",
    "outcome": "`open`, `not_sent`, `turned_away`, `refused`, `lost`, `abandoned`, `failed`, `completed` or `double`",
    "http_status": "the status of the answer",
    "generation_id": "the provider's id, where one is known",
    "credits_estimated": "what it was expected to cost",
    "credits_held": "what the answer said is held",
    "credits_charged": "what the ledger showed for it",
    **{f"usd_{name}": f"`credits_{name}` in USD, exact" for name in ("estimated", "held", "charged")},
    "started_at": "when it was sent",
    "ended_at": "when its outcome was known",
    "body_sha256": "the hash of the body that was sent",
    "key_fingerprint": "which key it was sent with; not the key",
    "error": "what the provider or this machine said",
    "model": "the model that it was sent to: not the take's where a fallback or an edit came after it",
}
_TIMINGS = {
    "queued": "waiting at the provider",
    "generating": "being generated",
    "download": "the download",
    "total": "from the submit to the verified clip",
}
_SUMMARY = {
    "level": "`batch`, `sequence`, `scene`, `model`, `resolution`, `duration` or `cost_code`",
    "key": "the name of the group on that level",
    "takes": "how many takes",
    "verified": "of these verified",
    "failed": "of these failed",
    "held": "of these held",
    "superseded": "of these superseded",
    "omitted": "shots that the manifest omits",
    "clip_seconds": "the length of all verified clips",
    "credits_held": "the sum of what answers set aside for generations that did not fail",
    "credits_charged": "the sum of what the ledger showed",
    **{f"usd_{name}": f"`credits_{name}` in USD" for name in ("held", "charged", "charged_not_used")},
    "credits_charged_not_used": "charged for what is not in use: failed, superseded, earlier attempts",
    "holds_not_seen": "takes with a hold that no answer named",
    "charges_not_seen": "takes whose charge the ledger may still show",
    "takes_of_unknown_cost": "takes that may have cost something, and how much is not known",
    "credits_per_finished_second": "charged credits by second of verified clip",
    "usd_per_finished_second": "the same in USD",
    **{
        f"{name}_p{share}_s": f"{words}: {'the median' if share == 50 else 'the 95th percentile'}"
        for name, words in _TIMINGS.items()
        for share in (50, 95)
    },
}
_COST_PARTS = {
    "budget": "the cap of the batch or the scene",
    "estimated": "what it was expected to cost when it was first sent, or costs now where nothing was sent",
    "held": "what the provider's answers set aside for generations that did not fail",
    "charged": "what the ledger charged",
    "at_risk": "what may still be charged for what was sent",
    "committed": "charged and at risk together: what counts under the cap",
    "to_complete": "what the takes that are still to be sent will cost",
    "final": "committed and to_complete together",
    "budget_left": "budget less final: what is left of it, below 0 what is over it",
    "over_estimate": "final less estimated: above 0 it costs more than was expected, below 0 less",
}
_WENT_INTO = {
    "in_cut": "charged for the clips in the cut: for each shot the circled take, else the newest good one",
    "outside_cut": "charged for all else: with `in_cut` it is `charged`, and the next five are its parts",
    "unchosen": "charged for good clips beside them",
    "superseded": "charged for clips that newer recipes replaced",
    "failed": "charged for what failed",
    "waiting": "charged for takes that have no clip yet: held, unknown or on their way",
    "extra": "charged for generations beside the take's own",
}
_SECONDS = {"usable_s": "the length of the good clips", "in_cut_s": "the length of those in the cut"}
_SHOTS = {
    "batch": "the batch",
    "sequence": "as in the manifest",
    "scene": "as in the manifest",
    "shot_id": "the shot; `(no take)` for submits that no take has",
    "takes": "how many takes",
    "charged_credits": "what the ledger charged for all its takes",
    **{f"{name}_credits": words for name, words in _WENT_INTO.items()},
    **{f"{name}_usd": f"`{name}_credits` in USD" for name in ("charged", *_WENT_INTO)},
    **_SECONDS,
    "charges_not_seen": "takes, and submits of no take, whose charge the ledger may still show",
}
_KNOWN = ("estimated", "held", "at_risk", "committed", "to_complete", "final")
_COSTS = {
    "level": "`batch`, `sequence`, `scene`, `model`, `tag` or `cost_code`; `all` first in a combined report",
    "batch": "the batch that the group belongs to: the same name in another batch is another group; empty for `all`",
    "key": "the name of the group; a take with two tags is in both",
    "takes": "how many takes",
    "verified": "of these verified and in use",
    "failed": "of these failed",
    **{f"{name}_credits": words for name, words in _COST_PARTS.items()},
    **{f"{name}_usd": f"the same in USD: {name}" for name in _COST_PARTS},
    **{f"{name}_known_credits": f"the known part of {name}, where a part of it is unknown" for name in _KNOWN},
    **{f"{name}_known_usd": f"the same in USD: the known part of {name}" for name in _KNOWN},
    **{f"{name}_usd": f"`{name}_credits` in USD" for name in _WENT_INTO},
    "takes_of_unknown_cost": "takes, and submits of no take, that are not in `committed`: what they cost is not known",
    "takes_of_unknown_price": "takes that are not in `to_complete`: their price is unknown",
    "holds_not_seen": "takes, and submits of no take, that are not in `held`: no answer named what it holds",
    "charges_not_seen": "takes, and submits of no take, whose charge the ledger may still show",
    **{f"{name}_credits": words for name, words in _WENT_INTO.items()},
    **_SECONDS,
    "credits_per_usable_second": "`charged` by usable second; empty while a charge is not seen",
    "usd_per_usable_second": "the same in USD",
    "credits_per_second_in_cut": "`charged` by second in the cut; empty while a charge is not seen",
    "usd_per_second_in_cut": "the same in USD",
    "first_takes": "first takes of shots that have ended; of a model, those that were sent to it first",
    "first_takes_good": "of these verified without a second try",
    "first_take_yield": "the share of these, from 0 to 1",
    "submits_of_no_take": "submits of the batch that no take has; `(no take)` where the group is none of theirs",
}
_SPEND = {
    "at": "when it happened",
    "batch": "the batch",
    "take": "the take",
    "generation_id": "the provider's id",
    "event": "`submitted` or `charged`",
    "submitted_credits": "of a submit: what it held, or was expected to cost",
    "submitted_usd": "the same in USD",
    "charged_credits": "of a charge: what the ledger showed",
    "charged_usd": "the same in USD",
}
_PRICES = {
    **{
        f"{name}_usd": "the same in USD"
        for name in ("first_quoted", "last_quoted", "held_low", "held_high", "charged_low", "charged_high")
    },
    "batch": "the batch",
    "price_class": "what the price depends on: model, resolution, length, and settings that differ from the defaults",
    "first_quoted_credits": "the first price that was quoted",
    "first_source": "where that was from",
    "last_quoted_credits": "the newest one",
    "last_source": "where that was from",
    "held_low_credits": "the lowest hold seen",
    "held_high_credits": "the highest hold seen",
    "charged_low_credits": "the lowest charge seen",
    "charged_high_credits": "the highest charge seen",
    "drift_percent": "the newest charge (or hold) against the first quote",
}
_VARIANCE = {
    "batch": "the batch",
    "scene": "as in the manifest",
    "shot_id": "the shot; `(no take)` for submits that no take has",
    "reason": "`baseline` for the first confirmed plan, else why the final cost differs: `retake`, `edit`, `new shot`, "
    "`shot left out`, `renamed` (the same under another id: adds nothing), `unpriced take`, `submit of no take`, "
    "`failed take` (it made no clip), `failed try` (charged, or may be, beside the clip of its take), `extra clip`, "
    "`fallback` (another model at another price), `take added`, `take dropped`, or `other price`",
    "earlier_shot_id": "the id in the first plan of a shot that was renamed, in its row `renamed`",
    "takes": "how many takes it is about",
    "credits": "of the baseline; else the variance: above 0 what was added, below 0 what was saved. "
    "All rows are the final cost",
    "usd": "the same in USD",
    "takes_of_unknown_cost": "takes, and submits of no take, that are not in `credits`",
}
_LEDGER = {
    "verdict": "one of nine words: see Money",
    "take": "the takes that name this generation, separated by `;`",
    "generation_id": "the provider's id",
    "request_id": "the submits that name it",
    "held_credits": "what the answer held",
    "charged_credits": "what the ledger charged",
    "difference_credits": "charged less held",
    "charges": "how many charges the ledger has for it",
    "refunded_credits": "what the ledger paid back",
    **{f"{name}_usd": f"`{name}_credits` in USD" for name in ("held", "charged", "difference", "refunded")},
    "charged_at": "the newest charge",
    "read_at": "when the ledger was read",
}
FILES = {
    "takes.csv": ("One row per take, and one for each omitted shot.", _TAKES),
    "attempts.csv": ("One row per paid submit.", _ATTEMPTS),
    "summary.csv": ("One row per group of takes, level by level.", _SUMMARY),
    "costs.csv": ("The cost report: one row per group of takes, level by level.", _COSTS),
    "shots.csv": ("What the takes of each shot cost, and what for: one row per shot.", _SHOTS),
    "spend.csv": ("The spend over time: one row per submit and one per charge.", _SPEND),
    "prices.csv": ("One row per price class: what was quoted, held and charged.", _PRICES),
    "variance.csv": (
        "The first confirmed plan and what was added to it: one row per shot and reason.",
        _VARIANCE,
    ),
    "ledger.csv": ("The provider's ledger, matched by `reconcile`: one row per generation.", _LEDGER),
}


def columns(sample: Sample) -> str:
    """Return a section for each CSV file with its columns."""
    parts = []
    for name, (what, words) in FILES.items():
        listed = [column for column in sample.header(name) if not column.startswith("x_")]
        rows = [(code(column), meaning) for column, meaning in described(name, listed, words)]
        parts += [f"### {name}", what, table(("column", "meaning"), rows)]
    return "\n\n".join(parts)
