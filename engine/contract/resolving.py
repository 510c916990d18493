"""Names as a host resolves them, with what is there for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.connections.base import Script
from engine.contract.hearing import understood
from engine.contract.powershell import ask_powershell
from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from engine.contract.target import Target

# `$1` is the name, `$2` the type of the record, `$3` the server; each may be empty but the first.
# The first line of what they say is the program that was asked.
_SYSTEM = """LC_ALL=C; export LC_ALL
if command -v getent >/dev/null; then
  echo getent; getent ahosts "$1"; status=$?
  [ $status -ne 1 ] || getent hosts "$1"  # where the first is not known
elif command -v dscacheutil >/dev/null; then echo dscacheutil; dscacheutil -q host -a name "$1"
elif command -v nslookup >/dev/null; then echo nslookup; nslookup "$1"
else echo "neither getent nor nslookup is there"; exit 99
fi 2>&1
exit 0
"""
_DNS = """LC_ALL=C; export LC_ALL
if command -v dig >/dev/null; then
  echo dig; dig ${3:+"@$3"} +search +time=2 +tries=2 +noall +comments +answer "$1" "$2"
elif command -v host >/dev/null; then echo host; host -v -t "$2" "$1" ${3:+"$3"}
elif command -v nslookup >/dev/null; then echo nslookup; nslookup "-type=$2" "$1" ${3:+"$3"}
else echo "neither dig nor host nor nslookup is there"; exit 99
fi 2>&1
exit 0
"""
_WINDOWS = """
$records = @(); $problem = ''
try {
  if ($given.type) {
    $options = @{ Name = $given.name; Type = $given.type; DnsOnly = $true }
    if ($given.server) { $options.Server = $given.server }
    $found = @(Resolve-DnsName @options | Where-Object { $_.Section -eq 'Answer' })
  } else { $found = @([Net.Dns]::GetHostAddresses($given.name)) }
  $records = @($found | ForEach-Object {
    $one = $_; $type = [string]$one.Type
    $data = $one.IPAddress
    if (-not $given.type) { $data = $one.IPAddressToString }
    if ($type -in 'CNAME', 'NS', 'PTR') { $data = $one.NameHost }
    if ($type -eq 'MX') { $data = "$($one.Preference) $($one.NameExchange)" }
    if ($type -eq 'TXT') { $data = $one.Strings -join '' }
    if ($type -eq 'SRV') {
      $data = $one.Priority, $one.Weight, $one.Port, $one.NameTarget -join ' '
    }
    @{ type = $type; ttl = [int]$one.TTL; data = [string]$data }
  })
} catch { $problem = $_.Exception.Message }
@{ records = $records; problem = [string]$problem } | ConvertTo-Json -Depth 3 -Compress
"""
_LIMIT = 100
"""Records that are taken."""
_WORDS = {
    "canonical name": "CNAME",
    "mail exchanger": "MX",
    "nameserver": "NS",
    "text": "TXT",
    "service": "SRV",
    "name": "PTR",
    "rdata_257": "CAA",
}
"""What nslookup calls the types."""


class Record(Struct, frozen=True):
    """One of the answer's.

    Args:
        type: `A`, `CNAME`…; empty where the host's resolver just gives an address.
        data: what it says, without the dot that ends a name.
        ttl: seconds that it may be kept; None where that is not told.
    """

    type: str
    data: str
    ttl: int | None = None


Said = tuple[list[Record], str]
"""The records, and why there are none."""


class Resolved(Struct, frozen=True, kw_only=True):
    """What came of it.

    Args:
        records: the answer's.
        problem: why there is none, `NXDOMAIN` or in the program's words; empty if there is one.
        by: the program that was asked.
    """

    records: list[Record]
    problem: str = ""
    by: str = "Windows"


def resolve(target: Target, name: str, *, type_: str = "", server: str = "") -> Resolved:
    """Resolve a name on the host.

    Args:
        target: the host.
        name: of letters, digits, dots, hyphens and underscores.
        type_: of the record that is wanted from DNS; without it, the addresses that the host's
            programs get, from wherever it has them.
        server: a DNS server to ask; the host's own unless given.

    Raises:
        ModuleFailed: there is nothing on the host to resolve with.
    """
    if target.platform.family == "windows":
        return ask_powershell(target, _WINDOWS, Resolved, name=name, type=type_, server=server)
    # With a dot at its end the domains that the host searches are not tried.
    whole = f"{name}." if type_ and "." in name else name
    finished = target.run(Script(_DNS if type_ else _SYSTEM, args=(whole, type_, server)))
    by, _, said = finished.stdout.text.partition("\n")
    if finished.status:
        raise ModuleFailed(f"cannot resolve: {by or finished.stderr.text.strip()}")
    with understood():
        records, problem = _READERS[by](said)
    return Resolved(records=records[:_LIMIT], problem=problem, by=by)


def read_getent(said: str) -> Said:
    """What getent(1) says."""
    words = [line.split()[0] for line in said.splitlines() if line.strip()]
    addresses = dict.fromkeys(word for word in words if re.match(r"[\d:.a-f]+(%|$)", word))
    return [Record("", each) for each in addresses], ""


def read_dscacheutil(said: str) -> Said:
    """What dscacheutil(1) of macOS says."""
    lines = [line.partition(": ") for line in said.splitlines()]
    found = [rest.strip() for word, _, rest in lines if word in {"ip_address", "ipv6_address"}]
    return [Record("", each) for each in found], ""


def read_dig(said: str) -> Said:
    """What dig(1) says, or host(1) when it is verbose."""
    records = []
    for line in said.splitlines():
        fields = line.split(None, 4)
        if len(fields) == 5 and fields[1].isdigit() and fields[2] == "IN":
            records.append(_record(fields[3], fields[4], int(fields[1])))
    status = re.search(r"status: (\w+)|not found: \d+\((\w+)\)", said)
    problem = (status[1] or status[2]) if status else _last(said)
    return records, "" if problem == "NOERROR" else problem


def read_nslookup(said: str) -> Said:
    """What nslookup(1) says, bind's or busybox's."""
    _, _, answer = said.partition("\n\n")  # the server comes first
    records = []
    for line in answer.splitlines():
        address = re.match(r"Address(?: \d+)?: (\S+)", line)
        other = re.match(r"\S+\t([\w ]+) = (.+)", line)
        if address:
            records.append(_record("AAAA" if ":" in address[1] else "A", address[1]))
        elif other and other[1] in _WORDS:
            records.append(_record(_WORDS[other[1]], other[2]))
    refused = re.search(r"^\*\* server can't find .*: (\w+)", answer, re.MULTILINE)
    if refused:
        return [], refused[1]
    return records, "" if answer else _last(said)


_READERS: dict[str, Callable[[str], Said]] = {
    "dig": read_dig,
    "dscacheutil": read_dscacheutil,
    "getent": read_getent,
    "host": read_dig,
    "nslookup": read_nslookup,
}


def _record(type_: str, data: str, ttl: int | None = None) -> Record:
    if type_ == "TXT":
        return Record(type_, "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', data)), ttl)
    return Record(type_, data.strip().removesuffix("."), ttl)


def _last(said: str) -> str:
    """The last line of what was said, as the reason."""
    lines = said.strip().splitlines()
    return lines[-1].lstrip("; ") if lines else "no answer"
