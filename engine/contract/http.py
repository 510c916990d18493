"""What the modules that speak HTTP share: whom they ask, how, and what can go wrong."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from msgspec import Meta, field

from engine.contract.arguments import Duration, HeaderName, HeaderValue, seconds
from engine.contract.clients import http_client
from engine.contract.module import Module
from engine.errors import DeadlineExceeded, DialRefused, ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from engine.contract.target import Target

HttpUrl = Annotated[
    str, Meta(pattern="^https?://", title="URL", examples=["http://localhost:8080/health"])
]


class HttpClient(Module, frozen=True, kw_only=True):
    """Base of modules that ask an HTTP server, on the host's own network."""

    url: HttpUrl
    headers: dict[HeaderName, HeaderValue] = field(default_factory=dict)
    max_time: Duration = "10s"
    verify: bool = True
    ca: str | None = None

    def __post_init__(self) -> None:
        """Refuse a URL without a host.

        Raises:
            ValueError: the arguments are wrong.
        """
        check_address(self.url)

    @contextmanager
    def client(self, target: Target, *, follow_redirects: bool = False) -> Iterator[httpx.Client]:
        """A client for at most `max_time`; what goes wrong with it is told in our words.

        Raises:
            DialRefused: there was no answer, or none that is HTTP.
            DeadlineExceeded: none in time.
            ModuleFailed: what was to be sent is no request, or `ca` holds no authority.
        """
        narrowed = target.within(seconds(self.max_time))
        with (
            told(self.url, narrowed.deadline.seconds),
            http_client(
                narrowed, verify=self.verify, ca=self.ca, follow_redirects=follow_redirects
            ) as client,
        ):
            yield client


@contextmanager
def told(url: str, within: float) -> Iterator[None]:
    """Tell what goes wrong with an HTTP client in our words.

    Args:
        url: that is asked.
        within: how many seconds there are.

    Raises:
        DialRefused: there was no answer, or none that is HTTP.
        DeadlineExceeded: none in time.
        ModuleFailed: what was to be sent is no request.
    """
    import httpx

    try:
        yield
    except (DeadlineExceeded, httpx.TimeoutException) as error:
        raise DeadlineExceeded(f"no answer within {within:g} s") from error
    except httpx.RequestError as error:
        raise DialRefused(str(error) or type(error).__name__) from error
    except httpx.InvalidURL as error:
        raise ModuleFailed(f"{url}: {error}") from error


def may_have_arrived(refused: DialRefused) -> bool:
    """Whether a request that came to nothing may have reached the server all the same."""
    import httpx

    cause = refused.__cause__
    return isinstance(cause, httpx.RequestError) and not isinstance(
        cause, httpx.ConnectError | httpx.UnsupportedProtocol | httpx.ProxyError
    )


def check_address(url: str) -> None:
    """Refuse a URL that leads nowhere.

    Raises:
        ValueError: it has no host, or its port is none.
    """
    address = urlsplit(url)
    if not address.hostname or address.port == 0:  # .port refuses what is no port
        raise ValueError(f"url: no host or port to connect to in {url!r}")


def read_body(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    """A response's body as it was sent, at most so many bytes, and whether there were more."""
    content = bytearray()
    for chunk in response.iter_raw():
        content += chunk
        if len(content) > limit:
            return bytes(content[:limit]), True
    return bytes(content), False
