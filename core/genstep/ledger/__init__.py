"""The durable record of requests, paid calls, results and spend."""

from genstep.ledger.place import Place, ledger_place
from genstep.ledger.records import CallRow, ItemRow, Opened, RequestRow, Settled, request_status
from genstep.ledger.store import Ledger
from genstep.ledger.waiting import LostClaim

__all__ = [
    "CallRow",
    "ItemRow",
    "Ledger",
    "LostClaim",
    "Opened",
    "Place",
    "RequestRow",
    "Settled",
    "ledger_place",
    "request_status",
]
