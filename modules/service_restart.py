"""`service_restart`: restart a service of the host."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import ClassVar

from engine.contract import Action, Change, Duration, GuardRefused, Identity, Target, seconds
from engine.contract.services import Service, ServiceName, restart, service

LOOK = 0.5
"""Seconds between two looks at what was restarted."""
PROTECTED = (
    *("ssh", "sshd", "ssh@*", "sshd@*", "sshd-*", "dropbear", "com.openssh.*", "winrm"),
    *("dbus", "dbus-broker", "systemd-*", "init", "user@*", "getty@*", "com.apple.*"),
    *("network", "networking", "networkmanager*", "wpa_supplicant*", "dhcpcd", "ifup@*"),
    *("rpcss", "rpceptmapper", "dcomlaunch", "samss", "lsm", "nsi", "dhcp", "nlasvc"),
)
"""Whose restart would cost us the host, or our way to it."""


class ServiceRestart(Action[Service], frozen=True, kw_only=True):
    """Restart a service of systemd, of Windows or of launchd; one that is stopped is started.

    It took when the service runs again from a new start and is still running that one a little
    later: one that fails right after its start, or that its manager has to start again and again,
    is a failure. A service that was started or ended since it was looked at is left alone. Refused
    are sshd, the system's message bus, its network and what belongs to systemd itself.

    Args:
        name: the service's: `nginx`, `app@1.service`; a Windows service's short name; the label
            of a daemon of launchd's system domain.
        stays: how long it must run before that counts.

    **Source:** systemctl(1) `restart`, systemd.exec(5) `$INVOCATION_ID`; launchctl(1)
    `kickstart`; Windows' Restart-Service.
    """

    primary: ClassVar[str] = "name"

    name: ServiceName
    stays: Duration = "3s"

    def observe(self, target: Target) -> Service:
        """Ask its manager."""
        return service(target, self.name)

    def decide(self, seen: Service) -> Change:
        """Always a restart: whether it is needed is the playbook's `when` to say.

        Raises:
            GuardRefused: the host, or our way to it, hangs on it.
        """
        for name in (seen.name, *seen.aliases):
            if _protected(name):
                raise GuardRefused(f"{seen.name} is never restarted: the host hangs on {name}")
        return Change(
            summary=f"{seen.name} {seen.state} → restarted",
            # Who protects it by another name means it as well.
            on=(seen.identity, *(Identity("service", name) for name in seen.aliases)),
            before={"state": seen.state, "pid": seen.pid},
            after={"state": "running"},
        )

    def apply(self, target: Target, change: Change) -> None:
        """Restart it, if it is still the start that was looked at."""
        restart(target, change.on[0])

    def confirm(self, target: Target, change: Change) -> str | None:
        """Wait until it runs from a new start, and see whether it stays."""
        old = change.on[0]
        seen = service(target, old.name)
        while seen.settling:
            target.pause(LOOK)
            seen = service(target, old.name)
        if seen.instance == old.key["instance"]:
            return f"{seen.name} is {seen.state}, and was not restarted"
        first, left = seen, seconds(self.stays)
        while seen.active and seen.instance == first.instance and left > 0:
            target.pause(min(LOOK, left))
            left -= LOOK
            seen = service(target, old.name)
        if not seen.active:
            status = f", exit status {seen.exit_status}" if seen.exit_status else ""
            return f"{seen.name} is {seen.state}{status}"
        if seen.instance != first.instance:
            return f"{seen.name} ended after its start, and was started again"
        return None


def _protected(name: str) -> bool:
    short = name.lower().removesuffix(".service")
    return any(fnmatchcase(short, pattern) for pattern in PROTECTED)


EXAMPLE = """
name: Restart the application
service_restart: {name: app, stays: 10s}
"""
