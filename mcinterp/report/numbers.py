"""Numbers as a reader wants them: significant digits, true minus signs, intervals as wide as they deserve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

ABSENT = "–"


def is_absent(value: Any) -> bool:
    """Whether a table cell holds nothing: None, NaN or an empty text."""
    return value is None or value == "" or (isinstance(value, Real) and math.isnan(float(value)))


def number(value: Any, digits: int = 3) -> str:
    """A number with so many significant digits; whole numbers in full, absent ones as a dash."""
    if is_absent(value):
        return ABSENT
    if isinstance(value, Integral):
        return _signed(f"{int(value):,}")
    value = float(value)
    if math.isinf(value):
        return _signed("∞" if value > 0 else "-∞")
    if value == 0:
        return "0"
    magnitude = int(f"{value:.{digits - 1}e}".partition("e")[2])
    if magnitude < -4 or magnitude >= 6:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return _signed(f"{mantissa}e{int(exponent)}")
    return fixed(value, max(0, digits - 1 - magnitude))


def declared(value: Any) -> str:
    """A setting's value as one would write it: a number in decimals, `0.0001` and not `1e-4`."""
    if not isinstance(value, float) or not math.isfinite(value):
        return str(value)
    return _signed(np.format_float_positional(value, trim="-"))


def interval(value: Any, low: Any, high: Any) -> str:
    """A value and its interval; its half-width gets one digit, or two where the first is small (up to 3.5)."""
    if is_absent(value) or is_absent(low) or is_absent(high):
        return number(value)
    half = (float(high) - float(low)) / 2
    largest = max(abs(float(x)) for x in (value, low, high))
    if half <= 0 or not math.isfinite(largest) or half < 1e-5 or largest >= 1e6:
        return f"{number(value)} [{number(low)}, {number(high)}]"
    decimals = max(0, -math.floor(math.log10(half / 3.55)))
    return f"{fixed(value, decimals)} [{fixed(low, decimals)}, {fixed(high, decimals)}]"


def plural(count: int, noun: str) -> str:
    """`1 head`, `3 heads`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def of_them(count: int, total: int, noun: str) -> str:
    """`none of 3 heads`, `2 of 3 heads`, `all 3 heads`, `the one head`."""
    if count and count == total:
        return f"all {total:,} {noun}s" if total > 1 else f"the one {noun}"
    return f"{count or 'none'} of {plural(total, noun)}"


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def fixed(value: Any, decimals: int) -> str:
    """A number with so many decimals, and no sign where they are all 0."""
    text = f"{float(value):,.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else _signed(text)


def _signed(text: str) -> str:
    return text.replace("-", "−")
