"""For any settings: they survive the round trip, and one thing broken is one SettingsError that names it."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from aipg_plugin.credentials import Address, revealed
from aipg_plugin.errors import SettingsError
from aipg_plugin.settings import load, to_dict, validate
from tests.settings.strategies import JUNK, settings_dicts

Path_ = tuple[Any, ...]


@given(settings_dicts)
def test_round_trip(data: dict[str, Any]) -> None:
    settings = validate(data, environ={})
    written = to_dict(settings)
    assert validate(written, environ={}) == settings
    assert to_dict(validate(written, environ={})) == written


@given(settings_dicts)
def test_checking_changes_nothing_in_its_input(data: dict[str, Any]) -> None:
    before = copy.deepcopy(data)
    validate(data, environ={})
    assert data == before


@given(settings_dicts)
def test_yaml_says_the_same_as_the_dict(tmp_path_factory: Any, data: dict[str, Any]) -> None:
    settings = validate(data, environ={})
    out = io.StringIO()
    YAML().dump(revealed_in(to_dict(settings)), out)
    file = Path(tmp_path_factory.getbasetemp()) / "round.yaml"
    file.write_text(out.getvalue(), encoding="utf-8")
    assert load(file, environ={}).settings == settings


def revealed_in(node: Any) -> Any:
    """With every address as it is written in a file: YAML refuses to write an Address by accident."""
    if isinstance(node, dict):
        return {key: revealed_in(below) for key, below in node.items()}
    if isinstance(node, list):
        return [revealed_in(item) for item in node]
    return revealed(node).replace("${", "$${") if isinstance(node, Address) else node


def places(node: Any, path: Path_ = ()) -> Iterator[Path_]:
    if path:
        yield path
    if isinstance(node, dict):
        for key, below in node.items():
            yield from places(below, (*path, key))
    elif isinstance(node, list):
        for index, below in enumerate(node):
            yield from places(below, (*path, index))


def with_value(data: Any, path: Path_, value: Any) -> Any:
    data = copy.deepcopy(data)
    node = data
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return data


def refusal(check: Callable[[], object]) -> SettingsError | None:
    """The error `check` ends in; any other kind of exception fails the test."""
    try:
        check()
    except SettingsError as error:
        return error
    return None


@given(settings_dicts, st.data())
def test_one_wrong_value_is_named(data: dict[str, Any], draw: st.DataObject) -> None:
    written = to_dict(validate(data, environ={}))
    path = draw.draw(st.sampled_from(list(places(written))))
    with_error = with_value(written, path, object())  # no setting takes this
    error = refusal(lambda: validate(with_error, environ={}))
    assert error is not None
    assert dotted(path) in [problem.path for problem in error.problems]


@given(settings_dicts, st.data())
def test_one_unknown_key_is_named(data: dict[str, Any], draw: st.DataObject) -> None:
    written = to_dict(validate(data, environ={}))
    tables = [()] + [path for path in places(written) if isinstance(at(written, path), dict)
                     and path[-1] not in ("cameras", "streams")]
    path = (*draw.draw(st.sampled_from(tables)), "no_such_setting")
    error = refusal(lambda: validate(with_value(written, path, 1), environ={}))
    assert error is not None
    assert [(problem.path, problem.message) for problem in error.problems] == [(dotted(path), "unknown setting")]


def at(node: Any, path: Path_) -> Any:
    for key in path:
        node = node[key]
    return node


def dotted(path: Path_) -> str:
    return ".".join(str(part) for part in path)


@given(settings_dicts, st.data())
def test_junk_anywhere_is_taken_or_told(data: dict[str, Any], draw: st.DataObject) -> None:
    written = to_dict(validate(data, environ={}))
    path = draw.draw(st.sampled_from(list(places(written))))
    junk = draw.draw(st.sampled_from(JUNK))
    error = refusal(lambda: validate(with_value(written, path, junk), environ={}))
    if error is None:
        settings = validate(with_value(written, path, junk), environ={})
        assert validate(to_dict(settings), environ={}) == settings
    else:
        assert 0 < len(str(error)) < 5000


@given(st.recursive(st.one_of(*[st.just(junk) for junk in JUNK], st.text()),
                    lambda below: st.one_of(st.lists(below), st.dictionaries(
                        st.sampled_from(["cameras", "mqtt", "web", "a", "streams", "1", "privacy_guard", "", "x.y"]),
                        below)), max_leaves=20))
def test_any_tree_is_taken_or_told(tree: Any) -> None:
    error = refusal(lambda: validate(tree, environ={}))
    assert error is None or str(error)


@given(st.one_of(st.text(), st.binary(), st.text("ab:-[]{}&*!?|>'\"%@`#,\n\t 01~")))
def test_any_file_is_taken_or_told(tmp_path_factory: Any, text: str | bytes) -> None:
    file = Path(tmp_path_factory.getbasetemp()) / "any.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    error = refusal(lambda: load(file, environ={}))
    assert error is None or str(error)
