"""genstep: a generation step (image, video, 3D, voice, music, infographic, text) that you can trust with your money.

Everything public is loaded when it is first used, so that ``import genstep`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "client": ("AsyncClient", "Client", "generate",),
    "accounts": ("Account",),
    "models": (
        "Asset", "Balance", "Cost", "Estimate", "Generation", "GenerationRequest", "Health", "HistoryItem",
        "HttpOptions", "InputImage", "Job", "ModelInfo", "Webhook",
    ),
    "capabilities": ("Capabilities", "Field", "KindSpec",),
    "provider": (
        "Accepted", "Call", "Completed", "Delete", "Failed", "Get", "ItemFailure", "Listing", "Output", "Page", "Paid",
        "Patch", "Post", "Provider", "Rate", "Reply", "Running", "Timing",
    ),
    "plugins": ("hookimpl", "hookspec",),
    "errors": (
        "AssetError", "AuthenticationError", "BatchTooLarge", "BudgetExceeded", "ConfigurationError",
        "GenerationFailed", "GenstepError", "InsufficientCredits", "InvalidRequest", "NotFound", "NotSent",
        "PermissionDenied", "ProviderUnavailable", "RateLimited", "SubmissionUncertain", "UnreadableReply",
        "WaitTimeout", "WebhookRejected",
    ),
}  # fmt: skip
_WHERE = {name: module for module, names in _HOME.items() for name in names}
_MODULES = ("testing", "webhooks", "errors", "models", "sandbox")

if TYPE_CHECKING:
    import genstep.errors as errors
    import genstep.models as models
    import genstep.sandbox as sandbox
    import genstep.testing as testing
    import genstep.webhooks as webhooks
    from genstep.accounts import Account
    from genstep.capabilities import Capabilities, Field, KindSpec
    from genstep.client import AsyncClient, Client, generate
    from genstep.errors import (
        AssetError,
        AuthenticationError,
        BatchTooLarge,
        BudgetExceeded,
        ConfigurationError,
        GenerationFailed,
        GenstepError,
        InsufficientCredits,
        InvalidRequest,
        NotFound,
        NotSent,
        PermissionDenied,
        ProviderUnavailable,
        RateLimited,
        SubmissionUncertain,
        UnreadableReply,
        WaitTimeout,
        WebhookRejected,
    )
    from genstep.models import (
        Asset,
        Balance,
        Cost,
        Estimate,
        Generation,
        GenerationRequest,
        Health,
        HistoryItem,
        HttpOptions,
        InputImage,
        Job,
        ModelInfo,
        Webhook,
    )
    from genstep.plugins import hookimpl, hookspec
    from genstep.provider import (
        Accepted,
        Call,
        Completed,
        Delete,
        Failed,
        Get,
        ItemFailure,
        Listing,
        Output,
        Page,
        Paid,
        Patch,
        Post,
        Provider,
        Rate,
        Reply,
        Running,
        Timing,
    )

# One table says where every name lives; a test holds it against the imports above and this list, which is written out
# for type checkers.
__all__ = [
    "Accepted",
    "Account",
    "Asset",
    "AssetError",
    "AsyncClient",
    "AuthenticationError",
    "Balance",
    "BatchTooLarge",
    "BudgetExceeded",
    "Call",
    "Capabilities",
    "Client",
    "Completed",
    "ConfigurationError",
    "Cost",
    "Delete",
    "Estimate",
    "Failed",
    "Field",
    "Generation",
    "GenerationFailed",
    "GenerationRequest",
    "GenstepError",
    "Get",
    "Health",
    "HistoryItem",
    "HttpOptions",
    "InputImage",
    "InsufficientCredits",
    "InvalidRequest",
    "ItemFailure",
    "Job",
    "KindSpec",
    "Listing",
    "ModelInfo",
    "NotFound",
    "NotSent",
    "Output",
    "Page",
    "Paid",
    "Patch",
    "PermissionDenied",
    "Post",
    "Provider",
    "ProviderUnavailable",
    "Rate",
    "RateLimited",
    "Reply",
    "Running",
    "SubmissionUncertain",
    "Timing",
    "UnreadableReply",
    "WaitTimeout",
    "Webhook",
    "WebhookRejected",
    "generate",
    "hookimpl",
    "hookspec",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _WHERE:
        value = getattr(import_module(f"genstep.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"genstep.{name}")
    raise AttributeError(f"module 'genstep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE, *_MODULES})
