"""The API against its own OpenAPI document, with inputs made up from it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.web.house import House

pytestmark = pytest.mark.timeout(240)
LEFT_OUT = ("/api/trials", "/api/mqtt/test", "/api/session")  # these connect to addresses made up, or log out


def test_the_document_is_complete(house: House) -> None:
    document = house.get("openapi.json")
    assert document["openapi"] == "3.1.0"
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["x-role"] in ("open", "viewer", "admin")
        assert "200" in operation["responses"]


def test_made_up_requests_are_answered_or_refused(house: House) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    house.reset()
    document = house.get("openapi.json")
    document["paths"] = {path: item for path, item in document["paths"].items() if not path.startswith(LEFT_OUT)}
    schema = schemathesis.openapi.from_dict(document)
    headers = {"X-CSRF-Token": house.token}
    answered = 0

    for result in schema.get_all_operations():
        @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=result.ok().as_strategy())
        def ask(case: Any) -> None:
            nonlocal answered
            operation = case.operation
            reply = case.call(base_url=house.url.rstrip("/"), headers=headers, timeout=20)
            declared = {int(code) for code in operation.definition.raw["responses"]} | {404, 405}
            assert reply.status_code in declared, (case.method, case.path, reply.status_code, reply.text[:300])
            if reply.status_code >= 400:
                json.loads(reply.text)
            answered += 1

        ask()
    assert answered > 100
    assert house.call("GET", "api/state")[0] == 200, "still there"
    house.reset()


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'{"changes": 3}',
                                  b'{"changes": [{"path": 1, "value": 2}]}',
                                  b'{"changes": [{"path": "", "value": 2}]}', b'{"changes": [], "more": 1}',
                                  b'{"changes": NaN}', b"\xff\xfe", b'{"changes": ' + b"[" * 50_000])
def test_bodies_that_are_not_as_declared(house: House, body: bytes) -> None:
    import urllib.error
    import urllib.request

    request = urllib.request.Request(house.url + "api/changes", body, method="POST", headers={
        "Content-Type": "application/json", "X-CSRF-Token": house.token})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert refused.value.code == 400


@pytest.mark.parametrize("path", [
    "cameras", "cameras.lobby", "cameras.lobby.streams.1.source.url.x", "web", "nothing.at.all",
    "cameras.lobby.privacy_guard.prohibited_areas.7.status", "mqtt.port", "cameras..x"])
@pytest.mark.parametrize("value", [3, "x", [], {}, [[[]]], True])
def test_values_of_the_wrong_kind_are_refused(house: House, path: str, value: object) -> None:
    before = house.text
    status, _ = house.change(path, value)
    assert status in (200, 400, 422, 428)
    if status != 200:
        assert house.text == before
    house.reset()
