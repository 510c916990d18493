"""The inventories and patterns that quell and ansible-core must understand alike."""

from __future__ import annotations

from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
SHIPPED = Path(__file__).parents[2] / "inventory"
FOR_PATTERNS = str(CORPUS / "for_patterns" / "hosts")

LISTINGS: dict[str, list[str]] = {
    **{
        case.name: sorted(str(path) for path in case.iterdir() if path.name.startswith("hosts"))
        for case in sorted(CORPUS.iterdir())
    },
    **{f"shipped_{path.name}": [str(path)] for path in sorted(SHIPPED.glob("*.yml"))},
    "host_list": ["h1,h2, h3 ,"],
    "host_list_ports": ["h1:2222,10.0.0.1:22,fe80::1,[fe80::2]:2200"],
    "host_list_of_one": ["localhost,"],
    "host_list_and_file": [str(CORPUS / "ini_plain" / "hosts"), "web1,h9"],
}
"""Each case's sources: what a directory of the corpus holds by the name of `hosts…`."""

PATTERNS: list[tuple[str, str | None]] = [
    (pattern, None)
    for pattern in (
        "all", "*", "db", "db1", "loner", "ungrouped", "site", "app,db", "db:app",
        "db2:db1", "db1:db", "canary:db", "db:&canary", "db:!canary", "!db", "&canary",
        "!db:&site", "site:&canary:!db", "all:!site", "app*", "db?", "db[!1]*", "*1*", "d*",
        "~db[12]", "~(db|loner)", r"~.*\.example\.com$", "!~db.*", "~.*b1", "app[0]", "app[-1]",
        "app[1:2]", "app[1:]", "app[0:0]", "site[2:4]", "app[0],db[0]", "!db[0]", "db:!db[1:2]",
        "fe80::1", "fe80::1,db1", "web1", "web2", " db1 , db2 ", "db,,app", "app1.example.com",
        "mail.example.com", "all:!mail.example.com", "all:&mail.example.com",
        "*.example.com", "app*.example.com:&canary", "localhost", "127.0.0.1", "::1",
        "db:localhost",
    )
] + [
    ("all", "db"), ("db", "canary"), ("site", "!canary"), ("all", "db1,db3"), ("app:db", "db[0]"),
    ("db", "all:!db2"), ("all", "~app[12]"), ("db", "db3:db1"),
]  # fmt: skip
