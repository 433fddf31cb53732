"""The bands of Hyperband: after how many iterations `early_terminate: {type: hyperband}` compares runs."""

KEYS = ("type", "min_iter", "max_iter", "s", "eta", "strict")
ETA = 3
"""Default of `eta`: at a band, the best 1/eta of the runs go on."""

MOST_BANDS = 100
LARGEST_BAND = 1e9


def bands_from(min_iter: float, eta: float) -> tuple[int, ...]:
    """min_iter, min_iter·eta, min_iter·eta², …, without their fractions."""
    bands: list[int] = []
    band = float(min_iter)
    while band < LARGEST_BAND and len(bands) < MOST_BANDS:
        bands.append(int(band))
        band *= eta
    return tuple(dict.fromkeys(bands))


def bands_to(max_iter: float, s: float, eta: float) -> tuple[int, ...]:
    """max_iter/eta, …, max_iter/eta^s, ascending, without their fractions."""
    bands: list[int] = []
    band = max_iter / eta
    while band >= 1 and len(bands) < min(s, MOST_BANDS):
        bands.append(int(band + 1e-9))
        band /= eta
    return tuple(dict.fromkeys(reversed(bands)))
