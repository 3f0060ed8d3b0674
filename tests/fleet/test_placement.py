"""Where cameras go: nobody is moved without need, nothing is overfilled while there is room, nobody is forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.fleet.placement import USABLE, NodeLoad, estimate, placed, relieved, shares

COSTS = st.dictionaries(st.sampled_from([f"cam{i}" for i in range(12)]), st.floats(0.02, 3), max_size=12)
HOMES = st.dictionaries(st.sampled_from([f"cam{i}" for i in range(12)]), st.sampled_from("abcdx"), max_size=12)
NODES = st.dictionaries(st.sampled_from("abcd"), st.floats(1, 8), max_size=4)


@st.composite
def fleets(draw: st.DrawFn) -> tuple[dict[str, float], dict[str, str], dict[str, float]]:
    """Costs, homes (also of cameras and nodes that are gone) and nodes."""
    wanted, nodes = draw(COSTS), draw(NODES)
    return wanted, draw(HOMES), nodes


@given(fleets())
def test_cameras_stay_and_new_ones_fit(fleet: tuple[dict[str, float], dict[str, str], dict[str, float]]) -> None:
    wanted, homes, nodes = fleet
    result = placed(wanted, homes, nodes)
    stay = {camera: node for camera, node in homes.items() if camera in wanted and node in nodes}
    assert result.items() >= stay.items()
    assert set(result) <= set(wanted)
    assert set(result.values()) <= set(nodes)
    for node, cores in nodes.items():
        here = {camera for camera, home in result.items() if home == node}
        new = here - stay.keys()
        if new and len(here) > 1:
            assert sum(wanted[camera] for camera in here) <= cores * USABLE + 1e-9
    for camera in wanted.keys() - result.keys():
        for node, cores in nodes.items():
            load = NodeLoad(cores, {each: wanted[each] for each, home in result.items() if home == node})
            assert load.cameras
            assert load.room < wanted[camera]


@given(fleets())
def test_a_move_helps_and_overfills_nobody(fleet: tuple[dict[str, float], dict[str, str], dict[str, float]]) -> None:
    wanted, homes, nodes = fleet
    homes = placed(wanted, homes, nodes)
    move = relieved(wanted, homes, nodes)
    if move is None:
        return
    camera, target = move
    assert homes[camera] != target
    source_load = sum(wanted[each] for each, home in homes.items() if home == homes[camera])
    target_load = sum(wanted[each] for each, home in homes.items() if home == target)
    assert source_load > nodes[homes[camera]] * USABLE
    assert target_load + wanted[camera] <= nodes[target] * USABLE + 1e-9


def test_a_second_node_doubles_what_is_carried() -> None:
    wanted = {f"cam{i}": 0.2 for i in range(12)}
    one = placed(wanted, {}, {"a": 1.0})
    two = placed(wanted, one, {"a": 1.0, "b": 1.0})
    assert (len(one), len(two)) == (4, 8)


def test_costs_are_shared_by_frame_rate() -> None:
    assert shares(1.2, {"a": 10.0, "b": 20.0}) == {"a": 0.4, "b": 0.8}
    assert shares(1.0, {"a": 0.0}) == {}
    assert estimate({"a": 0.2, "b": 0.4}) == 0.30000000000000004
    assert estimate({}) > 0
