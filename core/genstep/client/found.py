"""What a service made, as plain data: kept in the ledger only while a client in another process has to save it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from genstep.errors import from_dict
from genstep.provider import Completed, ItemFailure, Output


def plain(made: Completed) -> dict[str, Any]:
    """The outputs and failures as JSON can say them."""
    outputs = [
        {**asdict(output), "data": None if output.data is None else base64.b64encode(output.data).decode()}
        for output in made.outputs
    ]
    return {"outputs": outputs, "failures": [[one.item, one.error.to_dict()] for one in made.failures]}


def made(kept: Mapping[str, Any]) -> Completed:
    """The same, read back."""
    outputs = (
        Output(**{**output, "data": None if output["data"] is None else base64.b64decode(output["data"])})
        for output in kept["outputs"]
    )
    return Completed(tuple(outputs), tuple(ItemFailure(item, from_dict(error)) for item, error in kept["failures"]))
