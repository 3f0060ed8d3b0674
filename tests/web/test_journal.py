"""What the journal tells the pages."""

from __future__ import annotations

from aipg_plugin.facade.journal import Journal


def test_a_change_to_off_or_to_nought_says_so() -> None:
    """The page showed "on → –"."""
    journal = Journal()
    journal.add("change", "page", path="enabled", before=True, after=False)
    journal.add("change", "page", path="hold_s", before=3, after=0)
    journal.add("state", "guard", text="x")
    off, nought, state = (entry.as_json() for entry in journal.since())
    assert off["after"] is False
    assert nought["after"] == 0
    assert state.keys() == {"seq", "t_s", "kind", "origin", "text"}
