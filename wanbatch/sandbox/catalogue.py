"""The sandbox's public lists: models with their prices, models that are retired, and current generation times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wanbatch.sandbox.account import METRICS_WINDOW_S
from wanbatch.sandbox.books import iso
from wanbatch.sandbox.endings import ending_page, etag_of
from wanbatch.sandbox.openapi import openapi_of
from wanbatch.sandbox.prices import pricing_of
from wanbatch.sandbox.state import SandboxState

DOCS_ENDPOINT = "internal/video-generations/submit"
GENERATIONS = "/v2/video/generations"


class Catalogue:
    """What the provider publishes without a key."""

    def __init__(self, sandbox_state: SandboxState) -> None:
        self._sandbox_state = sandbox_state

    def routes(self) -> list[Route]:
        """Return the endpoints that need no key: models, their retirements, request schemas and measured times."""
        return [
            Route("/v1/models", self._open("models", self._models), methods=["GET"]),
            Route("/v1/models/deprecations", self._open("endings", self._endings), methods=["GET"]),
            Route("/docs-json", self._open("docs", self._docs), methods=["GET"]),
            Route("/models/metrics", self._open("metrics", self._metrics), methods=["GET"]),
        ]

    def _open(self, name: str, answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
        """Make the endpoint of one list; faults with its name apply to it."""

        async def endpoint(request: Request) -> Response:
            self._sandbox_state.counts[name] += 1
            fault = self._sandbox_state.faults.pick(name)
            instead = await self._sandbox_state.befall(request, fault)
            return instead if instead is not None else await self._sandbox_state.spoilt(request, fault, answer(request))

        return endpoint

    def _models(self, request: Request) -> Response:
        query = request.query_params
        wanted = set(",".join(query.getlist("id")).split(",")) - {""}
        sections = set(",".join(query.getlist("include")).split(","))
        with_pricing = bool(sections & {"pricing", "all"}) or query.get("details") in ("true", "1")
        rows = []
        for model in self._sandbox_state.account.models.values():
            if not model.is_served or (wanted and not wanted & {model.name, *model.aliases}):
                continue
            vendor = model.name.split("/")[0]
            docs = f"{request.base_url}docs-json?{urlencode({'model': model.name, 'endpoint': DOCS_ENDPOINT})}"
            info = {"name": model.name.split("/")[-1], "developer": vendor, "docsJson": docs}
            row: dict[str, Any] = {"id": model.name, "aliases": list(model.aliases), "type": f"{vendor}/video"}
            row["info"] = info
            if sections & {"modalities", "all"}:
                row["modalities"] = {"input": list(model.inputs), "output": ["video"]}
            rows.append({**row, "tags": [], **({"pricing": pricing_of(model)} if with_pricing else {})})
        return self._listed(request, rows, {})

    def _docs(self, request: Request) -> Response:
        """Answer with the OpenAPI file of one model."""
        model = self._sandbox_state.account.models.get(request.query_params.get("model", ""))
        if model is None:
            return self._sandbox_state.error(request, 404, "Model not found")
        return self._sandbox_state.json(openapi_of(model, GENERATIONS), 200, {})

    def _endings(self, request: Request) -> Response:
        query = request.query_params
        statuses = set(",".join(query.getlist("status")).split(","))
        account = self._sandbox_state.account
        rows = ending_page(account.models, account.opened_at, statuses, query.get("since", ""))
        return self._listed(request, rows, {"generated_at": iso(self._sandbox_state.now)})

    def _listed(self, request: Request, rows: list[dict[str, Any]], more: Mapping[str, Any]) -> Response:
        """Answer with a list, or say that it is unchanged."""
        etag = etag_of(rows)
        if etag in (each.strip() for each in request.headers.get("if-none-match", "").split(",")):
            return self._sandbox_state.dated(Response(status_code=304, headers={"etag": etag}))
        return self._sandbox_state.json({"object": "list", **more, "data": rows}, 200, {"etag": etag})

    def _metrics(self, request: Request) -> Response:
        query, now = request.query_params, self._sandbox_state.now
        strange = sorted(set(query) - {"aliases"})
        if strange:
            return self._sandbox_state.error(
                request, 400, f"Query validation error: Unrecognized key '{strange[0][:80]}'"
            )
        asked = query.getlist("aliases")
        rows = []
        for name, taken_s in self._sandbox_state.account.durations_s(now).items():
            if not asked or name in asked or name.split("/")[-1] in asked:
                shares = {f"p{each}": taken_s[(len(taken_s) - 1) * each // 100] * 1000 for each in (50, 75, 90, 99)}
                rows.append({"alias": name, "endpoint": GENERATIONS, "metrics": {"duration_ms": shares}})
        return self._sandbox_state.json({"window_seconds": METRICS_WINDOW_S, "generated_at": iso(now), "models": rows})
