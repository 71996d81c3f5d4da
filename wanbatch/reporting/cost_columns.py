"""The columns of the cost report, as files and the workbook name them, with a meaning for each."""

from __future__ import annotations

from collections.abc import Mapping

_COST_PARTS = {
    "budget": "the cap of the batch or the scene; empty for all batches together",
    "estimated": "what it was expected to cost when it was first sent, or what it costs now if nothing was sent",
    "held": "what the provider set aside, according to its answers, for generations that did not fail",
    "charged": "what was charged, according to the ledger; empty while a charge is not seen",
    "at_risk": "what may still be charged for what was sent",
    "committed": "charged and at risk together: what counts under the cap",
    "to_complete": "what the takes that are still to be sent will cost",
    "final": "committed and to_complete together",
    "budget_less_final": "budget minus final; if below 0, the amount by which the cap is too low for what is still "
    "to be sent",
}
_WENT_INTO = {
    "in_cut": "charged so far for the clips in the cut: for each shot the circled take, else the newest verified one; "
    "this and the related columns are empty while charges are possible but the ledger lists none yet",
    "outside_cut": "charged for everything else: with `in_cut` it is `charged_known`; the next six are its parts",
    "unchosen": "charged for other verified clips of the shots in the manifest",
    "left_out": "charged for verified clips of shots that are omitted or no longer in the manifest",
    "superseded": "charged for clips that newer recipes replaced",
    "failed": "charged for what failed",
    "waiting": "charged for takes that have no clip yet: held, unknown or on their way",
    "extra": "charged for generations other than the take's own",
}
_PLANNED = {
    "baseline": "the first confirmed plan, for batch, sequence, scene and shot; empty if it is unknown or was not kept",
    "variance": "what was added to it, as in `variance.csv`: above 0 it costs more, below 0 less",
}
_SECONDS = {"usable_s": "the length of the verified clips", "in_cut_s": "the length of those in the cut"}
SHOTS: Mapping[str, str] = {
    "batch": "the batch",
    "sequence": "as in the manifest",
    "scene": "as in the manifest",
    "shot_id": "the shot; `(no take)` for submits that belong to no take",
    "takes": "how many takes",
    "charged_credits": "what was charged for all its takes, according to the ledger; empty while a charge is not seen",
    "charged_known_credits": "what has been charged so far",
    **{f"{name}_credits": words for name, words in _WENT_INTO.items()},
    "charged_usd": "the same as `charged_credits`, in USD",
    "charged_known_usd": "what has been charged so far, in USD",
    **{f"{name}_usd": f"{words}, in USD" for name, words in _WENT_INTO.items()},
    **_SECONDS,
    "charges_not_seen": "takes, and submits that belong to no take, whose charge the ledger may still show",
    **{f"{name}_credits": words for name, words in _PLANNED.items()},
    **{f"{name}_usd": f"{words}, in USD" for name, words in _PLANNED.items()},
}
_KNOWN = ("estimated", "held", "charged", "at_risk", "committed", "to_complete", "final")
COSTS: Mapping[str, str] = {
    "level": "`batch`, `sequence`, `scene`, `model`, `tag` or `cost_code`; `all` first in a combined report",
    "batch": "the batch that the group belongs to: the same name in another batch is another group; empty for `all`",
    "key": "the name of the group; a take with two tags is in both",
    "takes": "how many takes",
    "verified": "how many of these are verified and in use",
    "failed": "how many of these failed",
    **{f"{name}_credits": words for name, words in _COST_PARTS.items()},
    **{f"{name}_usd": f"{words}, in USD" for name, words in _COST_PARTS.items()},
    **{f"{name}_known_credits": f"the known part of {name}, if a part of it is unknown" for name in _KNOWN},
    **{f"{name}_known_usd": f"the known part of {name} in USD, if a part of it is unknown" for name in _KNOWN},
    **{f"{name}_usd": f"{words}, in USD" for name, words in _WENT_INTO.items()},
    "takes_of_unknown_cost": "takes, and submits that belong to no take, not in `committed`: their cost is unknown",
    "takes_of_unknown_price": "takes that are not in `to_complete`: their price is unknown",
    "holds_not_seen": "takes, and submits that belong to no take, not in `held`: no answer said how much was set aside",
    "charges_not_seen": "takes, and submits that belong to no take, whose charge the ledger may still show",
    **{f"{name}_credits": words for name, words in _WENT_INTO.items()},
    **_SECONDS,
    "credits_per_usable_second": "`charged` per usable second; empty while a charge is not seen",
    "usd_per_usable_second": "the same in USD",
    "credits_per_second_in_cut": "`charged` per second in the cut; empty while a charge is not seen",
    "usd_per_second_in_cut": "the same in USD",
    "first_takes": "first takes that have ended; for a model, those that were sent to it first",
    "first_takes_good": "how many of these were made by their first submit",
    "first_take_yield": "the share of these, from 0 to 1",
    "submits_of_no_take": "submits of the batch that belong to no take; if no group fits them, they are in `(no take)`",
    "left_out_takes": "of `verified`, those from shots that are omitted or no longer in the manifest",
    "superseded_takes": "of `takes`, those that no longer count: replaced, or of a shot that is left out",
    "held_takes": "of `takes`, those that wait for you",
    "open_takes": "of `takes`, all others: to be sent, looked up or made",
    **{f"{name}_credits": words for name, words in _PLANNED.items()},
    **{f"{name}_usd": f"{words}, in USD" for name, words in _PLANNED.items()},
}
SPEND: Mapping[str, str] = {
    "at": "when it happened",
    "batch": "the batch",
    "take": "the take",
    "generation_id": "the provider's id",
    "event": "`submitted` or `charged`",
    "submitted_credits": "of a submit: what the provider set aside for it, or what it was expected to cost",
    "submitted_usd": "the same in USD",
    "charged_credits": "of a charge: what the ledger showed",
    "charged_usd": "the same in USD",
}
PRICES: Mapping[str, str] = {
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
    "held_low_credits": "the lowest amount set aside",
    "held_high_credits": "the highest amount set aside",
    "charged_low_credits": "the lowest charge seen",
    "charged_high_credits": "the highest charge seen",
    "drift_percent": "the newest charge (or amount set aside) compared with the first quote",
}
VARIANCE: Mapping[str, str] = {
    "batch": "the batch",
    "scene": "as in the manifest",
    "shot_id": "the shot; `(no take)` for submits that belong to no take",
    "reason": "`baseline` for the first confirmed plan, or else why the final cost differs: `retake`, `edit`, "
    "`new shot`, "
    "`shot left out`, `renamed` (the same under another id: adds nothing), `unpriced take`, `submit without a take`, "
    "`failed take` (it made no clip), `refused take` (the provider refused what it asks for), `failed try` (charged in "
    "addition to the clip of its take), `try without an answer` (it may be charged), `extra clip`, "
    "`fallback` (another model at another price), `take added`, `take dropped`, or `other price`",
    "earlier_shot_id": "the id in the first plan of a shot that was renamed, in its row `renamed`",
    "takes": "how many takes the row is about",
    "credits": "of the baseline, or else the variance: above 0 what was added, below 0 what was saved. "
    "All rows together add up to the final cost",
    "usd": "the same in USD",
    "takes_of_unknown_cost": "takes, and submits that belong to no take, that are not in `credits`",
}
