"""The service's list, read page by page: one request answers for many waiting jobs."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Collection, Mapping
from typing import TYPE_CHECKING, Any

from genstep.errors import ProviderUnavailable, RateLimited
from genstep.transport.pacing import PATIENCE

if TYPE_CHECKING:
    from genstep.clock import Clock
    from genstep.provider import Provider, State
    from genstep.transport import Transport

log = logging.getLogger("genstep")

#: entries before the oldest job that a page must reach before we stop turning pages, in seconds (clocks differ)
SLACK = 60.0
#: after so many rounds in a row that failed, the list is not read any more
FAILURES = 3


class Rounds:
    """The list of one account. ``usable`` is False where its service has none, or none that we can read."""

    def __init__(self, provider: Provider, transport: Transport, clock: Clock) -> None:
        self._provider = provider
        self._transport = transport
        self._clock = clock
        self._start: Any = None
        #: rounds in a row that failed
        self.failures = 0
        #: the last round was refused for its rate, as any other request would be
        self.limited = False
        self.usable = provider.listing is not None

    async def pages(self, jobs: Collection[str], due: int, since: float) -> AsyncGenerator[Mapping[str, State]]:
        """The states of ``jobs``, a page at a time, of a list that is read back to ``since`` (Unix seconds), or until
        it costs as much as half of asking for those that are ``due`` one by one.

        A list that cannot be read ends early; whoever misses a job in it asks about that job alone.
        """
        assert self._provider.listing is not None
        cursor, pages, most = self._start, 0, 3 + due // 2
        self.limited = False
        while jobs and pages < most:
            try:
                patience = self._clock.monotonic() + PATIENCE
                listing = await self._transport.run(self._provider.listing(cursor, jobs), deadline=patience)
            except RateLimited as error:
                log.info("%s: its list may not be read for a while (%s)", self._provider.slug, error)
                self.limited = True
                return
            except Exception as error:  # noqa: BLE001  (no list is needed to wait: the jobs are asked about one by one)
                self.failures += 1
                log.info("%s: its list could not be read (%s); asking job by job", self._provider.slug, error)
                # an outage passes; a list that may not be read, or reads otherwise than documented, is not asked again
                self.usable = isinstance(error, ProviderUnavailable) and self.failures < FAILURES
                return
            pages, cursor, self.failures = pages + 1, listing.next, 0
            if listing.start is not None:
                self._start = listing.start
            yield listing.states
            if cursor is None or (listing.oldest is not None and listing.oldest < since - SLACK + self._transport.skew):
                return
