from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.errors import MqttError
from aipg_plugin.mqtt.topics import TopicAddress, Topics, slug

KEYS = ["guard", "snapshot", "masking_method", "sensitivity", "blur_intensity", "camera_height",
        "circumferential_mosaic", "area/3", "area/0"]
LEVEL = st.text(st.characters(blacklist_characters="/+#\0", blacklist_categories=("Cs",)), min_size=1).filter(
    lambda s: not s.startswith("$"))


def test_tree_is_as_designed():
    t = Topics("aipg")
    assert (t.available, t.status, t.stats, t.events, t.errors) == (
        "aipg/available", "aipg/status", "aipg/stats", "aipg/events", "aipg/errors")
    assert t.state("lobby", "1", "guard") == "aipg/lobby/1/guard/state"
    assert t.command("lobby", "1", "area/3") == "aipg/lobby/1/area/3/set"
    assert t.camera("lobby", "person") == "aipg/lobby/person"


@given(camera=LEVEL, stream=LEVEL, key=st.sampled_from(KEYS), prefix=st.sampled_from(["aipg", "site/7/aipg"]))
def test_a_command_topic_comes_back_as_its_address(camera, stream, key, prefix):
    t = Topics(prefix)
    assert t.parse_command(t.command(camera, stream, key)) == TopicAddress(camera, stream, key)


@given(st.text())
def test_other_topics_are_nobodys(text):
    assert Topics("aipg").parse_command(text) is None


@pytest.mark.parametrize("topic", [
    "aipg/lobby/1/guard/state", "aipg/lobby/1/area/set", "aipg/lobby/1/area/x/set", "aipg/lobby/1/area/03/set",
    "aipg/lobby/1/area/-1/set", "aipg//1/guard/set", "aipg/lobby//guard/set", "aipg/lobby/1//set", "aipg/lobby/set",
    "aipgx/lobby/1/guard/set", "aipg/lobby/1/area/3/x/set", "aipg/lobby/1/guard/set/set", "aipg/set", "aipg/reload",
])
def test_near_misses_are_nobodys(topic):
    assert Topics("aipg").parse_command(topic) is None


@pytest.mark.parametrize("bad", ["", "a/b", "a+", "#", "a\0b", "$SYS"])
def test_ids_that_cannot_be_topics_are_refused(bad):
    with pytest.raises(MqttError, match="MQTT topic"):
        Topics().state(bad, "1", "guard")
    with pytest.raises(MqttError):
        Topics(prefix=f"aipg/{bad}" if bad != "a/b" else "aipg//b")


@given(st.text(min_size=1))
def test_slugs_are_safe_and_plain_ones_stay(a):
    assert set(slug(a)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
    if a.isascii() and a.isalnum():
        assert slug(a) == a
