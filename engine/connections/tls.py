"""What TLS clients trust: one answer for all of them."""

from __future__ import annotations

import ssl

import certifi

from engine.errors import ModuleFailed


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
    try:
        return ssl.create_default_context(cafile=ca or certifi.where())
    except OSError as error:  # includes ssl.SSLError: no certificate in it
        raise ModuleFailed(f"CA file {ca}: {error.strerror or error}") from error
