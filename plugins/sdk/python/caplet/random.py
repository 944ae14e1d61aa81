"""Random numbers from the operating system's cryptographic generator, and the ids made of them.

Python's own `random` and `uuid` are seeded when the component is built, and so must not be used for
anything that has to be secret or unique.
"""

from . import host


def bytes(count: int) -> bytes:
    """`count` random bytes, at most 65 536; more ends the invocation."""
    return host.random.bytes(count)


def number() -> int:
    """A random number of 64 bits, every value as likely."""
    return host.random.number()


def id() -> str:
    """A new UUID of version 7 (RFC 9562): 36 characters that sort by the millisecond in which they
    were made, and that cannot be guessed."""
    high, low = host.random.number(), host.random.number()
    value = (host.clock.now_ms() & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (high & 0xFFF) << 64 | 0b10 << 62 | low & (1 << 62) - 1
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
