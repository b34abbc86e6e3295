"""From what a user typed to what is bought: checked requests, their fingerprints, and the paid calls that make them."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genstep.capabilities import check
from genstep.errors import InvalidRequest
from genstep.ledger import CallRow, Opened, RequestRow
from genstep.models import GenerationRequest

if TYPE_CHECKING:
    from genstep.accounts import Account
    from genstep.ledger.store import Plan
    from genstep.provider import Provider

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Order:
    """A checked request and the ledger row that stands for it."""

    request: GenerationRequest
    row: RequestRow
    #: what one item costs, where the service had to be asked
    each: float | None = None


def new_id() -> str:
    """A short id that sorts by time: 9 characters of milliseconds, 7 random ones."""
    number = (int(time.time() * 1000) << 35) | secrets.randbits(35)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(75, -5, -5))


def build(
    prompt_or_request: str | GenerationRequest | Mapping[str, Any], fields: Mapping[str, Any]
) -> GenerationRequest:
    """One request from a prompt, a request or a mapping, with ``fields`` on top."""
    if isinstance(prompt_or_request, GenerationRequest):
        return GenerationRequest(**{**prompt_or_request.given(), **fields}) if fields else prompt_or_request
    if isinstance(prompt_or_request, Mapping):
        return GenerationRequest(**{**{str(name): value for name, value in prompt_or_request.items()}, **fields})
    if not isinstance(prompt_or_request, str):
        raise InvalidRequest(
            f"prompt: a text, a GenerationRequest or a mapping of its fields, not {type(prompt_or_request).__name__}",
            field="prompt",
        )
    return GenerationRequest(prompt_or_request, **fields)


def prepare(request: GenerationRequest, provider: Provider) -> GenerationRequest:
    """The request as the provider will get it, or :class:`InvalidRequest`; nothing is sent."""
    spec = provider.capabilities.spec(request.kind, provider.slug)
    if request.model is None and "model" in spec.fields:
        chosen = provider.account.options.get("model")
        model = chosen.get(request.kind) if isinstance(chosen, Mapping) else chosen
        if model is not None:
            request = request.with_fields(model=model)
    if request.image is not None and "image" in spec.fields:
        from genstep.inputs import read_image

        request = request.with_fields(image=read_image(request.image, forms=spec.input_image, provider=provider.slug))
    return provider.prepare(check(request, provider.capabilities, provider.slug))


def order(
    request: GenerationRequest, account: Account, provider: Provider, base_url: str, *, key: str, now: float
) -> Order:
    """The ledger row of a prepared request. Equal fingerprints are the same purchase (rule 7 of the architecture)."""
    canonical = request.canonical()
    identity = [provider.slug, base_url, account.name, canonical, key]
    try:
        text = json.dumps(identity, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"options: only plain JSON values ({error})", field="options") from None
    kept = request.to_dict()
    image = canonical.get("image")
    row = RequestRow(
        id=new_id(),
        fingerprint=hashlib.sha256(text).hexdigest(),
        account=account.name,
        provider=provider.slug,
        base_url=base_url,
        kind=request.kind,
        model=request.model,
        prompt=request.prompt,
        request=json.dumps(kept, ensure_ascii=False),
        unit=provider.unit,
        created_at=now,
        resumable=image is None or (image == kept.get("image") and not image.startswith("sha256:")),
    )
    return Order(request, row)


def planner(
    provider: Provider, orders: Mapping[str, Order], limit: Callable[[GenerationRequest], int], owner: str, now: float
) -> Plan:
    """How to buy what is missing in as few paid calls as the service allows; ``orders`` by fingerprint."""

    def plan(opened: Sequence[Opened]) -> list[tuple[CallRow, list[tuple[str, int]]]]:
        groups: dict[Any, list[tuple[RequestRow, int, GenerationRequest]]] = {}
        for one in opened:
            items = orders[one.row.fingerprint].request.items()
            for number in one.missing:
                shared = provider.group(items[number]) if provider.submit_batch is not None else None
                group = ("own", one.row.id) if shared is None else ("shared", shared)
                groups.setdefault(group, []).append((one.row, number, items[number]))
        calls = []
        for members in groups.values():
            size = max(1, limit(members[0][2]))
            for start in range(0, len(members), size):
                part = members[start : start + size]
                first = part[0][0]
                each = orders[first.fingerprint].each
                call = call_row(provider, [request for _, _, request in part], first, owner, now, each)
                calls.append((call, [(row.id, number) for row, number, _ in part]))
        return calls

    return plan


def call_row(
    provider: Provider,
    requests: Sequence[GenerationRequest],
    row: RequestRow,
    owner: str,
    now: float,
    each: float | None = None,
) -> CallRow:
    """A new paid call in ``intent`` for some items that may share one; ``each`` is an asked price of one item."""
    price = provider.price(requests[0].with_fields(n=len(requests)))
    if price is None and each is not None:
        price = each * len(requests)
    return CallRow(
        id=new_id(),
        account=row.account,
        provider=row.provider,
        base_url=row.base_url,
        state="intent",
        owner=owner,
        epoch=1,
        created_at=now,
        updated_at=now,
        estimated=price,
    )
