"""`dns_probe`: resolve a name as the host does."""

from __future__ import annotations

import ipaddress
import time
from typing import ClassVar, Literal

from msgspec import field

from engine.contract import (
    DeadlineExceeded,
    Duration,
    HostName,
    Probe,
    Struct,
    Target,
    count,
    duration,
    seconds,
    since,
)
from engine.contract.resolving import Resolved, resolve

RecordType = Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"]


class Resolution(Struct, frozen=True, kw_only=True):
    """What came of it.

    Args:
        answers: the addresses, or what the records of that type say, without the dot that ends a
            name: `10.0.0.1`, `10 mail.example.com`.
        aliases: the names on the way to them.
        ttl: seconds that the answer may be kept; None where that is not told.
        by: the program that was asked on the host.
        elapsed: seconds, the way to the host included.
        error: why there is no answer: `NXDOMAIN`, `SERVFAIL`, or in words; None if there is one.
    """

    elapsed: float
    answers: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    ttl: int | None = None
    by: str = ""
    error: str | None = None


class DnsProbe(Probe[Resolution], frozen=True, kw_only=True):
    """Resolve a name on the host, with its resolver, its hosts file and its servers.

    Without `type` these are the addresses that the host's own programs get (`getent`); with it,
    what DNS says (`dig`, `host` or `nslookup`, whichever is there). A name that does not resolve
    is evidence and not an error: `error` then says why, and the task has a finding. So it has
    where the answer is not the expected one.

    Args:
        name: to resolve; for `PTR` an address will do.
        type: the type of the DNS record.
        server: the DNS server to ask, as the host sees it; the host's own unless given.
        expected: what the answer must be, in any order and nothing else.
        max_time: how long it may take.

    **Source:** getaddrinfo(3), getent(1), dig(1), host(1), nslookup(1); Windows' Resolve-DnsName.
    """

    primary: ClassVar[str] = "name"

    name: HostName
    type: RecordType | None = None
    server: HostName | None = None
    expected: str | list[str] | None = None
    max_time: Duration = "5s"

    def __post_init__(self) -> None:
        """Refuse a server where DNS is not asked, and an empty expectation.

        Raises:
            ValueError: the arguments do not go together.
        """
        if self.server is not None and self.type is None:
            raise ValueError("server is given, but no type: then the host's own resolver is asked")
        if self.expected in ("", []):
            raise ValueError("expected is empty; leave it out where any answer will do")

    def observe(self, target: Target) -> Resolution:
        """Ask on the host."""
        narrowed = target.within(seconds(self.max_time))
        started = time.monotonic()
        try:
            found = resolve(
                narrowed, self._asked(), type_=self.type or "", server=self.server or ""
            )
        except DeadlineExceeded:
            late = f"no answer within {narrowed.deadline.seconds:g} s"
            return Resolution(elapsed=since(started), error=late)
        return self._told(found, since(started))

    def finding(self, seen: Resolution) -> str | None:
        """No answer, or not the expected one."""
        if seen.error is not None:
            return self.summary(seen)
        if self.expected is None:
            return None
        expected = [self.expected] if isinstance(self.expected, str) else self.expected
        if {_plain(each) for each in seen.answers} == {_plain(each) for each in expected}:
            return None
        return f"{self.name} is {', '.join(seen.answers)}, expected {', '.join(expected)}"

    def summary(self, seen: Resolution) -> str:
        """`10.0.0.1, 10.0.0.2 in 4 ms`."""
        if seen.error is not None:
            return f"{self.name} does not resolve: {seen.error}"
        shown = ", ".join(seen.answers[:4])
        more = len(seen.answers) - 4
        others = f" and {count(more, 'other')}" if more > 0 else ""
        return f"{shown}{others} in {duration(seen.elapsed)}"

    def _asked(self) -> str:
        if self.type != "PTR":
            return self.name
        try:
            return ipaddress.ip_address(self.name).reverse_pointer
        except ValueError:
            return self.name

    def _told(self, found: Resolved, elapsed: float) -> Resolution:
        types = {self.type} if self.type else {"", "A", "AAAA"}
        wanted = [each for each in found.records if each.type in types]
        ttls = [each.ttl for each in wanted if self.type and each.ttl is not None]
        nothing = f"no {self.type} record" if self.type else "no such name"
        aliases = [each.data for each in found.records if each.type == "CNAME"]
        return Resolution(
            elapsed=elapsed,
            answers=[each.data for each in wanted],
            aliases=aliases if self.type != "CNAME" else [],
            ttl=min(ttls, default=None),
            by=found.by,
            error=None if wanted else found.problem or nothing,
        )


def _plain(answer: str) -> str:
    """An answer in the one form of the many that it may be written in."""
    try:
        return str(ipaddress.ip_address(answer))
    except ValueError:
        return answer.lower().removesuffix(".")


EXAMPLE = """
name: The database has its address
dns_probe: {name: db.example.com, expected: 10.0.0.12}
"""
