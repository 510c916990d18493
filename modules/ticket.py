"""`ticket`: what is to be done after the incident, where the team keeps its work."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol
from urllib.parse import quote

from msgspec import field

from engine.contract import Change, Identity, Meta, ModuleFailed, Record, Struct, Target
from engine.contract.api import controller_api
from engine.contract.http import HttpUrl, check_address

if TYPE_CHECKING:
    from engine.contract.api import Api

Provider = Literal["github", "gitlab", "jira"]
Text = Annotated[str, Meta(min_length=1)]
Line = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\r\n]+$", title="line")]

_URLS: dict[str, str] = {
    "github": "https://api.github.com",
    "gitlab": "https://gitlab.com/api/v4",
}
_PAGE = 100
_PAGES = 5
"""Issues on a page, and pages that are looked through: the newest come first."""


class Filed(Struct, frozen=True, kw_only=True):
    """The ticket.

    Args:
        key: what people call it: `#12`, `OPS-12`.
        url: leads there.
        created: whether it is new.
    """

    key: str
    url: str
    created: bool


class Ticket(Record, frozen=True, kw_only=True):
    """File a follow-up ticket with GitHub, GitLab or Jira.

    A repeated run finds its ticket by a mark that stands for `key` and `title`, and files no second
    one; whatever became of the ticket since then is left alone. With GitHub and GitLab the mark is
    a comment in the text that nobody sees, looked for in the 500 newest issues; with Jira it is a
    label. The tracker is asked from the controller, through its proxies, once for each host that
    the task runs on: say `run_once: true`.

    Args:
        provider: `github`, `gitlab` or `jira`.
        project: `owner/repository`; GitLab's `group/project` or number; Jira's key.
        token: that may create issues there; a secret, so take it from `env` or a vault.
        user: whose API token it is, a mail address: for Jira in Atlassian's cloud.
        title: one line.
        body: the text, in the tracker's own markup.
        key: tells this incident's ticket from others with the title: `"{{ run_id }}"`.
        labels: of the ticket.
        type: of the issue, for Jira.
        url: of the API of a server of your own, or of Jira: `https://github.example.com/api/v3`,
            `https://gitlab.example.com/api/v4`, `https://example.atlassian.net`.
        ca: a PEM file on the controller with the authorities to trust.

    **Source:** GitHub's REST API, `/repos/{owner}/{repo}/issues`; GitLab's, `/projects/:id/issues`;
    Jira's REST API 2, `/issue` and `/search`.
    """

    provider: Provider
    project: Text
    token: Text
    title: Line
    key: Text
    user: Text | None = None
    body: str = ""
    labels: list[Text] = field(default_factory=list)
    type: Text = "Task"
    url: HttpUrl | None = None
    ca: str | None = None

    def __post_init__(self) -> None:
        """Refuse a Jira that is nowhere, and a project that GitHub cannot have.

        Raises:
            ValueError: the arguments do not go together.
        """
        if self.url is None and self.provider not in _URLS:
            raise ValueError("url is needed for Jira: https://example.atlassian.net")
        if self.url is not None:
            check_address(self.url)
        if self.provider == "github" and self.project.count("/") != 1:
            raise ValueError("project must be owner/repository for GitHub")
        if self.user is not None and self.provider != "jira":
            raise ValueError("user goes with Jira only")

    def decide(self) -> Change:
        """What is to be filed, and where."""
        return Change(
            summary=f"{self.provider} {self.project}: {self.title}",
            on=(Identity("ticket", f"{self.provider} {self.project}"),),
            after={"title": self.title, "body": self.body, "labels": self.labels},
        )

    def apply(self, target: Target, change: Change) -> Filed:
        """Find it, or file it."""
        tracker = _TRACKERS[self.provider](self)
        url = self.url or _URLS[self.provider]
        with controller_api(tracker.name, target, url, tracker.headers(), ca=self.ca) as api:
            found = tracker.found(api)
            return found if found is not None else tracker.filed(api)

    @property
    def mark(self) -> str:
        """What the ticket is found by."""
        digest = hashlib.sha256(f"{self.key}\0{self.title}".encode()).hexdigest()
        return f"quell-{digest[:20]}"

    @property
    def marked_body(self) -> str:
        """The text, with the mark in a comment of Markdown's."""
        return f"{self.body}\n\n<!-- {self.mark} -->".lstrip()


class _Tracker(Protocol):
    """Where tickets are filed."""

    name: str

    def __init__(self, wanted: Ticket) -> None: ...

    def headers(self) -> dict[str, str]: ...

    def found(self, api: Api) -> Filed | None: ...

    def filed(self, api: Api) -> Filed: ...


class _GitHub:
    name = "GitHub"

    def __init__(self, wanted: Ticket) -> None:
        self._wanted = wanted
        self._where = f"/repos/{quote(wanted.project)}/issues"

    def headers(self) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self._wanted.token}",
            "accept": "application/vnd.github+json",
            "x-github-api-version": "2022-11-28",
        }

    def found(self, api: Api) -> Filed | None:
        query = {"state": "all", "sort": "created", "direction": "desc"}
        issue = _newest(api, self._where, query, "body", self._wanted.mark)
        return None if issue is None else self._ticket(issue, created=False)

    def filed(self, api: Api) -> Filed:
        wanted = self._wanted
        made = {"title": wanted.title, "body": wanted.marked_body, "labels": wanted.labels}
        return self._ticket(api.ask("POST", self._where, json=made), created=True)

    def _ticket(self, issue: dict[str, Any], *, created: bool) -> Filed:
        return Filed(key=f"#{issue['number']}", url=issue["html_url"], created=created)


class _GitLab:
    name = "GitLab"

    def __init__(self, wanted: Ticket) -> None:
        self._wanted = wanted
        self._where = f"/projects/{quote(wanted.project, safe='')}/issues"

    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._wanted.token}"}

    def found(self, api: Api) -> Filed | None:
        query = {"scope": "all", "order_by": "created_at", "sort": "desc"}
        issue = _newest(api, self._where, query, "description", self._wanted.mark)
        return None if issue is None else self._ticket(issue, created=False)

    def filed(self, api: Api) -> Filed:
        wanted = self._wanted
        text = wanted.marked_body
        made = {"title": wanted.title, "description": text, "labels": wanted.labels}
        return self._ticket(api.ask("POST", self._where, json=made), created=True)

    def _ticket(self, issue: dict[str, Any], *, created: bool) -> Filed:
        return Filed(key=f"#{issue['iid']}", url=issue["web_url"], created=created)


class _Jira:
    name = "Jira"

    def __init__(self, wanted: Ticket) -> None:
        self._wanted = wanted

    def headers(self) -> dict[str, str]:
        wanted = self._wanted
        if wanted.user is None:
            return {"authorization": f"Bearer {wanted.token}"}
        said = b64encode(f"{wanted.user}:{wanted.token}".encode()).decode()
        return {"authorization": f"Basic {said}"}

    def found(self, api: Api) -> Filed | None:
        query = {"jql": f'labels = "{self._wanted.mark}"', "fields": "summary", "maxResults": 1}
        try:
            listed = api.ask("GET", "/rest/api/2/search/jql", params=query)
        except ModuleFailed as failed:
            # A server of one's own has the former search only, and the cloud the new one only.
            if failed.found.get("status") != 404:
                raise
            listed = api.ask("GET", "/rest/api/2/search", params=query)
        return self._ticket(listed["issues"][0]["key"], created=False) if listed["issues"] else None

    def filed(self, api: Api) -> Filed:
        wanted = self._wanted
        fields = {
            "project": {"key": wanted.project},
            "issuetype": {"name": wanted.type},
            "summary": wanted.title,
            "description": wanted.body,
            "labels": [*wanted.labels, wanted.mark],
        }
        made = api.ask("POST", "/rest/api/2/issue", json={"fields": fields})
        return self._ticket(made["key"], created=True)

    def _ticket(self, key: str, *, created: bool) -> Filed:
        assert self._wanted.url is not None
        return Filed(key=key, url=f"{self._wanted.url.rstrip('/')}/browse/{key}", created=created)


_TRACKERS: dict[str, type[_Tracker]] = {"github": _GitHub, "gitlab": _GitLab, "jira": _Jira}


def _newest(
    api: Api, path: str, query: dict[str, Any], text: str, mark: str
) -> dict[str, Any] | None:
    """The newest issue that has the mark in its text; None if there is none."""
    for page in range(1, _PAGES + 1):
        issues: list[dict[str, Any]] = api.ask(
            "GET", path, params={**query, "per_page": _PAGE, "page": page}
        )
        for issue in issues:
            if mark in (issue[text] or "") and "pull_request" not in issue:
                return issue
        if len(issues) < _PAGE:
            break
    return None


EXAMPLE = """
name: Find out why the pool was full
run_once: true
ticket:
  provider: github
  project: example/backend
  token: "{{ env.GITHUB_TOKEN }}"
  title: "Follow-up: {{ incident.title }}"
  body: "Found by run {{ run_id }}."
  key: "{{ run_id }}"
  labels: [incident]
"""
