"""The power of a water wheel."""

GRAVITY = 9.81


def power_kw(flow: float, height: float, efficiency: float = 0.6) -> float:
    """Return the power in kilowatts of *flow* cubic meters a second that fall *height* meters."""
    return flow * height * GRAVITY * efficiency
