"""What Java makes of a double, where DuckDB's answer differs from it."""

from __future__ import annotations

import math
import struct
from decimal import Decimal


def java_double(number: float) -> str:
    """Write a double as Java does: 1.0E7 from ten million on and 9.99E-4 under a thousandth.

    >>> java_double(49000000.0), java_double(0.00012), java_double(0.001), java_double(float("inf"))
    ('4.9E7', '1.2E-4', '0.001', 'Infinity')
    """
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        plain = format(Decimal(repr(number)), "f")
        return plain if "." in plain else plain + ".0"
    sign, digits, exponent = Decimal(repr(number)).as_tuple()
    shown = "".join(map(str, digits)).rstrip("0") or "0"
    power = int(exponent) + len(digits) - 1
    return f"{'-' if sign else ''}{shown[0]}.{shown[1:] or '0'}E{power}"


def java_float(number: float) -> str:
    """Write a real as Java does, with the fewest digits that tell it from its neighbours."""
    import numpy

    return java_double(float(str(numpy.float32(number))))


def java_cbrt(number: float) -> float:
    """Return the cube root to the last bit as Java's `Math.cbrt`: by the steps of fdlibm's `s_cbrt.c`.

    >>> java_cbrt(27.0), java_cbrt(-10.0), java_cbrt(float("inf"))
    (3.0, -2.154434690031884, inf)
    """
    if number == 0 or not math.isfinite(number):
        return number
    value = abs(number)
    if value < 2.0**-1022:  # subnormal
        root = _of_high_word(_high_word(value * 2.0**54) // 3 + 696219795)
    else:
        root = _of_high_word(_high_word(value) // 3 + 715094163)
    ratio = root * root / value
    step = 19 / 35 + ratio * root
    root *= 5 / 14 + (45 / 28) / (step + 99 / 70 + (-864 / 1225) / step)
    root = _of_high_word(_high_word(root) + 1)  # 20 bits, and larger than the root
    ratio = value / (root * root)
    return math.copysign(root + root * ((ratio - root) / (root + root + ratio)), number)


def _high_word(number: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", number))[0] >> 32)


def _of_high_word(word: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", word << 32))[0])
