"""What the provider publishes of its answers, as JSON Schemas in our own words."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

TEXT, NUMBER, WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}


def rows(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


def record(**fields: Any) -> dict[str, Any]:
    """Build an object with these fields and no other; a name that ends in _ may be missing."""
    return {
        "type": "object",
        "properties": {name.rstrip("_"): shape for name, shape in fields.items()},
        "required": [name for name in fields if not name.endswith("_")],
        "additionalProperties": False,
    }


def or_null(shape: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [shape, {"type": "null"}]}


MONEY = record(usd=NUMBER, credits=WHOLE)
ENVELOPE = record(message=TEXT, path=TEXT, requestId=TEXT, statusCode=WHOLE, timestamp=MOMENT)
VIDEO = record(url={"type": "string", "format": "uri"})


def generation(*, tells_usd: bool = False) -> dict[str, Any]:
    """Describe the answer to a submit or a poll; those of the Wan 2.7 models always tell USD beside credits."""
    usage = (
        record(credits_used=NUMBER, usd_spent=NUMBER) if tells_usd else record(credits_used=NUMBER, usd_spent_=NUMBER)
    )
    return record(
        id=TEXT,
        status={"enum": ["queued", "generating", "completed", "error"]},
        video_={"anyOf": [VIDEO, rows(VIDEO), {"type": "null"}]},
        error_=or_null(record(name=TEXT, message=TEXT)),
        meta_=or_null(record(usage=or_null(usage))),
    )


def generation_of(model: str) -> dict[str, Any]:
    """Return the answer to a submit of a model."""
    return generation(tells_usd="wan-2-7" in model)


GENERATION = generation()
LOGS = record(
    data=rows(
        record(
            created=MOMENT,
            status={"enum": ["succeeded", "failed"]},
            origin={"enum": ["api", "playground"]},
            model=TEXT,
            cost=MONEY,
            tokens=record(input=WHOLE, output=WHOLE, total=WHOLE),
            request_id=or_null(TEXT),
            inference_id=TEXT,
            client_request_id=or_null(TEXT),
        )
    ),
    pagination=record(limit=WHOLE, offset=WHOLE, total=WHOLE, has_more={"type": "boolean"}),
)
LEDGER = record(
    data=rows(
        record(
            created_at=MOMENT,
            direction={"enum": ["TOPUP", "CHARGE"]},
            type={"enum": ["PAYMENT", "BONUS", "REFUND", "ADJUSTMENT", "MODEL_USAGE", "CREDITS_EXPIRED", "INIT"]},
            amount=MONEY,
            model=or_null(TEXT),
            reference_id=or_null(TEXT),
        )
    ),
    pagination=record(next_cursor=or_null(TEXT), has_more={"type": "boolean"}),
)
BALANCE = record(current_balance=NUMBER, currency={"const": "USD"})
POSITIVE = {"type": "number", "exclusiveMinimum": 0}
DETAIL = record(
    user_id=NUMBER,
    email=TEXT,
    current_balance=NUMBER,
    currency={"const": "USD"},
    autotopup_settings=record(
        is_enabled={"type": "boolean"}, threshold=NUMBER, amount=NUMBER, currency={"const": "USD"}
    ),
)
SCOPES = ("chat", "responses", "image", "audio", "video", "embeddings", "speech", "ocr")
KEY = record(
    data=record(
        name_=or_null(TEXT),
        disabled={"type": "boolean"},
        prefix=TEXT,
        scopes_=or_null(rows({"enum": [f"model:{each}" for each in SCOPES]})),
        limit_=or_null(record(retention={"enum": ["no_reset", "day", "week", "month"]}, threshold=NUMBER)),
        created_at=MOMENT,
        updated_at=MOMENT,
        monthly_usage=NUMBER,
    )
)
ENDINGS = record(
    object={"const": "list"},
    generated_at=MOMENT,
    data=rows(
        record(
            id=TEXT,
            aliases=rows(TEXT),
            status={"enum": ["deprecated", "superseded", "withdrawn"]},
            deprecated_at=or_null(MOMENT),
            shutdown_at=or_null(MOMENT),
            replaced_by=or_null(TEXT),
            reason=or_null(TEXT),
        )
    ),
)
PRICING = {
    "anyOf": [
        record(
            kind={"const": "variants"},
            currency_={"const": "USD"},
            dimensions=rows(TEXT),
            variants=rows(record(when={"type": "object"}, price=POSITIVE, unit=TEXT, per=POSITIVE)),
        ),
        record(
            kind={"const": "fixed"},
            currency={"const": "USD"},
            units=rows(record(name=TEXT, measure=TEXT, price=POSITIVE, per=POSITIVE)),
        ),
        record(kind={"const": "variable"}, currency_={"const": "USD"}),
    ]
}
MODELS = record(
    object={"const": "list"},
    data=rows(
        record(
            id=TEXT,
            aliases=rows(TEXT),
            type=TEXT,
            info=record(name=TEXT, developer=TEXT, docsJson_=TEXT),
            tags=rows(TEXT),
            modalities_=record(input=rows(TEXT), output=rows(TEXT)),
            pricing_=PRICING,
        )
    ),
)
METRICS = record(
    window_seconds=WHOLE,
    generated_at=MOMENT,
    models=rows(
        record(
            alias=TEXT,
            endpoint=TEXT,
            metrics=record(duration_ms_=record(p50=NUMBER, p75=NUMBER, p90=NUMBER, p99=NUMBER)),
        )
    ),
)


def problems(shape: dict[str, Any], value: Any) -> list[str]:
    """Return what is wrong with a value."""
    return [error.message for error in Draft202012Validator(shape).iter_errors(value)]
