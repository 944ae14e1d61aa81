"""Time, in whole milliseconds. The host coarsens it on purpose."""

from . import host


def now_ms() -> int:
    """Unix time in milliseconds. May jump when the machine's clock is set."""
    return host.clock.now_ms()


def elapsed_ms() -> int:
    """Milliseconds since the invocation began. Never runs backwards."""
    return host.clock.elapsed_ms()


def remaining_ms() -> int:
    """Milliseconds left until the host ends the invocation."""
    return host.clock.remaining_ms()
