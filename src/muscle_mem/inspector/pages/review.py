"""What waits for a person: approvals, arguments on probation, quarantines."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ..._core.plan.flows import PROBATION
from ..._core.plan.trust import is_pending, trust_level
from ..._reading.flows import Learned, leaf_name, learned_of
from ..._reading.loading import holds_flows
from ...store import QUARANTINED, RETIRED, Stored
from ..numbers import sequence_number
from ..web import inspector_of

PAGE = 50
MOST_READ = 1_000
MOST_KEYS = 100
"""For how many keys with several recordings a page derives what they have in common."""


class Waiting(msgspec.Struct):
    """What waits, by what a person has to do."""

    imported: list[Stored] = msgspec.field(default_factory=list)
    quarantined: list[Stored] = msgspec.field(default_factory=list)
    unreviewed: list[Stored] = msgspec.field(default_factory=list)
    probation: list[tuple[Learned, list[tuple[str, object]]]] = msgspec.field(default_factory=list)

    def add(self, stored: Stored) -> None:
        """Add a trajectory to what it waits for."""
        standing = stored.standing
        if standing.state == QUARANTINED:
            (self.imported if is_pending(standing) else self.quarantined).append(stored)
        elif standing.state != RETIRED and trust_level(standing) < 2 and not holds_flows(stored):
            self.unreviewed.append(stored)

    @property
    def total(self) -> int:
        """Return how much waits, without what engines replay unreviewed."""
        return len(self.imported) + len(self.quarantined) + len(self.probation)


def review(request: Request) -> Response:
    """List what waits for approval among some of the trajectories, the newest first."""
    inspector = inspector_of(request)
    after = next_after = sequence_number(request.query_params.get("after", ""))
    waiting, keys, read = Waiting(), dict[bytes, int](), 0
    while read < MOST_READ:
        page = inspector.store.scan(after=next_after, limit=PAGE)
        next_after = page.stored[-1].seq if page.stored else None
        if next_after is None:
            break
        for one in page.stored:
            read += 1
            waiting.add(msgspec.structs.replace(one, observations=()))  # They may hold megabytes of pictures.
            keys[one.sealed.key] = keys.get(one.sealed.key, 0) + 1
    for key in [key for key, number in keys.items() if number > 1][:MOST_KEYS]:
        for learned in learned_of(inspector.store, key):
            on_probation = [(leaf_name(flow), flow) for flow in learned.shown() if flow.status == PROBATION]
            if on_probation:
                waiting.probation.append((learned, list(on_probation)))
    return inspector.page(request, "review", waiting=waiting, read=read, after=after, next_after=next_after)
