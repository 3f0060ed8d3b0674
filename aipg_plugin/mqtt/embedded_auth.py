"""Authentication of the embedded broker, one user name and password; amqtt loads this module by name."""

from __future__ import annotations

from dataclasses import dataclass

from amqtt.plugins.base import BaseAuthPlugin  # type: ignore[import-untyped]
from amqtt.session import Session  # type: ignore[import-untyped]

from aipg_plugin.mqtt.embedded import same


class OneUser(BaseAuthPlugin):  # type: ignore[misc]
    """Lets in who knows the configured user name and password."""

    async def authenticate(self, *, session: Session) -> bool | None:
        wanted_user = str(self._get_config_option("username", ""))
        wanted_password = str(self._get_config_option("password", ""))
        user, password = same(session.username or "", wanted_user), same(session.password or "", wanted_password)
        return user and password

    @dataclass
    class Config:
        """What the broker's configuration holds for this plugin."""

        username: str = ""
        password: str = ""
