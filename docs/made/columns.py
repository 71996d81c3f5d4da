"""The columns of each CSV file: read from the files of the sample batch, in their order, with a meaning for each."""

from __future__ import annotations

from docs.made.sample import Sample
from docs.made.table import code, described, table
from wanbatch.reporting.cost_columns import COSTS, PRICES, SHOTS, SPEND, VARIANCE

_TAKES = {
    "shot_id": "the shot",
    "take": "the number of the take",
    "scene": "as in the manifest",
    "state": "the state of the take: see the lifecycle; also `superseded` and `omitted`",
    "model": "the provider's name of the model",
    "resolution": "as ordered, or the model's default, in one spelling: `1080P` is 1080p",
    "aspect_ratio": "as ordered, the model's default filled in",
    "duration_ordered_s": "the length that was ordered",
    "seed": "the seed that was sent",
    "prompt": "the prompt as it was sent",
    "generation_id": "the provider's id of the clip",
    "attempts": "how many paid submits the take has had",
    "credits_held": "what the provider set aside for its generations that did not fail; empty if one is unknown",
    "credits_charged": "what the ledger showed; empty until it did",
    **{f"usd_{name}": f"`credits_{name}` in USD, exact" for name in ("held", "charged", "estimated")},
    "submitted_at": "when the newest attempt was sent",
    "started_at": "when a poll first saw it being generated; empty if no poll saw that",
    "completed_at": "when a poll saw it completed",
    "verified_at": "when the clip got its name",
    "queued_s": "from `submitted_at` to `started_at`",
    "generating_s": "from `started_at` to `completed_at`",
    "detect_lag_s": "from the last poll that saw it running to `completed_at`: its end was noticed at most this much"
    " later than it happened",
    "download_s": "how long the download took, without checking the clip and, on a sandbox, without drawing it",
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
    "credits_estimated": "what it was expected to cost when it was first sent, or costs now if it has not been sent;"
    " 0 if it failed, cost nothing and was replaced",
    "total_s": "from `submitted_at` to `verified_at`, including waits, checks and drawing on this machine",
    "circled": "whether you chose the take",
    "take_note": "the note that you gave with `retake --note`",
    "provider": "who was to make the clip, for models with that choice: a name, or `auto`; with `auto` the provider may"
    " fall back to another machine",
    "in_cut": "whether the cut uses it: the circled take of its shot, else the newest verified one",
    "chain_start": "the take that the chain of this clip begins with; this and what follows is empty for clips"
    " that were not measured",
    "join_psnr_db": "how closely the clip's first frame matches the frame that it was given: PSNR in dB, at most 100",
    "last_frame_psnr_db": "how closely the clip's last frame matches the `last_frame` that it was given: PSNR in dB",
    **{
        f"{name}_{where}": f"{what} {frame}"
        for where, frame in (
            ("first", "of the first frame against the chain's first frame"),
            ("last", "of the last frame against the chain's first frame"),
            (
                "joins",
                "after all joins from the beginning of the chain to this clip; changes within a clip are not counted",
            ),
        )
        for name, what in (
            ("sharpness", "the sharpness (variance of the Laplacian of luma), as a share,"),
            ("contrast", "the contrast (standard deviation of luma), as a share,"),
            ("colour", "the distance in mean chroma, in levels of 255,"),
        )
    },
}
_ATTEMPTS = {
    "shot_id": "the shot",
    "take": "the number of the take",
    "attempt": "the number of the attempt; below 0 for a second generation of a submit that had one (DOUBLE)",
    "request_id": "the id that this submit alone carried",
    "outcome": "`open`, `not_sent`, `turned_away` (refused for now, as with HTTP 429), `refused` (refused for good),"
    " `lost` (no answer), `abandoned`, `failed`, `completed` or `double`",
    "http_status": "the status of the answer",
    "generation_id": "the provider's id, if it is known",
    "credits_estimated": "what it was expected to cost",
    "credits_held": "what the answer said was set aside",
    "credits_charged": "what the ledger showed for it",
    **{f"usd_{name}": f"`credits_{name}` in USD, exact" for name in ("estimated", "held", "charged")},
    "started_at": "when it was sent",
    "ended_at": "when its outcome was known",
    "body_sha256": "the hash of the body that was sent",
    "key_fingerprint": "the fingerprint of the key that it was sent with; not the key itself",
    "error": "what the provider or this machine said",
    "model": "the model that it was sent to: not the take's if a fallback or an edit came after it",
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
    "verified": "how many of these are verified",
    "left_out": "how many of the verified ones belong to shots that are omitted or no longer in the manifest",
    "failed": "how many of these failed",
    "held": "how many of these are held",
    "superseded": "how many of these are superseded",
    "open": "how many of these are to be sent, looked up or made",
    "omitted": "shots that the manifest omits",
    "usable_s": "the length of the verified clips that are not superseded, or are in the cut",
    "credits_held": "the sum of what the provider set aside for generations that did not fail",
    "credits_charged": "the sum of what the ledger showed; empty while a charge is not seen",
    "credits_held_known": "the known part of `credits_held`",
    "credits_charged_known": "what the ledger has shown so far",
    **{f"usd_{name}_known": f"`credits_{name}_known` in USD" for name in ("held", "charged")},
    **{f"usd_{name}": f"`credits_{name}` in USD" for name in ("held", "charged", "outside_cut")},
    "credits_outside_cut": "charged for everything that is not in the cut, as `outside_cut_credits` in `costs.csv`",
    "holds_not_seen": "takes for which no answer said how much was set aside",
    "charges_not_seen": "takes whose charge the ledger may still show",
    "takes_of_unknown_cost": "takes that may have cost something, but it is not known how much",
    "credits_per_usable_second": "all charged credits per usable second, as in `costs.csv`",
    "usd_per_usable_second": "the same in USD",
    **{
        f"{name}_p{share}_s": f"{words}: {'the median' if share == 50 else 'the 95th percentile'}"
        for name, words in _TIMINGS.items()
        for share in (50, 95)
    },
}
_LEDGER = {
    "verdict": "the verdict, in one word: see Money",
    "take": "the takes that name this generation, separated by `;`",
    "generation_id": "the provider's id",
    "request_id": "the submits that name it",
    "held_credits": "what the answer said was set aside",
    "charged_credits": "what was charged, according to the ledger",
    "difference_credits": "charged minus set aside",
    "charges": "how many charges the ledger has for it",
    "refunded_credits": "what the ledger shows as refunded",
    **{f"{name}_usd": f"`{name}_credits` in USD" for name in ("held", "charged", "difference", "refunded")},
    "charged_at": "the newest charge",
    "read_at": "when the ledger was read",
}
FILES = {
    "takes.csv": ("One row per take, and one for each omitted shot.", _TAKES),
    "attempts.csv": ("One row per paid submit.", _ATTEMPTS),
    "summary.csv": ("One row per group of takes, level by level.", _SUMMARY),
    "costs.csv": ("The cost report: one row per group of takes, level by level.", COSTS),
    "shots.csv": ("What the takes of each shot cost, and what for: one row per shot.", SHOTS),
    "spend.csv": ("The spend over time: one row per submit and one per charge.", SPEND),
    "prices.csv": ("One row per price class: what was quoted, set aside and charged.", PRICES),
    "variance.csv": (
        "The first confirmed plan and what has been added to it since: one row per shot and reason.",
        VARIANCE,
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
