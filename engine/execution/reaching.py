"""How each host of a plan is reached: its variables rendered, its secrets learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.connections.settings import Settings
from engine.connections.ssh_config import USUAL, SshConfigs
from engine.errors import HostError, InputError
from engine.execution.memory import Environment
from engine.language.templates import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from engine.connections.settings import Defaults
    from engine.execution.plan import Plan
    from engine.language.templates import Templates
    from engine.redact import Redactor


def reached(
    plan: Plan,
    given: Mapping[str, Any],
    defaults: Defaults,
    templates: Templates,
    redactor: Redactor,
) -> dict[str, Settings]:
    """Each host's settings: `-e` says first, then the playbook's vars, then the inventory.

    Flags fill in what is missing, then ssh_config.

    Args:
        plan: which hosts there are.
        given: inputs and all other `-e` values: data, never rendered.
        defaults: what the flags say.
        templates: renders variables.
        redactor: learns the passwords.

    Raises:
        InputError: a variable is not what it should be, or cannot be rendered yet.
    """
    configs = SshConfigs(USUAL)
    env = Environment(redactor)
    found = {}
    for host in plan.reached():
        texts = {**plan.inventory.variables(host), **plan.playbook.text.vars}
        data = {"inventory_hostname": host, "env": env, **given}
        variables = _ours(host, Scope(data, texts, templates))
        found[host] = Settings.from_variables(host, variables, defaults, configs)
        for secret in (found[host].password, found[host].become.password):
            if secret:
                redactor.learn(secret)
    return found


def _ours(host: str, scope: Scope) -> dict[str, Any]:
    """The variables of connections."""
    rendered = {}
    for name in scope:
        if name.startswith("ansible_"):
            try:
                rendered[name] = scope[name]
            except HostError as error:
                raise InputError(f"host {host!r}: {name}: {error.message}") from None
    return rendered
