"""Scenarios that broke a rule once: each is played each time.

`python -m tests.simulation --freeze SEED` writes one. They are frozen, so that they outlive the generator that drew them.
"""

# fmt: off
# ruff: noqa: F401

from __future__ import annotations

import errno
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from tests.simulation.disk import Crash, Fault, Outcome
from tests.simulation.line import Cut
from tests.simulation.scenario import Act, Scenario
from tests.simulation.wrongness import Clocks, Dial, Jump, Lies, Mess
from wanbatch.batch import Shot
from wanbatch.pacing import Rates
from wanbatch.proofs import OnUnknown
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions

FAILED_ONCE: Mapping[str, Scenario] = {
    "7310290 of generator 1": Scenario(seed=7310290, shots=(Shot(id='sh00', ordinal=0, request={'model': 'alibaba/wan-2-6-t2v', 'resolution': '720p', 'duration': 5, 'prompt': 'shot number 0'}), Shot(id='sh01', ordinal=1, request={'model': 'alibaba/wan2.1-t2v-turbo', 'resolution': '480P', 'prompt': 'the same prompt'}, takes=2), Shot(id='sh02', ordinal=2, request={'model': 'alibaba/wan2.1-t2v-turbo', 'resolution': '480P', 'prompt': 'shot number 2'}),), rates=Rates(submit_per_min=6.0, in_flight=1, downloads=2), quotes={'alibaba/wan2.1-t2v-turbo': 378000}, on_unknown=OnUnknown.RESUBMIT, options=SandboxOptions(seed=7310290, concurrency=2, log_lag_s=0.0, link_ttl_s=15.0), rules=(Rule(on='logs', do='delay', nth=(4,), code=503, retry_after='Sun, 01 Nov 2026 21:00:00 GMT', delay_s=200.0), Rule(on='clip', do='delay', probability=0.3, code=408, retry_after='7', message='bad token canary-key-5d41402abc4b2a76', delay_s=200.0), Rule(on='submit', do='drop_after', nth=(4, 6,), code=429, has_envelope=False, message='Content policy violation', delay_s=90.0), Rule(on='submit', do='fail', nth=(3, 6,), code=429, retry_after='7', message='bad token canary-key-5d41402abc4b2a76', delay_s=90.0), Rule(on='submit', do='truncate', nth=(1, 2, 5,), code=502, has_envelope=False, retry_after='7', message='it broke', delay_s=200.0), Rule(on='submit', do='no_body_id', nth=(4,), code=522, retry_after='100000', message='it broke', delay_s=1.0), Rule(on='ledger', do='bad_json', nth=(4,), code=401, retry_after='Sun, 01 Nov 2026 21:00:00 GMT', message='bad token canary-key-5d41402abc4b2a76', delay_s=1.0), Rule(on='submit', do='drop_after', nth=(3,)),), cuts=(Cut(on='submit', nth=4, do='refused'),), crashes=(Crash(step=23, outcome=Outcome.ROT, seed=2361167880), Crash(step=3, outcome=Outcome.SYNCED, seed=1166983585), None, Crash(step=29, seed=329445184),), late_s=20000.0),
    "7312433 of generator 1": Scenario(seed=7312433, shots=(Shot(id='sh00', ordinal=0, request={'model': 'alibaba/wan2.1-t2v-turbo', 'resolution': '480P', 'prompt': 'shot number 0'}, seed=7), Shot(id='sh01', ordinal=1, request={'model': 'alibaba/wan2.1-t2v-turbo', 'resolution': '480P', 'prompt': 'the same prompt'}), Shot(id='sh02', ordinal=2, request={'model': 'alibaba/wan2.1-t2v-turbo', 'resolution': '480P', 'prompt': 'shot number 2'}),), rates=Rates(in_flight=2, downloads=1, max_attempts=3), cap_credits=1134000, quotes={'alibaba/wan2.1-t2v-turbo': 189000, 'alibaba/wan-2-6-t2v': 525000}, grace=timedelta(seconds=7500.0), options=SandboxOptions(seed=7312433, log_lag_s=300.0, link_ttl_s=1.0), rules=(Rule(on='submit', do='fail_charged', nth=(1, 2, 3,), code=503, retry_after='-3', message='bad token canary-key-5d41402abc4b2a76', delay_s=90.0), Rule(on='logs', do='delay', probability=0.3, code=503, has_envelope=False, message='it broke'), Rule(on='submit', do='status_after', nth=(4,), code=429, has_envelope=False, retry_after='Sun, 01 Nov 2026 21:00:00 GMT', message='it broke', delay_s=200.0),), cuts=(Cut(on='clip', nth=3, do='lost'), Cut(on='submit', nth=5, do='twin'),), crashes=(None,), acts=(Act(run=1, do='roll back'), Act(run=1, do='edit back'), Act(run=0, do='drain', at=15),)),
}
"""By seed and version of the generator."""
