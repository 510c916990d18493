"""`http_request`: change something through an HTTP API, on the host's own network."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from engine.contract import (
    Action,
    Change,
    DialRefused,
    Identity,
    LinkLost,
    ModuleFailed,
    Target,
    cut,
    to_plain,
)
from engine.contract.answers import Answer, OneRequest
from engine.contract.http import may_have_arrived
from engine.contract.masking import masked

_SHOWN = 200
"""Characters of a URL and of a body that are shown before it is sent."""


class HttpRequest(OneRequest, Action[None], frozen=True, kw_only=True):
    """Send one HTTP request from the host's own network, to anything that has an API.

    What it changes is not known to quell, so it is an action: shown and approved before it is sent.
    `record: true` says that what it changes is outside the hosts, and that it may be sent twice:
    then it may stand in `acknowledge` and `resolve`, and nobody is asked. For what only reads there
    is `http_probe`.

    It is sent once. If the answer does not come, what became of it is not known: the task has
    failed, and a resumed run asks before it sends it again. `delegate_to: localhost` sends it from
    here.

    Args:
        url: `http://` or `https://`, as the host sees it.
        method: of the request.
        headers: sent with it, such as for authorization; take secrets from `env` or a vault.
        json: sent as the body, as JSON.
        body: sent as the body, as it is.
        form: sent as the body, as a form's fields.
        status: the expected status or statuses, any 2xx unless given; with another one the task
            has failed.
        matches: an RE2 pattern that the answer's body must contain.
        max_time: how long the whole answer may take.
        verify: whether to check TLS certificates and names.
        ca: a PEM file on the controller with the authorities to trust.
        follow_redirects: whether to; if not, the redirect is the answer.
        record: whether what it changes is outside the hosts, and safe to repeat.

    **Source:** RFC 9110; Ansible's `ansible.builtin.uri`.
    """

    primary: ClassVar[str] = "url"
    observable: ClassVar[bool] = False

    method: Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    form: dict[str, str | list[str]] | None = None
    record: bool = False

    def __post_init__(self) -> None:
        """Refuse a second body.

        Raises:
            ValueError: the arguments do not go together.
        """
        super().__post_init__()
        if self.form is not None and (self.json is not None or self.body is not None):
            raise ValueError("form is given and another body, too; a request has one body")

    def observe(self, target: Target) -> None:
        """Nothing: what the request is about is not known."""

    def decide(self, seen: None) -> Change:
        """Send it."""
        return Change(
            summary=f"{self.method} {masked(self.url, _SHOWN)}",
            on=(Identity("url", self.url, {"method": self.method}),),
            after=self._shown(),
        )

    def apply(self, target: Target, change: Change) -> Answer:
        """Send it once."""
        try:
            answer = self.ask(target, self.method, form=self.form)
        except DialRefused as refused:
            if may_have_arrived(refused):
                raise LinkLost(f"no answer: {refused.message}") from refused
            raise
        problem = self.unexpected(answer)
        if problem:
            raise ModuleFailed(problem, to_plain(answer))
        return answer

    def _shown(self) -> Any:
        """The body, as far as it can be read at a glance."""
        if self.body is not None:
            return cut(self.body, _SHOWN)
        return self.form if self.form is not None else self.json


EXAMPLE = """
name: Take the host out of the pool
http_request:
  url: http://lb.internal/api/pools/app/members/{{ inventory_hostname }}
  method: DELETE
  headers: {authorization: "Bearer {{ env.LB_TOKEN }}"}
  status: [200, 204, 404]
"""
