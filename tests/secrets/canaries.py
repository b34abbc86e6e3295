"""Secrets that nobody would mistake for a real one, and that would be found wherever they turned up."""

from __future__ import annotations

from dataclasses import dataclass

SLUGS = ("conceptviz", "nanobanana", "imaginelab", "aivisualstudio", "imageapi")
KEYS = {
    "conceptviz": "cvk_fake_canary_7Qm2Xw9LpT4vRz8KdN3s",
    # no prefix that would give it away, and letters that URLs and JSON write in another way
    "nanobanana": "fake+canary/Yb5Hq=Wc1Jt6%2FGx0Ue4/Mo",
    "imaginelab": "",
    "aivisualstudio": "avs_live_fake_canary_3Zk8Ve1NqB6yPw5Lc",
    "imageapi": "sk_fake_canary_9Tr4Jm7XsD2hFv6QgK1a",
}
USERNAME = "someone@example.com"
#: not ASCII, and quoted in every notation there is
PASSWORD = 'fäke "canary" pass/word+5Ru&8Ei=0Lk%41\\Zo'
WEBHOOK_SECRET = "whsec_fake_canary_2Cn7Wp4Gd9Sb"
#: refused by the services themselves
WRONG = {
    "conceptviz": "cvk_invalid_fake_canary_6Hx1",
    "nanobanana": "invalid_fake_canary_6Hx1Bv",
    "imaginelab": 'wrong fäke "canary" 6Hx1/Bv',
    "aivisualstudio": "avs_live_invalid_fake_canary_6Hx1",
    "imageapi": "sk_invalid_fake_canary_6Hx1",
}
#: the query of a link that leads to another origin
LINK_TOKEN = "fakelinkcanary4Jw8Ps"


@dataclass(frozen=True)
class Canaries:
    """The secrets of one service's account."""

    slug: str

    @property
    def main(self) -> str:
        return KEYS[self.slug] or PASSWORD

    @property
    def all(self) -> list[str]:
        """Every secret, and its two halves: half of a key in an error is too much of it."""
        whole = [self.main, WRONG[self.slug], WEBHOOK_SECRET]
        return [*whole, *(half for secret in whole for half in _halves(secret))]

    def environment(self) -> dict[str, str]:
        """The variables that set the account up."""
        prefix = f"GENSTEP_{self.slug.upper()}"
        if self.slug == "imaginelab":
            return {f"{prefix}_USERNAME": USERNAME, f"{prefix}_PASSWORD": PASSWORD}
        return {f"{prefix}_API_KEY": KEYS[self.slug]}


def _halves(secret: str) -> tuple[str, str]:
    return secret[: len(secret) // 2], secret[len(secret) // 2 :]
