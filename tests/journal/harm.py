"""Every way that bytes can go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def flips(sound: bytes, step: int = 1) -> Iterator[bytes]:
    """The content with one bit of a byte flipped, byte after byte."""
    for offset in range(0, len(sound), step):
        flipped = bytearray(sound)
        flipped[offset] ^= 1 << offset % 8
        yield bytes(flipped)


def cuts(sound: bytes, step: int = 1) -> Iterator[bytes]:
    """The content cut short at every length."""
    for length in range(0, len(sound), step):
        yield sound[:length]


def differs(bad: bytes, sound: bytes) -> int:
    """The first offset at which they differ."""
    return next((n for n, (a, b) in enumerate(zip(bad, sound, strict=False)) if a != b), len(bad))
