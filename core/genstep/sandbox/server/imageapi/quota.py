"""The limits of document 004: images by minute, day and month, item by item, and what ``/usage`` says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genstep.sandbox.server.state import Account, Window

SPANS = {"minute": 60.0, "day": 86_400.0, "month": 30 * 86_400.0}


@dataclass(frozen=True)
class Quota:
    """One account's windows; a month is 30 days. Speed divides them all."""

    account: Account
    speed: float

    def take(self, now: float) -> tuple[str, float] | None:
        """Count one image; or None counted, and the limit's name and the seconds until it opens again."""
        for name in SPANS:
            window = self._window(name)
            if window.left(now, self._limit(name)) == 0:
                return name, window.closes(now) - now
        for name in SPANS:
            self._window(name).take(now, self._limit(name))
        return None

    def give_back(self, now: float) -> None:
        """Count a failed generation out of day and month again; the minute stays used."""
        for name in ("day", "month"):
            self._window(name).give_back(now)

    def count(self, now: float, made: int) -> None:
        """Note `made` pictures for ``imageCount``."""
        for name in ("day", "month"):
            window = self.account.window(f"images {name}", self._seconds(name))
            for _ in range(made):
                window.take(now, 2**31)

    def usage(self, now: float) -> dict[str, Any]:
        """``data.usage`` of the document: requests and images, today and this month."""
        return {
            shown: {"requestCount": self._used(name, now), "imageCount": self._used(f"images {name}", now)}
            for shown, name in (("today", "day"), ("this_month", "month"))
        }

    def plan(self, now: float) -> dict[str, Any]:
        """``data.plan`` of the document: the plan's numbers, and what is left of them."""
        name = str(self.account.settings["plan"])
        return {
            "name": name,
            "slug": name.lower().replace(" ", "-"),
            "requests_per_month": self._limit("month"),
            "requests_per_day": self._limit("day"),
            "remaining_today": self._window("day").left(now, self._limit("day")),
            "remaining_month": self._window("month").left(now, self._limit("month")),
        }

    def _limit(self, name: str) -> int:
        return int(self.account.settings[f"per_{name}"])

    def _seconds(self, name: str) -> float:
        return SPANS[name] / self.speed

    def _window(self, name: str) -> Window:
        return self.account.window(name, self._seconds(name))

    def _used(self, name: str, now: float) -> int:
        window = self.account.window(name, self._seconds(name.removeprefix("images ")))
        return 2**31 - window.left(now, 2**31)
