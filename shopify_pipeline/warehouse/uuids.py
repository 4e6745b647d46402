"""Many time-ordered UUIDs at once, of the layout of `shopify_internal.uuid7()`."""

import os
import time

_VERSION = bytes(0x70 | (byte & 0x0F) for byte in range(256))
_VARIANT = bytes(0x80 | (byte & 0x3F) for byte in range(256))


def uuid7_texts(count: int) -> list[str]:
    """Return ascending UUIDs of version 7, 32 digits each: now in milliseconds, then random bits.

    For rows that are copied with rows that point to them, whose ids must be known before they are
    sent.
    """
    laid = bytearray(16 * count)
    for place, byte in enumerate(int(time.time() * 1000).to_bytes(6, "big")):
        laid[place::16] = bytes([byte]) * count
    for place in range(6, 16):
        laid[place::16] = os.urandom(count)
    laid[6::16] = laid[6::16].translate(_VERSION)
    laid[8::16] = laid[8::16].translate(_VARIANT)
    whole = laid.hex()
    return sorted(whole[first : first + 32] for first in range(0, len(whole), 32))
