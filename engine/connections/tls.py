"""What TLS clients trust: one answer for all of them."""

from __future__ import annotations

import functools
import ssl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Iterator


def client_context(*, verify: bool = True, ca: str | None = None) -> ssl.SSLContext:
    """Settings for the client's side of TLS.

    Args:
        verify: check the server's certificate and its name.
        ca: a PEM file on the controller with the authorities to trust; None for Mozilla's.

    Raises:
        ModuleFailed: there are no authorities in that file.
    """
    if not verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    with _named(ca):
        return ssl.create_default_context(cafile=ca or certifi.where())


def http_context(*, verify: bool = True, ca: str | None = None) -> ssl.SSLContext:
    """The same for HTTP clients, which share it: reading Mozilla's list takes 15 ms.

    Args:
        verify: as for `client_context`.
        ca: as for `client_context`.

    Raises:
        ModuleFailed: there are no authorities in that file.
    """
    if not verify:
        return client_context(verify=False)
    with _named(ca):
        return _shared(ca, Path(ca).stat().st_mtime_ns if ca else 0)


@functools.lru_cache(maxsize=16)
def _shared(ca: str | None, changed: int) -> ssl.SSLContext:  # noqa: ARG001  # a new file, a new one
    return client_context(ca=ca)


@contextmanager
def _named(ca: str | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # includes ssl.SSLError: no certificate in it
        raise ModuleFailed(f"CA file {ca}: {error.strerror or error}") from error
