"""Routes declared once: the handler, who may call it, what it takes and gives. OpenAPI is made from the same."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Json = dict[str, Any]
LARGEST_BODY_BYTES = 1_000_000


@dataclass(frozen=True)
class Route:
    """One operation. `role`: open (nobody need be logged in), viewer or admin. `body` and `query` are JSON schemas."""

    method: str
    path: str
    summary: str
    handler: Callable[[web.Request, Any], Awaitable[web.StreamResponse]]
    role: str = "viewer"
    body: Json | None = None
    query: dict[str, Json] = field(default_factory=dict)
    gives: str = "application/json"
    statuses: tuple[int, ...] = ()

    @property
    def id(self) -> str:
        """Operation id."""
        return self.handler.__name__.lstrip("_")


class BadRequestError(Exception):
    """A request that is not as declared; the text says how."""


def text(longest: int = 200, pattern: str | None = None) -> Json:
    """Schema of a short text."""
    return {"type": "string", "maxLength": longest, **({"pattern": pattern} if pattern else {})}


def table(required: tuple[str, ...] = (), /, **properties: Json) -> Json:
    """Schema of an object with no other keys."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def listed(items: Json, most: int = 200) -> Json:
    """Schema of a list."""
    return {"type": "array", "items": items, "maxItems": most}


_TYPES: dict[str, tuple[type, ...]] = {"object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,),
                                       "number": (int, float), "integer": (int,)}


def check(value: Any, schema: Json, where: str = "body") -> None:
    """Hold a value against the part of JSON Schema that routes use. Raises BadRequestError."""
    kind = schema.get("type")
    if kind is not None:
        fits = isinstance(value, _TYPES[kind]) and not (isinstance(value, bool) and kind in ("number", "integer"))
        if not fits:
            raise BadRequestError(f"{where} must be of type {kind}")
    if "enum" in schema and value not in schema["enum"]:
        raise BadRequestError(f"{where} must be one of {schema['enum']}")
    if isinstance(value, str) and len(value) > schema.get("maxLength", 10**7):
        raise BadRequestError(f"{where} is longer than {schema['maxLength']} characters")
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        raise BadRequestError(f"{where} must be in {schema.get('minimum')}–{schema.get('maximum')}")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**6):
            raise BadRequestError(f"{where} has {len(value)} items")
        for index, item in enumerate(value):
            check(item, schema.get("items", {}), f"{where}.{index}")
    if isinstance(value, dict) and "properties" in schema:
        missing = [name for name in schema["required"] if name not in value]
        unknown = [name for name in value if name not in schema["properties"]]
        if missing or unknown:
            raise BadRequestError(f"{where}: missing {missing}, unknown {unknown}")
        for name, item in value.items():
            check(item, schema["properties"][name], f"{where}.{name}")


async def body_of(request: web.Request, schema: Json) -> Json:
    """The JSON body of a request, as declared. Raises BadRequestError."""
    if request.content_type != "application/json":
        raise BadRequestError("the body must be application/json")
    try:
        raw = await request.content.read(LARGEST_BODY_BYTES + 1)
        while not request.content.at_eof() and len(raw) <= LARGEST_BODY_BYTES:
            raw += await request.content.read(LARGEST_BODY_BYTES + 1)
        if len(raw) > LARGEST_BODY_BYTES:
            raise BadRequestError("the body is too large")
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("the body is not JSON") from error
    check(value, schema)
    found: Json = value
    return found


def _refuse(word: str) -> None:
    raise ValueError(word)


def query_of(request: web.Request, schemas: dict[str, Json]) -> Json:
    """The query of a request as numbers and texts, as declared. Raises BadRequestError."""
    found: Json = {}
    for name, value in request.query.items():
        schema = schemas.get(name)
        if schema is None:
            raise BadRequestError(f"query {name} is unknown")
        try:
            parsed: Any = {"integer": int, "number": float}.get(schema["type"], str)(value)
        except ValueError as error:
            raise BadRequestError(f"query {name} must be of type {schema['type']}") from error
        check(parsed, schema, f"query {name}")
        found[name] = parsed
    return found


def openapi(routes: tuple[Route, ...], version: str) -> Json:
    """The OpenAPI 3.1 document of these routes."""
    paths: Json = {}
    for route in routes:
        names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
        parameters: list[Json] = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                                  for name in names]
        parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in route.query.items()]
        problem = {"description": "Refused", "content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/Problems"}}}}
        statuses = {400, 401, 403, 421, *route.statuses}
        operation: Json = {
            "operationId": route.id, "summary": route.summary, "parameters": parameters, "x-role": route.role,
            "responses": {"200": {"description": "Done", "content": {route.gives: {}}},
                          **{str(status): problem for status in sorted(statuses)}}}
        if route.body is not None:
            operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": route.body}}}
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    problems = {"type": "object", "properties": {
        "error": {"type": "string"},
        "problems": {"type": "array", "items": {"type": "object", "properties": {
            "path": {"type": "string"}, "message": {"type": "string"}, "cure": {"type": "string"}}}}}}
    return {"openapi": "3.1.0",
            "info": {"title": "AI Privacy Guard", "version": version,
                     "description": "State, settings and guarded pictures. State and pictures also come over the "
                                    "WebSocket /api/live. Requests that change something carry the token of "
                                    "GET /api/session in X-CSRF-Token."},
            "paths": paths, "components": {"schemas": {"Problems": problems}}}
