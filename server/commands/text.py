"""Numbers for people."""


def size(n: int) -> str:
    """`1536` → `1.5 KiB`."""
    value, units = float(n), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "bytes" else f"{value:.1f} {units[0]}"
