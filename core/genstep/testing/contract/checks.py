"""The second part of the contract: what is declared is taken, and all else is refused by its name, before it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from genstep.capabilities import check
from genstep.client import AsyncClient, orders
from genstep.errors import InvalidRequest
from genstep.models import GenerationRequest
from genstep.testing import samples

if TYPE_CHECKING:
    from genstep.testing.contract.bench import Bench


class Checks:
    """Sends nothing, and shows that nothing is sent."""

    def test_a_request_takes_every_value_that_is_declared(self, bench: Bench, smallest: Mapping[str, Any]) -> None:
        declared, slug = bench.kind.capabilities, bench.kind.slug
        spec = declared.kinds[smallest["kind"]]
        bench.prepared(smallest)
        for name, field in spec.fields.items():
            values = [samples.picture(spec)] if name == "image" else samples.allowed(field)
            for value in values:
                request = {**smallest, name: value}
                check(orders.build(request, {}), declared, slug)
                # what goes into no request of this service is refused by name here, and nowhere later
                with suppress(InvalidRequest):
                    bench.prepared(request)
        for name, option in (spec.options or {}).items():
            for value in samples.allowed(option):
                options = {**smallest.get("options", {}), name: value}
                check(orders.build({**smallest, "options": options}, {}), declared, slug)

    def test_defaults_are_filled_in(self, bench: Bench, smallest: Mapping[str, Any]) -> None:
        spec = bench.kind.capabilities.kinds[smallest["kind"]]
        filled = check(orders.build(smallest, {}), bench.kind.capabilities, bench.kind.slug)
        for name, field in spec.fields.items():
            if name not in smallest and field.default is not None:
                assert getattr(filled, name) == field.default
        for name, option in (spec.options or {}).items():
            if option.default is not None:
                assert filled.options[name] == smallest.get("options", {}).get(name, option.default)

    def test_everything_else_is_refused_by_name_and_nothing_is_bought(
        self, bench: Bench, smallest: Mapping[str, Any]
    ) -> None:
        async def work(client: AsyncClient) -> None:
            for name, request in _impossible(bench, smallest):
                with pytest.raises(InvalidRequest) as refusal:
                    await client.generate(request)
                said = f"{ {key: request[key] for key in request if key != 'image'} }"[:200]
                assert refusal.value.field == name, f"{said} was refused for {refusal.value.field}: {refusal.value}"
                assert "\n" not in str(refusal.value)

        bench.run(work)
        assert bench.purchases == 0

    def test_a_kind_that_it_does_not_make_is_refused(self, bench: Bench) -> None:
        with pytest.raises(InvalidRequest, match=bench.kind.slug) as refusal:
            bench.prepared({"kind": "hologram", "prompt": samples.PROMPT})
        assert refusal.value.field == "kind"


def _impossible(bench: Bench, smallest: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Requests that cannot be made, each with the field that is to blame."""
    spec = bench.kind.capabilities.kinds[smallest["kind"]]
    for name, field in spec.fields.items():
        for value in samples.refused(field) if name != "image" else []:
            yield name, {**smallest, name: value}
        if field.required and field.default is None and name not in bench.account.options:
            yield name, {key: value for key, value in smallest.items() if key != name}
    for name in set(GenerationRequest.model_fields) - {"kind", "prompt", "n", "options", *spec.fields}:
        yield name, {**smallest, name: samples.picture(spec) if name == "image" else samples.ANY[name]}
    if "image" in spec.fields:
        yield "image", {**smallest, "image": b"no picture at all"}
    options = smallest.get("options", {})
    if spec.options is not None:
        yield "options.no_such_option", {**smallest, "options": {**options, "no_such_option": 1}}
        for name, option in spec.options.items():
            for value in samples.refused(option):
                yield f"options.{name}", {**smallest, "options": {**options, name: value}}
    yield "n", {**smallest, "n": 0}
    yield from _prompts(bench, smallest)


def _prompts(bench: Bench, smallest: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    prompt = bench.kind.capabilities.kinds[smallest["kind"]].prompt
    if prompt is None:
        yield "prompt", {**smallest, "prompt": samples.PROMPT}
        return
    if prompt.required:
        yield "prompt", {**smallest, "prompt": ""}
        yield "prompt", {**smallest, "prompt": " \n"}
    if prompt.max_length is not None:
        yield "prompt", {**smallest, "prompt": "x" * (prompt.max_length + 1)}
