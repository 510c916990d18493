"""`notify`: tell people, wherever they read it."""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING, Annotated, Any, Literal

from engine.contract import Change, Identity, Meta, ModuleFailed, Record, Struct, Target
from engine.contract.extras import from_extra

if TYPE_CHECKING:
    from collections.abc import Iterator

    import apprise

Type = Literal["info", "success", "warning", "failure"]
Level = Literal["P1", "P2", "P3", "P4"]
Text = Annotated[str, Meta(min_length=1)]
Destination = Annotated[str, Meta(min_length=1, title="URL of apprise")]
_BY_LEVEL: dict[str, Type] = {"P1": "failure", "P2": "failure", "P3": "warning", "P4": "info"}
_SECRET = 6
"""Characters of a part of a URL that may be a token."""


class Notified(Struct, frozen=True):
    """Who was told.

    Args:
        sent: the services, by apprise's names.
        type: as what it was sent.
    """

    sent: list[str]
    type: Type


class Notify(Record, frozen=True, kw_only=True):
    """Tell people: by Slack, Teams, mail, PagerDuty and every other service that apprise knows.

    It is sent from the controller, once for each host that the task runs on: say `run_once: true`.
    A URL holds a password or a token, so take it from `env` or a vault. If a service could not be
    told, the task has failed and says why; the others were told all the same. Needs
    `pip install 'quell[notify]'`. The keyword `notify`, which names handlers, takes their names;
    with arguments it is this module.

    Args:
        to: one URL of apprise's or several: `slack://…`, `mailto://…`, `msteams://…`, `json://…`.
        message: the text.
        title: above it, or the subject of a mail.
        type: its colour or sign, where the service has such; by `severity` unless given.
        severity: the incident's level, `"{{ incident.severity }}"`: P1 and P2 are sent as
            `failure`, P3 as `warning`, P4 and none as `info`.
        format: what the text is written in; a service that reads another one gets it converted.

    **Source:** https://github.com/caronc/apprise, whose URLs these are.
    """

    to: Destination | Annotated[list[Destination], Meta(min_length=1)]
    message: Text
    title: str = ""
    type: Type | None = None
    severity: Level | None = None
    format: Literal["text", "markdown", "html"] = "text"

    def decide(self) -> Change:
        """Tell each of them; nothing of a URL but its scheme is shown."""
        schemes = [_scheme(url) for url in self._urls()]
        what = self.title or self.message.strip().splitlines()[0]
        return Change(
            summary=f"notify {', '.join(schemes)}: {what}",
            on=tuple(Identity("notification", scheme) for scheme in dict.fromkeys(schemes)),
            after={"title": self.title, "message": self.message, "type": self._type()},
        )

    def apply(self, target: Target, change: Change) -> Notified:
        """Send it to one after the other."""
        with from_extra("notify"):
            import apprise
        sent: list[str] = []
        failed: list[str] = []
        for number, url in enumerate(self._urls(), 1):
            for service in self._services(apprise, url, number):
                _hurry(service, target)
                why = self._send(apprise, service, url)
                name = str(service.service_name)
                (failed.append(f"{name}: {why}") if why else sent.append(name))
        if failed:
            message = f"{len(failed)} of {len(failed) + len(sent)} not told: {'; '.join(failed)}"
            raise ModuleFailed(message, {"sent": sent, "not_told": failed})
        return Notified(sent, self._type())

    def _urls(self) -> list[str]:
        return [self.to] if isinstance(self.to, str) else self.to

    def _type(self) -> Type:
        return self.type or _BY_LEVEL.get(self.severity or "", "info")

    def _services(self, library: Any, url: str, number: int) -> Iterator[apprise.NotifyBase]:
        """What a URL stands for; several in one text are several, as apprise reads them."""
        found = library.Apprise()
        with _Heard() as heard:
            if not found.add(url):
                why = heard.reason(url)
                message = f"to, number {number}: apprise takes no such {_scheme(url)} URL"
                raise ModuleFailed(f"{message}: {why}" if why else message)
        yield from found

    def _send(self, library: Any, service: apprise.NotifyBase, url: str) -> str:
        """Why it could not be sent; empty where it was."""
        with _Heard() as heard:
            done = service.notify(
                body=self.message,
                title=self.title,
                notify_type=library.NotifyType(self._type()),
                body_format=library.NotifyFormat(self.format),
            )
            return "" if done else heard.reason(url) or "it did not take the message"


class _Heard(logging.Handler):
    """What apprise complains of in this thread: several tasks may notify at once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self._lines: list[str] = []
        self._logger = logging.getLogger("apprise")

    def __enter__(self) -> _Heard:
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        if record.thread == self._thread:
            self._lines.append(record.getMessage().rstrip("."))

    def reason(self, url: str) -> str:
        """All of it, without what may be a token of this URL."""
        text = "; ".join(self._lines)
        for part in re.split(r"[^\w.~%+-]+", url.partition("://")[2]):
            if len(part) >= _SECRET:
                text = text.replace(part, "***")
        return text


def _scheme(url: str) -> str:
    scheme, found, _ = url.strip().partition("://")
    return scheme if found and re.fullmatch(r"[\w.+-]+", scheme) else "(no)"


def _hurry(service: apprise.NotifyBase, target: Target) -> None:
    """Let a service take no longer than there is time."""
    left = target.deadline.remaining()
    service.socket_connect_timeout = min(service.socket_connect_timeout, left)
    service.socket_read_timeout = min(service.socket_read_timeout, left)


EXAMPLE = """
name: Tell the stakeholders
run_once: true
notify:
  to: ["{{ env.QUELL_NOTIFY_TEAMS }}", "{{ env.QUELL_NOTIFY_MAIL }}"]
  title: "{{ incident.title }}"
  message: We are at it. The next word comes in half an hour.
  severity: P2
"""
