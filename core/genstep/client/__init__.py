"""The verbs: ``AsyncClient``, ``Client`` (the same on a private event-loop thread), and ``generate`` for one-liners."""

from genstep.client.blocking import Client, generate
from genstep.client.verbs import AsyncClient

__all__ = ["AsyncClient", "Client", "generate"]
