from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import field

from engine.contract import Bytes, Duration, Meta, Pattern, Port, Probe


class Look(Probe[None], frozen=True, kw_only=True):
    """Look at something. It only reads.

    Args:
        url: where to look.
        port: the TCP port,
            of the service.
    """

    url: Annotated[str, Meta(pattern="^https?://", title="URL", examples=["http://localhost"])]
    port: Port = 80
    method: Literal["GET", "HEAD"] = "GET"
    matches: Pattern | None = None
    max_time: Duration = "10s"
    memory: Bytes = "1g"
    status: int | list[int] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    verify_tls: bool = True
    words: tuple[str, ...] = ()
    data: Any = None

    def __post_init__(self) -> None:
        """Refuse a port that nobody listens on."""
        if self.port == 9:
            raise ValueError("port 9 discards everything")


EXAMPLE = """
name: Look at it
look: {url: "http://localhost:8080/"}
"""
