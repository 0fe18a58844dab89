"""The detector on curves whose drop has a closed form, and on the straight lines beside them."""

from __future__ import annotations

from mcinterp.studies.ghost_points.drops import drops


def test_ghosts_drop_where_the_closed_form_says_and_straight_lines_do_not() -> None:
    found = drops(3, 0)
    rows = found.table("drops")
    assert (rows["control_found"] == 0).all(), rows
    # Fast runs that are watched hardly past the optimum may show too little of what follows.
    seen = rows[(rows["watched"] >= 2) | (rows["relative"] < 0.5)]
    assert len(seen) == len(rows) - 1
    assert (seen["found"] == 1).all(), seen
    near = seen[seen["watched"] <= 4]
    assert (near[["start", "steepest", "end"]].abs() < 0.03).all().all(), near
    drawn = found.table("marks").set_index("curve")["found"]
    assert drawn["learned"]
    assert not drawn["without a ghost"]
