"""The one table that says which state follows from which facts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aipg_plugin.states import State


class Age(StrEnum):
    """How old the evidence for a frame is."""

    FRESH = "fresh"
    OLD = "old"
    STALE = "stale"


STALE_AFTER_S = 1.0  # age of the evidence after which the whole picture is masked, …
_LONGEST_GAP_S = 1.2  # … and between two looks farther apart: who came in is not painted back over all of it


@dataclass(frozen=True)
class Facts:
    """All that the state depends on. `doubt` is why the picture or detector can't be trusted, "" if it can."""

    enabled: bool
    frames: bool
    doubt: str
    swept: bool
    age: Age


def age_of(age_s: float, period_s: float, gap_s: float = 0.0, lookahead_s: float = 0.0, *, short: bool = False) -> Age:
    """Class of an evidence age: fresh within 1.5 detector periods, stale after 1 s at any rate of looks.

    Two looks have to be within 2.5 periods of each other too (`gap_s`): a person who came and went in a longer gap was
    not seen. In one of over 1.2 s (and over 1.5 periods) anybody may have come in. Where the look-ahead
    should have brought a look after the frame and has not (`gap_s` inf), whoever came in since the last one may be
    clear: such evidence is stale at once. After looks that were `short` of time fresh evidence is old.
    """
    awaited = lookahead_s >= period_s
    if not age_s <= STALE_AFTER_S or (gap_s == float("inf") and awaited):
        return Age.STALE
    if gap_s == float("inf"):
        gap_s = 0.0  # a look after the frame could not have come yet
    if gap_s > max(_LONGEST_GAP_S, 1.5 * period_s):
        return Age.STALE
    fresh = age_s <= 1.5 * period_s + 0.05 and gap_s <= 2.5 * period_s and not short
    return Age.FRESH if fresh else Age.OLD


# Read from the top: the first row whose columns all match decides. None matches anything.
#        enabled  frames  doubtful swept  age        -> state           reason ("" = the doubt itself)
_TABLE: tuple[tuple[bool | None, bool | None, bool | None, bool | None, Age | None, State, str], ...] = (
    (False,   None,   None,   None,  None,       State.OFF,      "guard is off"),
    (None,    False,  None,   None,  None,       State.LOST,     "no frames from the source"),
    (None,    None,   True,   None,  None,       State.FAILSAFE, ""),
    (None,    None,   None,   False, None,       State.STARTING, "waiting for the first full sweep"),
    (None,    None,   None,   None,  Age.STALE,  State.FAILSAFE, "the detector is late"),
    (None,    None,   None,   None,  Age.OLD,    State.DEGRADED, "evidence is old"),
    (None,    None,   None,   None,  Age.FRESH,  State.GUARDING, "figures are masked"),
)


def under_load(state: State, reason: str, overload: str) -> tuple[State, str]:
    """State and reason to tell of a frame while the detector is overloaded (`overload`, "" if it is not).

    Masks are as good as looks allow, but looks and sweeps are rarer than they should be, whatever the frame's own say.
    """
    if overload and state in (State.GUARDING, State.DEGRADED):
        return State.DEGRADED, overload
    return state, reason


def decide(facts: Facts) -> tuple[State, str]:
    """State and reason for a frame. Total: every combination of facts has a row."""
    row = (facts.enabled, facts.frames, bool(facts.doubt), facts.swept, facts.age)
    for *columns, state, reason in _TABLE:
        if all(column is None or column == value for column, value in zip(columns, row, strict=True)):
            return state, reason or facts.doubt
    return State.FAILSAFE, "no rule matches"
