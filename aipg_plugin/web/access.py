"""Who may do what: host and origin checks, sessions, the token against forged requests, slowed log-in."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
import time
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from aipg_plugin.media.attempts import LoginAttempts
from aipg_plugin.options import Web
from aipg_plugin.passwords import hashed, matches
from aipg_plugin.settings.rules import is_loopback

COOKIE = "aipg_session"
TOKEN_HEADER = "X-CSRF-Token"
_LOCAL_NAMES = re.compile(r"(?i)[a-z0-9_-]+|[a-z0-9_.-]+\.(localhost|local|lan|home|internal|home\.arpa)")
_MOST_SESSIONS = 200
_IDLE_S = 12 * 3600.0
_FREE_ATTEMPTS = 5


@dataclass(frozen=True)
class User:
    """Who asks. `role` is viewer or admin."""

    name: str
    role: str

    def may(self, role: str) -> bool:
        """Whether this user may call a route of `role`."""
        return role in ("open", "viewer") or self.role == "admin"


class Access:
    """Decides for every request. Options are read anew each time: a changed password counts at once."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._sessions: OrderedDict[str, tuple[User, float, str]] = OrderedDict()
        self.attempts = LoginAttempts(burst=_FREE_ATTEMPTS)
        self._nobody = hashed(secrets.token_hex(16))  # verified when there is no such user, so that time tells nothing

    # -- where a request comes from --------------------------------------------------------------------------------

    def proxied(self, request: web.Request, options: Web) -> bool:
        """Whether a trusted proxy sent this request."""
        try:
            peer = ipaddress.ip_address(request.remote or "")
        except ValueError:
            return False
        return any(peer in ipaddress.ip_network(each, strict=False) for each in options.trusted_proxies)

    def host_of(self, request: web.Request, options: Web) -> str:
        """The host (and port) the browser used."""
        forwarded = request.headers.get("X-Forwarded-Host", "") if self.proxied(request, options) else ""
        return (forwarded.split(",")[0].strip() or request.host).lower()

    def host_allowed(self, request: web.Request, options: Web) -> bool:
        """Whether the name in the address line can be ours. A name that any DNS server may point here can not."""
        if self.proxied(request, options):
            return True
        name = _name_of(request.host)
        try:
            ipaddress.ip_address(name)
            return True
        except ValueError:
            pass
        own = {socket.gethostname().lower(), *(host.lower() for host in options.allowed_hosts)}
        return name in own or _LOCAL_NAMES.fullmatch(name) is not None

    def same_origin(self, request: web.Request, options: Web) -> bool:
        """Whether a page of ours sent this request, or no browser did."""
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        if site not in ("same-origin", "none"):
            return False
        origin = request.headers.get("Origin")
        return origin is None or urlsplit(origin).netloc.lower() == self.host_of(request, options)

    # -- who asks --------------------------------------------------------------------------------------------------

    def login_needed(self, options: Web) -> bool:
        """Whether users have to log in: always, but on loopback without any user configured."""
        return bool(options.username or options.users or options.user_header) or not is_loopback(options.host)

    def user(self, request: web.Request, options: Web) -> User | None:
        """Who asks; None when they have to log in first."""
        if options.user_header and self.proxied(request, options):
            name = request.headers.get(options.user_header, "")
            if name:
                return User(name[:100], next((user.role for user in options.users if user.name == name), "admin"))
        if not self.login_needed(options):
            strange = "X-Forwarded-For" in request.headers and not self.proxied(request, options)
            return None if strange else User("local", "admin")
        session = self._sessions.get(request.cookies.get(COOKIE, ""))
        if session is None:
            return None
        user, used_s, stamp = session
        if time.monotonic() - used_s > _IDLE_S or stamp != _stamp(options, user.name):
            self._sessions.pop(request.cookies[COOKIE], None)
            return None
        self._sessions[request.cookies[COOKIE]] = (user, time.monotonic(), stamp)
        return user

    def log_in(self, name: str, password: str, options: Web) -> tuple[User, str] | None:
        """The user and a new session's cookie value, if the password is right. Takes a tenth of a second."""
        known = {user.name: (user.password, user.role) for user in options.users}
        if options.username and options.password:
            known.setdefault(options.username, (options.password, "admin"))
        stored, role = known.get(name, (self._nobody, ""))
        if not matches(stored, password) or not role:
            return None
        user, token = User(name, role), secrets.token_urlsafe(32)
        self._sessions[token] = (user, time.monotonic(), _stamp(options, name))
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return user, token

    def log_out(self, request: web.Request) -> None:
        """End the session of a request."""
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)

    def token(self, request: web.Request) -> str:
        """The token that requests of this session have to carry to change something."""
        session = request.cookies.get(COOKIE, "") or "local"
        return hmac.new(self._secret, session.encode(), "sha256").hexdigest()

    def token_ok(self, request: web.Request) -> bool:
        """Whether a request carries its session's token."""
        given = request.headers.get(TOKEN_HEADER, "")
        return hmac.compare_digest(given.encode(), self.token(request).encode())


def _stamp(options: Web, name: str) -> str:
    """Changes when the user's password or role does, which ends the sessions made before."""
    own = [(user.name, user.password, user.role) for user in options.users if user.name == name]
    return hashlib.sha256(repr((own, options.username, options.password)).encode()).hexdigest()


def _name_of(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".").lower()
    except ValueError:
        return ""
