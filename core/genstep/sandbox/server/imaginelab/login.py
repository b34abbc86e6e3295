"""Logging in to document 002: the OAuth2 password form, tokens that expire, dedicated keys, the other auth routes."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

from genstep.sandbox.server.calls import Call, Route
from genstep.sandbox.server.messages import BadJson, Refusal, Response
from genstep.sandbox.server.state import Account, digest

if TYPE_CHECKING:
    from genstep.sandbox.server.imaginelab.service import ImagineLab

KEY_PREFIX = "ilab_key_"


class Logins:
    """The tokens that were issued, each with its account and the time it stops working.

    Any e-mail is an account: its first login, or sign-up, fixes the password. A password with "wrong" in it is wrong.
    The document does not show the form of dedicated keys; here they start with ``ilab_key_``.
    """

    def __init__(self, service: ImagineLab) -> None:
        self._service = service
        self._app = service.app
        self._tokens: dict[str, tuple[Account, float]] = {}
        # Ids go up from the time of the start, so that a restarted server does not hand out an old job's id again.
        self._next = int(self._app.clock.time()) % 1_700_000_000 + 1842

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/api/v1/auth/login", "login", self.login, auth=False),
            Route("POST", "/api/v1/auth/signup", "signup", self.signup, auth=False),
            Route("POST", "/api/v1/auth/forgot-password", "forgot-password", self.forgot, auth=False),
            Route("GET", "/api/v1/auth/me", "me", self.me),
        ]

    def next_id(self) -> str:
        """Return the next generation's id: a whole number, as text."""
        self._next += 1
        return str(self._next)

    def account(self, token: str | None) -> Account:
        """Return the account of a bearer token, or raise 401."""
        if token is None:
            raise refused(401, "Not authenticated")
        if token.startswith(KEY_PREFIX) and not any(word in token for word in ("invalid", "revoked", "disabled")):
            return self._service.open_account(token)
        issued = self._tokens.get(digest(token))
        if issued is None or self._app.clock.time() >= issued[1]:
            raise refused(401, "Could not validate credentials")
        return issued[0]

    def expire(self) -> int:
        """End every token that was issued; return how many there were."""
        count = len(self._tokens)
        self._tokens.clear()
        return count

    async def login(self, call: Call) -> Response:
        try:
            form = call.request.form
        except BadJson as wrong:
            raise refused(400, str(wrong)) from None
        name, password = form.get("username", ""), form.get("password", "")
        if not name or not password:
            raise refused(400, "username and password are required")
        account = self._service.app.state.find("imaginelab", name)
        given = digest(password)
        known = account.password if account else given
        if "@" not in name or "wrong" in password or not hmac.compare_digest(known or given, given):
            raise refused(401, "Incorrect email or password")
        call.account = account = self._service.open_account(name)
        account.password = given
        token = secrets.token_urlsafe(32)
        self._tokens[digest(token)] = account, self._app.clock.time() + self._app.token_seconds
        return Response.json({"access_token": token, "token_type": "bearer"})

    async def signup(self, call: Call) -> Response:
        name, password = self._credentials(call)
        if not password:
            raise refused(400, "email and password are required")
        if self._app.state.find("imaginelab", name) is not None:
            raise refused(400, "Email already registered")
        call.account = account = self._service.open_account(name)
        account.password = digest(password)
        return Response.json({"id": account.number, "email": name}, 201)

    async def forgot(self, call: Call) -> Response:
        self._credentials(call)
        return Response.json({})

    async def me(self, call: Call) -> Response:
        return Response.json({"id": call.customer.number, "email": call.customer.email})

    def _credentials(self, call: Call) -> tuple[str, str]:
        try:
            body = call.request.object()
        except BadJson as wrong:
            raise refused(400, str(wrong).capitalize()) from None
        name, password = body.get("email", body.get("username")), body.get("password", "")
        if not isinstance(name, str) or "@" not in name or not isinstance(password, str):
            raise refused(400, "email must be an e-mail address")
        return name, password


def refused(status: int, detail: str) -> Refusal:
    """An error as the document writes it: ``{detail}``."""
    return Refusal(Response.json({"detail": detail}, status))
