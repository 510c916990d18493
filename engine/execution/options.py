"""What the command line said of a run: kept in the journal, so that `resume` says the same."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from engine.connections.base import BecomeMethod  # noqa: TC001  # msgspec reads it at run time

FORKS = 32
"""Hosts at a time, the measured best."""


class Options(Struct, frozen=True, kw_only=True):
    """A run's options; paths are absolute, so that it can be resumed from anywhere.

    Args:
        playbook: its file.
        inventory: files, directories, or `h1,h2,` lists.
        extra: the values of `-e`; text from `k=v`, typed otherwise.
        limit: a host pattern, or `@file`.
        check: change nothing.
        only: the only phase to run.
        tags: run only tasks with one of these.
        skip_tags: leave out tasks with one of these.
        forks: hosts at a time.
        user: the account on the hosts, where the inventory names none.
        private_key: the key file, likewise.
        become: act as another account, where nothing else is said.
        become_user: as which one, likewise.
        become_method: how to get there, likewise.
        timeout: seconds to connect; None for what ssh_config says.
        module_path: directories with more modules.
        start_at_task: the name of the first task to run; a glob.
        policy: the user's policy file; None for the usual one.
        break_glass: why rules of approval and cool-downs do not hold this time; empty: they do.
        detailed_exitcode: with check, exit 6 where there would be changes.
    """

    playbook: str
    inventory: list[str] = []
    extra: dict[str, Any] = {}
    limit: str | None = None
    check: bool = False
    only: str | None = None
    tags: list[str] = []
    skip_tags: list[str] = []
    forks: int = FORKS
    user: str | None = None
    private_key: str | None = None
    become: bool = False
    become_user: str | None = None
    become_method: BecomeMethod | None = None
    timeout: float | None = None
    module_path: list[str] = []
    start_at_task: str | None = None
    policy: str | None = None
    break_glass: str = ""
    detailed_exitcode: bool = False
