"""Say which share of the package's branches the tests took, and fail under nine tenths: coverage json -o - | this."""

from __future__ import annotations

import json
import sys

LEAST = 90.0

if __name__ == "__main__":
    totals = json.load(sys.stdin)["totals"]
    taken, there = totals["covered_branches"], totals["num_branches"]
    share = 100 * taken / there
    print(f"branches: {taken:,} of {there:,} taken, {share:.1f} %")
    sys.exit(f"fewer than {LEAST:.0f} %" if share < LEAST else 0)
