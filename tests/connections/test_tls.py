from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

import certifi
import pytest

from engine.connections.tls import client_context, http_context
from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from pathlib import Path


def test_authorities_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("none.pem", "empty.pem"):
        with pytest.raises(ModuleFailed, match=name):
            client_context(ca=str(tmp_path / name))


def test_the_usual_authorities_are_trusted() -> None:
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) > 50


def test_http_clients_share_what_they_trust(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    for file in (None, str(certifi.where())):
        assert http_context(ca=file) is http_context(ca=file)
    assert http_context() is not client_context()
    assert http_context(verify=False).verify_mode is ssl.CERT_NONE
    with pytest.raises(ModuleFailed, match=r"ca\.pem: No such file"):
        http_context(ca=str(ca))


def test_authorities_that_have_changed_are_read_anew(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    certificates = certifi.contents().split("-----END CERTIFICATE-----\n")
    ca.write_text(certificates[0] + "-----END CERTIFICATE-----\n")
    assert len(http_context(ca=str(ca)).get_ca_certs()) == 1
    ca.write_text(certifi.contents())
    os.utime(ca, ns=(1, 1))
    assert len(http_context(ca=str(ca)).get_ca_certs()) > 50
