from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.mqtt.publisher import Message, Outbox


def drain(outbox: Outbox) -> list[Message]:
    found = []
    while (message := outbox.take()) is not None:
        found.append(message)
    return found


def test_states_coalesce_and_go_first():
    outbox = Outbox()
    outbox.telemetry(Message("e", b"1"))
    assert outbox.state("a", b"1")
    assert outbox.state("a", b"2")
    assert not outbox.state("a", b"2")
    assert outbox.state("a", b"2", again=True)
    assert drain(outbox) == [Message("a", b"2", 1, True), Message("e", b"1")]
    assert outbox.known("a") == b"2"


def test_telemetry_drops_its_oldest_and_counts():
    outbox = Outbox(telemetry_limit=3)
    for n in range(5):
        outbox.telemetry(Message("e", bytes([n])))
    assert [m.payload for m in drain(outbox)] == [b"\2", b"\3", b"\4"]
    assert outbox.dropped == 2


def test_pictures_keep_the_newest_of_a_topic():
    outbox = Outbox()
    outbox.picture("p", b"old")
    outbox.picture("p", b"new")
    assert drain(outbox) == [Message("p", b"new")]


def test_everything_is_said_again_after_a_reconnect():
    outbox = Outbox()
    outbox.state("a", b"1")
    outbox.state("b", b"1")
    outbox.state("b", b"")
    drain(outbox)
    outbox.restate()
    assert {(m.topic, m.payload) for m in drain(outbox)} == {("a", b"1"), ("b", b"")}


def test_a_newer_state_wins_over_one_put_back():
    outbox = Outbox()
    outbox.state("a", b"1")
    old = outbox.take()
    outbox.state("a", b"2")
    outbox.put_back(old)
    assert [m.payload for m in drain(outbox)] == [b"2"]


def test_a_picture_put_back_is_forgotten_like_one_that_waits():
    outbox = Outbox()
    outbox.picture("p", b"clear")
    outbox.put_back(outbox.take())
    outbox.forget_pictures()
    assert not drain(outbox)
    outbox.picture("p", b"old")
    old = outbox.take()
    outbox.picture("p", b"new")
    outbox.put_back(old)
    assert drain(outbox) == [Message("p", b"new")]


def test_keep_only_clears_the_rest():
    outbox = Outbox()
    for topic in ("x/a", "x/b", "y/c"):
        outbox.state(topic, b"1")
    drain(outbox)
    assert outbox.keep_only("x/", {"x/a"}) == ["x/b"]
    assert drain(outbox) == [Message("x/b", b"", 1, True)]


STEP = st.tuples(st.sampled_from(["state", "telemetry", "take", "restate"]), st.sampled_from("abc"),
                 st.binary(max_size=2))


@given(st.lists(STEP, max_size=60))
def test_a_reader_of_retained_topics_always_ends_with_the_newest_state(steps):
    outbox, broker, wanted = Outbox(telemetry_limit=2), {}, {}
    for kind, topic, payload in steps:
        if kind == "state":
            outbox.state(topic, payload)
            wanted[topic] = payload
        elif kind == "telemetry":
            outbox.telemetry(Message("t", payload))
        elif kind == "restate":
            broker.clear()
            outbox.restate()
        elif (message := outbox.take()) is not None and message.retain:
            broker[message.topic] = message.payload
    for message in drain(outbox):
        if message.retain:
            broker[message.topic] = message.payload
    assert {t: p for t, p in broker.items() if p} == {t: p for t, p in wanted.items() if p}
