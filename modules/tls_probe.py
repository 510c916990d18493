"""`tls_probe`: look at a server's TLS certificate, on the host's own network."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import field
from msgspec.structs import replace

from engine.contract import (
    DeadlineExceeded,
    DialRefused,
    Duration,
    HostName,
    Meta,
    Port,
    Probe,
    Struct,
    Target,
    Tcp,
    duration,
    seconds,
    since,
    tls_context,
)
from engine.contract.streams import dialled, tls_reason

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MANY = 100
LONG = 300
"""Names that are kept of a certificate, and characters of each."""
DAY = 86_400


class Secured(Struct, frozen=True, kw_only=True):
    """What the server showed.

    Args:
        protocol: `TLSv1.3`; None where the handshake failed.
        cipher: that was agreed on.
        trusted: whether the chain leads to a trusted authority, is in its time and has the name.
        problem: why it is not trusted.
        days_left: until the certificate ends, by the controller's clock; negative afterwards.
        not_before: when it begins, RFC 3339.
        not_after: when it ends.
        subject: whom it is for.
        issuer: who made it.
        names: the host names and addresses that it is good for.
        serial: its number, in hexadecimal.
        fingerprint: SHA-256 of it, in hexadecimal.
        elapsed: seconds for the connection and the handshake.
        error: why there was no handshake; None where there was one.
    """

    elapsed: float
    protocol: str | None = None
    cipher: str | None = None
    trusted: bool = False
    problem: str | None = None
    days_left: float | None = None
    not_before: str | None = None
    not_after: str | None = None
    subject: str = ""
    issuer: str = ""
    names: list[str] = field(default_factory=list)
    serial: str = ""
    fingerprint: str = ""
    error: str | None = None


class TlsProbe(Probe[Secured], frozen=True, kw_only=True):
    """Shake hands with a TLS server from the host's own network, and look at its certificate.

    Names and addresses are the host's; what is trusted is the controller's. A server that does
    not answer is evidence and not an error: `error` then says why. Without `expect` it is a
    finding when there is no handshake, the certificate is not trusted or is not for that name,
    and when it ends soon.

    Args:
        host: a name or an address, as the host sees it.
        port: the server's.
        server_name: that the certificate must have, and that the server is asked for; `host`
            unless given.
        min_days: so many days the certificate must still be good for.
        verify: whether a certificate that is not trusted is a finding.
        ca: a PEM file on the controller with the authorities to trust.
        max_time: how long all of it may take.

    **Source:** RFC 8446, RFC 5280, RFC 9525 for names; `openssl s_client`.
    """

    host: HostName
    port: Port = 443
    server_name: HostName | None = None
    min_days: Annotated[float, Meta(ge=0)] = 14
    verify: bool = True
    ca: str | None = None
    max_time: Duration = "10s"

    def observe(self, target: Target) -> Secured:
        """Shake hands as a client that trusts nobody unasked, then if need be as one that does."""
        narrowed = target.within(seconds(self.max_time))
        started = time.monotonic()
        try:
            try:
                seen = self._shake(narrowed, tls_context(ca=self.ca))
            except ssl.SSLCertVerificationError as refused:
                seen = self._shake(narrowed, tls_context(verify=False))
                problem = refused.verify_message.rstrip(".")
                seen = replace(seen, trusted=False, problem=problem)
            return replace(seen, elapsed=since(started))
        except DeadlineExceeded:
            error = f"no answer within {narrowed.deadline.seconds:g} s"
        except DialRefused as refused:
            error = refused.message
        except ssl.SSLError as failed:
            error = f"the handshake failed: {tls_reason(failed)}"
        return Secured(elapsed=since(started), error=error)

    def finding(self, seen: Secured) -> str | None:
        """No handshake, not trusted, or soon at its end."""
        if seen.error is not None:
            return self.summary(seen)
        if self.verify and not seen.trusted:
            return f"the certificate is not trusted: {seen.problem}"
        if seen.days_left is None:
            return f"the certificate cannot be read: {seen.problem}"
        if seen.days_left < 0:
            return f"the certificate ended {_days(-seen.days_left)} ago"
        if seen.days_left < self.min_days:
            return f"the certificate ends in {_days(seen.days_left)}"
        return None

    def summary(self, seen: Secured) -> str:
        """`ends in 31 days, trusted, TLSv1.3, by CN=R3`."""
        if seen.error is not None:
            return f"no TLS: {seen.error}"
        left = seen.days_left
        if left is None:
            ends = "cannot be read"
        else:
            ends = f"ends in {_days(left)}" if left >= 0 else f"ended {_days(-left)} ago"
        trust = "trusted" if seen.trusted else "not trusted"
        return f"{ends}, {trust}, {seen.protocol}, by {seen.issuer or 'nobody'}"

    def _shake(self, target: Target, context: ssl.SSLContext) -> Secured:
        with dialled(target, Tcp(self.host, self.port)) as stream:
            secured = stream.secure(context, self.server_name or self.host)
            cipher = secured.cipher()
            shown = secured.getpeercert(binary_form=True)
            return Secured(
                elapsed=0,
                protocol=secured.version(),
                cipher=cipher[0] if cipher else None,
                trusted=True,
                **_facts(shown or b""),
            )


def _facts(der: bytes) -> dict[str, Any]:
    """What a certificate says of itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        certificate = x509.load_der_x509_certificate(der)
        return {
            "days_left": round(_left(certificate), 4),
            "not_before": certificate.not_valid_before_utc.isoformat(),
            "not_after": certificate.not_valid_after_utc.isoformat(),
            "subject": certificate.subject.rfc4514_string()[:LONG],
            "issuer": certificate.issuer.rfc4514_string()[:LONG],
            "names": _names(certificate),
            "serial": f"{certificate.serial_number:x}",
            "fingerprint": certificate.fingerprint(SHA256()).hex(),
        }
    except ValueError as error:  # OpenSSL lets pass what is not quite as it should be
        return {"problem": str(error)}


def _left(certificate: Certificate) -> float:
    return (certificate.not_valid_after_utc - datetime.now(UTC)).total_seconds() / DAY


def _names(certificate: Certificate) -> list[str]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    names = [*found.get_values_for_type(x509.DNSName)]
    names += [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return [name[:LONG] for name in names[:MANY]]


def _days(days: float) -> str:
    if days < 2:
        return duration(days * DAY)
    return f"{int(days)} days"


EXAMPLE = """
name: The certificate is good for a while
tls_probe: {host: shop.example.com, min_days: 21}
"""
