"""Webhook deliveries: sign and verify them, and receive them into a client."""

from genstep.webhooks.app import Deliverable, receiver
from genstep.webhooks.signature import HEADER, MAX_BODY, WebhookEvent, sign, verify

__all__ = ["HEADER", "MAX_BODY", "Deliverable", "WebhookEvent", "receiver", "sign", "verify"]
