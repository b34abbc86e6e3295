"""The durable record of requests, paid calls, results and spend."""

from genstep.ledger.database import ledger_file
from genstep.ledger.records import CallRow, ItemRow, Opened, RequestRow, Settled, request_status
from genstep.ledger.store import Ledger, LostClaim

__all__ = [
    "CallRow",
    "ItemRow",
    "Ledger",
    "LostClaim",
    "Opened",
    "RequestRow",
    "Settled",
    "ledger_file",
    "request_status",
]
