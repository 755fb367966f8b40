"""Large and small amounts in few characters, the same way everywhere."""

from collections.abc import Mapping

_NAMES = {6: "million", 9: "billion", 12: "trillion"}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def in_words(n: float) -> str:
    """Write a count in the name that suits it, such as 6.74 billion, or else as a power of ten."""
    if abs(n) < 999_500:
        return f"{n:,.0f}" if abs(n) >= 99.95 or n == int(n) else f"{n:.3g}"
    for power, name in _NAMES.items():
        if float(f"{n / 10**power:.3g}") < 1000:
            return f"{n / 10**power:.3g} {name}"
    mantissa, exponent = f"{n:.2e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_RAISED)}"


def in_short(n: float) -> str:
    """Write a count in as few signs as can be, such as 6.74B."""
    for unit in ("", "k", "M", "B"):
        if float(f"{n:.3g}") < 1000:
            return f"{n:.3g}{unit}"
        n /= 1000
    return f"{n:,.3g}T"


def in_bytes(n: float) -> str:
    """Write a number of bytes in the unit that suits it, 1,000 by 1,000."""
    if n < 1000:
        return f"{n:,.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        n /= 1000
        if float(f"{n:.3g}") < 1000:
            return f"{n:.3g} {unit}"
    return f"{n / 1000:.3g} TB"


def in_flops(n: float) -> str:
    """Write operations, such as 131 billion FLOP."""
    return f"{in_words(n)} FLOP"


def in_rate(n: float) -> str:
    """Write operations a second, in the units of data sheets, such as 312 TFLOP/s."""
    for unit in ("FLOP/s", "kFLOP/s", "MFLOP/s", "GFLOP/s", "TFLOP/s", "PFLOP/s"):
        if float(f"{n:.4g}") < 1000:
            return f"{n:.4g} {unit}"
        n /= 1000
    return f"{n:,.0f} EFLOP/s"


def in_time(seconds: float) -> str:
    """Write a time in the unit that suits it, such as 20.8 days."""
    return _in_unit(seconds, _TIMES)


def in_energy(kwh: float) -> str:
    """Write an energy in the unit that suits it, such as 450 MWh."""
    return _in_unit(kwh, _ENERGIES)


def in_mass(kg: float) -> str:
    """Write a mass in the unit that suits it, such as 173 t."""
    return _in_unit(kg, _MASSES)


def _in_unit(amount: float, units: Mapping[str, float]) -> str:
    """Write an amount in the largest unit of which there is one, else in the smallest of all."""
    unit, size = next(
        (each for each in units.items() if amount >= each[1]), list(units.items())[-1]
    )
    count = amount / size
    return f"{count:,.0f} {unit}" if count >= 99.95 else f"{count:.3g} {unit}"


_TIMES = {
    "years": 365.25 * 86_400,
    "days": 86_400,
    "hours": 3600,
    "minutes": 60,
    "s": 1,
    "ms": 1e-3,
    "µs": 1e-6,
    "ns": 1e-9,
}
_ENERGIES = {"GWh": 1e6, "MWh": 1e3, "kWh": 1, "Wh": 1e-3, "J": 1e-3 / 3600, "mJ": 1e-6 / 3600}
_MASSES = {"t": 1e3, "kg": 1, "g": 1e-3, "mg": 1e-6, "µg": 1e-9}
