"""`service_status`: whether a service of the host runs."""

from __future__ import annotations

from typing import Annotated, ClassVar

from engine.contract import Duration, Meta, Probe, Target, count, duration, seconds
from engine.contract.services import Service, ServiceName, service


class ServiceStatus(Probe[Service], frozen=True, kw_only=True):
    """See whether a service runs: of systemd, of Windows, or of launchd.

    Without `expect` it is a finding when it does not run, or with `running: false` when it does;
    also when it was started too lately, or too often again by its manager.

    Args:
        name: the service's: `nginx`, `app@1.service`; a Windows service's short name; the label
            of a daemon of launchd's system domain.
        running: whether it should run.
        min_age: so long its process should have run at least.
        max_restarts: so often at most should systemd have started it again since it was started
            by hand or with the host.

    **Source:** systemctl(1) `show`, launchctl(1) `print`; Windows' Win32_Service.
    """

    primary: ClassVar[str] = "name"

    name: ServiceName
    running: bool = True
    min_age: Duration | None = None
    max_restarts: Annotated[int, Meta(ge=0)] | None = None

    def observe(self, target: Target) -> Service:
        """Ask its manager."""
        return service(target, self.name)

    def finding(self, seen: Service) -> str | None:
        """It does not run, or should not, or not like that."""
        if seen.active != self.running:
            return f"{self.summary(seen)}, expected {'running' if self.running else 'stopped'}"
        if self.min_age is not None and seen.age is not None and seen.age < seconds(self.min_age):
            return f"{seen.name} was started {duration(seen.age)} ago, expected {self.min_age}"
        if self.max_restarts is not None and (seen.restarts or 0) > self.max_restarts:
            return f"{seen.name} was started again {count(seen.restarts or 0, 'time')} by itself"
        return None

    def summary(self, seen: Service) -> str:
        """`nginx.service is active (running), pid 4711, for 3 d 4 h`."""
        told = f"{seen.name} is {seen.state}"
        if seen.pid:
            told += f", pid {seen.pid}"
        if seen.age is not None:
            told += f", for {duration(seen.age)}"
        if seen.exit_status:
            told += f", exit status {seen.exit_status}"
        return told


EXAMPLE = """
name: The proxy runs, and was not started again and again
service_status: {name: nginx, max_restarts: 3}
"""
