"""The first part of the contract: what the class says of itself is whole, and agrees with what it has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from genstep.accounts import Account, check_account
from genstep.capabilities import Capabilities, Field
from genstep.errors import ConfigurationError
from genstep.models import GenerationRequest
from genstep.provider import Provider

if TYPE_CHECKING:
    from genstep.testing.contract.bench import Bench

#: what ``capabilities`` says, and the verbs that it stands for
VERBS = {
    "history": ("history",),
    "models": ("models",),
    "balance": ("balance",),
    "health": ("health",),
    "cancel": ("cancel",),
    "delete": ("delete",),
    "enhance": ("enhance",),
    "build_prompt": ("build_prompt",),
    "webhooks": ("list_webhooks", "create_webhook", "update_webhook", "delete_webhook"),
}


class Declares:
    """Needs nothing but the class and an account."""

    def test_it_has_a_slug_and_kinds(self, bench: Bench) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", bench.kind.slug), "a slug is lower case, as in environment variables"
        assert bench.account.provider == bench.kind.slug
        assert isinstance(bench.kind.capabilities, Capabilities)
        assert bench.kind.capabilities.kinds, "it makes nothing"
        assert bench.kind.unit, "costs are counted in something"

    def test_every_declared_field_is_one_that_a_request_has(self, bench: Bench) -> None:
        there = set(GenerationRequest.model_fields) - {"kind", "prompt", "n", "options"}
        for kind, spec in bench.kind.capabilities.kinds.items():
            assert set(spec.fields) <= there, f"{kind}: put what a request has no word for into options"
            assert spec.batch >= 1
            assert spec.input_image <= {"url", "data"}
            assert spec.input_image or "image" not in spec.fields

    def test_every_field_agrees_with_itself(self, bench: Bench) -> None:
        for kind, spec in bench.kind.capabilities.kinds.items():
            named = {**spec.fields, **(spec.options or {}), **({"prompt": spec.prompt} if spec.prompt else {})}
            for name, field in named.items():
                _agrees(f"{kind}.{name}", field)
        for name, field in bench.kind.account_options.items():
            _agrees(f"account option {name}", field)

    def test_its_address_is_whole(self, bench: Bench) -> None:
        base, path = bench.kind.base_url, bench.kind.base_path
        assert not path or re.fullmatch(r"(/[\w.~-]+)+", path), "base_path begins with a slash and ends without one"
        if base is not None:
            assert re.fullmatch(r"https://[\w.-]+(:\d+)?(/[\w.~-]+)*", base), "base_url: https, and no slash at the end"
            assert base.endswith(path), "base_url ends in base_path, which is added to an account's own host"

    def test_an_account_without_its_secrets_is_refused_with_what_it_needs(self, bench: Bench) -> None:
        assert bench.kind.auth in ("key", "login", "none")
        check_account(bench.account, bench.kind)
        bare = Account(provider=bench.kind.slug, base_url=bench.account.base_url)
        if bench.kind.auth == "none":
            check_account(bare, bench.kind)
            return
        with pytest.raises(ConfigurationError, match=f"GENSTEP_{bench.kind.slug.upper()}_"):
            check_account(bare, bench.kind)
        if bench.kind.key_prefix:
            odd = Account(provider=bench.kind.slug, base_url=bench.account.base_url, api_key="zz-fake-key")
            with pytest.raises(ConfigurationError, match=re.escape(bench.kind.key_prefix)):
                check_account(odd, bench.kind)

    def test_an_option_that_it_does_not_take_is_refused(self, bench: Bench) -> None:
        known = bench.account.model_copy(update={"options": {**bench.account.options, "no_such_option": 1}})
        with pytest.raises(ConfigurationError, match="no_such_option"):
            check_account(known, bench.kind)

    def test_it_declares_the_verbs_that_it_has_and_no_others(self, bench: Bench) -> None:
        for capability, verbs in VERBS.items():
            declared = bool(getattr(bench.kind.capabilities, capability))
            for verb in verbs:
                assert _has(bench.kind, verb) == declared, (
                    f"{verb} is there, but {capability} is not declared"
                    if not declared
                    else f"{capability} is declared, but {verb} is missing"
                )

    def test_it_has_the_verbs_that_its_shape_needs(self, bench: Bench) -> None:
        assert _has(bench.kind, "submit"), "submit is missing: the paid verb"
        blocking = bench.kind.capabilities.blocking
        assert _has(bench.kind, "poll") != blocking, (
            "blocking says that the paid call is the wait; else there is a poll"
        )
        if bench.kind.auth == "login":
            assert _has(bench.kind, "login"), "auth is login, but login is missing"
        if bench.kind.submit_batch is not None:
            assert _has(bench.kind, "group"), "submit_batch is never used without a group"


def _has(kind: type[Provider], verb: str) -> bool:
    found: Any = getattr(kind, verb)
    return found is not None and found is not getattr(Provider, verb)


def _agrees(name: str, field: Field) -> None:
    assert field.default is None or field.problem(field.default) is None, f"{name}: its own default is refused"
    for value in field.values:
        assert field.problem(value) is None, f"{name}: {value!r} is among its values, and refused"
    if field.minimum is not None and field.maximum is not None:
        assert field.minimum <= field.maximum, f"{name}: the least is more than the most"
    if field.max_length is not None:
        assert (field.min_length or 0) <= field.max_length, f"{name}: the shortest is longer than the longest"
    assert field.allowed(), f"{name}: a refusal could not say what is allowed"
