"""As whom a task acts on a host: its variables have the first word, the command line the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.connections.acting import Acting
from engine.connections.become import BecomeSaid, is_account, settled
from engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from engine.connections.base import Become, Connection
    from engine.language.model import Task
    from engine.language.templates import Templates


class Becoming:
    """Knows it of every task and host; what says nothing leaves it to the next.

    Args:
        hosts: what each host's variables say.
        flags: what the command line says.
        templates: renders the accounts' names.
    """

    def __init__(
        self, hosts: Mapping[str, BecomeSaid], flags: BecomeSaid, templates: Templates
    ) -> None:
        """Keep what was said."""
        self._hosts = hosts
        self._flags = flags
        self._templates = templates

    def whom(self, host: str, task: Task, names: Mapping[str, Any]) -> Become | None:
        """As whom a task acts; None: as the account that is logged in.

        Raises:
            HostError: the account's name cannot be rendered, or comes to none.
        """
        variables = self._hosts.get(host, BecomeSaid())
        said = BecomeSaid(task.text.become, method=task.text.become_method)
        if settled(variables, said, self._flags) is None:
            return None
        user = task.text.become_user
        if user is not None and variables.user is None:
            user = self._user(user, names)
        said = BecomeSaid(task.text.become, user, task.text.become_method)
        return settled(variables, said, self._flags)

    def _user(self, text: str, names: Mapping[str, Any]) -> str:
        user = self._templates.render(text, names)
        if not isinstance(user, str) or not is_account(user):
            raise HostError(f"become_user must be an account's name, not {user!r}")
        return user

    def connection(
        self, connection: Connection, host: str, task: Task, names: Mapping[str, Any]
    ) -> Connection:
        """The host's connection, on which the task acts as it is to. Raises as `whom`."""
        become = self.whom(host, task, names)
        return Acting(connection, become) if become is not None else connection
