"""The contract that every provider keeps, as a class of pytest tests; this package alone of genstep imports pytest.

pytest is no dependency of genstep: who tests a provider has it anyway, and nobody else loads this module.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

_PARTS = ("bench", "buying", "checks", "declared", "flows", "replies", "verbs")
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))

from genstep import plugins  # noqa: E402
from genstep.accounts import Account  # noqa: E402
from genstep.testing import samples  # noqa: E402
from genstep.testing.contract.bench import Bench  # noqa: E402
from genstep.testing.contract.buying import Buys  # noqa: E402
from genstep.testing.contract.checks import Checks  # noqa: E402
from genstep.testing.contract.declared import Declares  # noqa: E402
from genstep.testing.contract.flows import Flows  # noqa: E402
from genstep.testing.contract.replies import Answers  # noqa: E402
from genstep.testing.contract.verbs import Verbs  # noqa: E402

if TYPE_CHECKING:
    from genstep.provider import Provider

__all__ = ["ProviderContract"]


class ProviderContract(Declares, Checks, Flows, Answers, Verbs, Buys):
    """Subclass it as ``class TestMine(ProviderContract)`` and say what is tested; pytest does the rest.

    ``account``: an :class:`genstep.Account`, or a fixture of that name that gives one. ``provider``: its class, where
    no plug-in is installed (always, where ``account`` is a fixture). ``requests``: what is bought, as mappings of
    request fields; one for each declared kind if not said. ``replies``: the service as a list of canned replies (see
    :data:`genstep.testing.Replies`), in memory and in virtual time; without it the account's ``base_url`` is a test
    server on this machine, where every test buys something.
    """

    account: Any
    provider: ClassVar[type[Provider] | None] = None
    requests: ClassVar[Sequence[Mapping[str, Any]] | None] = None
    replies: ClassVar[Sequence[tuple[str, str, Any]] | None] = None

    @pytest.fixture
    def bench(self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
        """The provider at work, in an environment without the caller's own settings."""
        account = getattr(self, "account", None)
        if not isinstance(account, Account):
            account = request.getfixturevalue("account")
        kind = self._kind()
        for name in [name for name in os.environ if name.startswith("GENSTEP_") and name != "GENSTEP_HTTP"]:
            monkeypatch.delenv(name)
        monkeypatch.setitem(plugins.registry().found, kind.slug, kind)
        monkeypatch.setenv("GENSTEP_HOME", str(tmp_path / "home"))
        return Bench(account, kind, self.replies, tmp_path, monkeypatch)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give a test each request (``wanted``), the first of each kind (``buyable``), or for each kind that is
        declared the request that says no more than it must (``smallest``)."""
        kind = self._kind()
        wanted = list(self.requests or samples.requests(kind.capabilities))
        if inspect.iscoroutinefunction(kind.submit) and hasattr(metafunc.function, "needs_calls"):
            why = pytest.mark.skip(reason=f"{kind.slug} writes its verbs as coroutines, which yield no calls")
            metafunc.parametrize("wanted", [pytest.param({}, marks=why)], ids=["none"])
            return
        if "wanted" in metafunc.fixturenames:
            metafunc.parametrize("wanted", wanted, ids=[_id(number, one) for number, one in enumerate(wanted)])
        first = {one.get("kind", "image"): {"kind": "image", **one, "n": 1} for one in reversed(wanted)}
        least = samples.requests(kind.capabilities, first)
        for name, given in (("smallest", least), ("buyable", list(first.values()))):
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, given, ids=[one["kind"] for one in given])

    def _kind(self) -> type[Provider]:
        if self.provider is not None:
            return self.provider
        account = getattr(self, "account", None)
        if isinstance(account, Account):
            return plugins.load(account.provider)
        raise pytest.UsageError(f"{type(self).__name__}: say provider = the class that is tested")


def _id(number: int, request: Mapping[str, Any]) -> str:
    return f"{number}-{request.get('kind', 'image')}"
