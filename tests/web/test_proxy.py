"""The pages through a real nginx, under a path as docs/pages.md has it, and as in Home Assistant's ingress."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aipg_plugin.passwords import hashed
from tests import needs
from tests.servers import Process, free_port, listening, wait_for
from tests.web.conftest import desktop_page
from tests.web.house import House

INGRESS = "/api/hassio_ingress/abc"
NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr warn;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    {documented}
    location {ingress}/ {{  # what the Supervisor's ingress hands on: the user it has checked, and the path it strips
      proxy_pass http://127.0.0.1:{pages}/;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Ingress-Path {ingress};
      proxy_set_header X-Remote-User ingrid;
    }}
  }}
}}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, things: tuple[Path, Path]) -> Iterator[House]:
    """Pages that ask for a log-in, and trust the proxy on this machine."""
    users = (f", users: {{anna: {{password: '{hashed('the password of anna')}', role: admin}}}}"
             ", trusted_proxies: [127.0.0.1], user_header: X-Remote-User")
    running = House(tmp_path_factory.mktemp("house"), *things, web=users)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def proxy(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """nginx before the pages; the block of the documents, with our port in it."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    page = (needs.CHECKOUT / "docs" / "pages.md").read_text(encoding="utf-8")
    [documented] = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    documented = documented.replace("127.0.0.1:8097", f"127.0.0.1:{house.port}")
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, documented=documented, ingress=INGRESS, pages=house.port))
    with Process([needs.need("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(config)]) as nginx:
        wait_for(lambda: listening(port) or not nginx.running, 15, "nginx")
        assert nginx.running, nginx.output()
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    with desktop_page(chromium, 30_000) as opened:
        yield opened


def pictures_come(page: Any) -> None:
    """Guarded pictures over the WebSocket, drawn on the page."""
    page.wait_for_selector("canvas[data-frames]", timeout=60_000)
    first = int(page.locator("canvas[data-frames]").first.get_attribute("data-frames"))
    wait_for(lambda: int(page.locator("canvas[data-frames]").first.get_attribute("data-frames")) > first, 30, "another")


def test_under_a_path_of_a_proxy(page: Any, proxy: str, house: House) -> None:
    page.goto(f"{proxy}/guard/")
    page.fill("#user", "anna")
    page.fill("#password", "the password of anna")
    page.keyboard.press("Enter")
    page.wait_for_selector("#password", state="detached")
    pictures_come(page)
    switch = page.locator("[data-camera=yard] input[role=switch]")
    switch.click()
    page.wait_for_selector(".toast.ok")
    assert house.guard("yard").enabled, "a change goes through the proxy too"
    house.reset()


def test_in_home_assistants_ingress(page: Any, proxy: str) -> None:
    page.goto(f"{proxy}{INGRESS}/")
    page.wait_for_selector("main h1")
    pictures_come(page)
    assert page.evaluate(f"fetch('{INGRESS}/api/session').then(reply => reply.json())")["user"] == "ingrid"


def test_nobody_names_themselves_through_the_documented_proxy(page: Any, proxy: str) -> None:
    reply = page.request.get(f"{proxy}/guard/api/settings", headers={"X-Remote-User": "anna"})
    assert reply.status == 401
