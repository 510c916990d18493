"""GitHub, GitLab and Jira at the level of HTTP, after their REST APIs' references."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from tests.modules.standin import Answer, Asked, StandIn

TOKEN = "made-up-token"
USER = "commander@example.com"
_BELOW = ("labels", "comments", "events")


class Tracker(StandIn):
    """Issues, the newest last."""

    provider = ""
    project = ""
    text = "body"
    base = ""
    """The path that all others of the API are below."""
    login = f"Bearer {TOKEN}"

    def __init__(self) -> None:
        super().__init__()
        self.issues: list[dict[str, Any]] = []

    def add(self, **issue: Any) -> dict[str, Any]:
        """Add an issue."""
        raise NotImplementedError

    def args(self, url: str) -> dict[str, Any]:
        """A task's arguments to reach it."""
        where = {"project": self.project, "url": f"{url}{self.base}"}
        return {"provider": self.provider, **where, "token": TOKEN}

    def filed(self) -> int:
        """How many issues were asked for."""
        return [asked.method for asked in self.asked].count("POST")

    def _denied(self, asked: Asked) -> Answer | None:
        if asked.headers.get("authorization") != self.login:
            return Answer(401, self._error("Bad credentials"))
        return None

    def _error(self, message: str) -> dict[str, Any]:
        return {"message": message}

    def _page(self, asked: Asked) -> Answer:
        """A page of all issues, the newest first."""
        size, page = int(asked.query["per_page"][0]), int(asked.query["page"][0])
        return self._denied(asked) or Answer(200, self.issues[::-1][size * (page - 1) :][:size])


class GitHub(Tracker):
    published = "github"
    provider = "github"
    project = "example/backend"

    def __init__(self) -> None:
        super().__init__()
        self.routes = {
            "GET /repos/{owner}/{repo}/issues": self._list,
            "POST /repos/{owner}/{repo}/issues": self._create,
        }

    def add(self, **issue: Any) -> dict[str, Any]:
        number = len(self.issues) + 1
        repository = "https://api.github.com/repos/example/backend"
        self.issues.append(
            {
                "id": 4_000_000_000 + number,
                "node_id": f"I_{number}",
                "number": number,
                "html_url": f"https://github.com/example/backend/issues/{number}",
                "url": f"{repository}/issues/{number}",
                "repository_url": repository,
                **{f"{what}_url": f"{repository}/issues/{number}/{what}" for what in _BELOW},
                "title": "Another one",
                "body": None,
                "state": "open",
                "locked": False,
                "comments": 0,
                "labels": [],
                **dict.fromkeys(("user", "assignee", "milestone", "closed_at")),
                **dict.fromkeys(("created_at", "updated_at"), "2026-11-23T13:37:00Z"),
                **issue,
            }
        )
        return self.issues[-1]

    def _list(self, asked: Asked) -> Answer:
        said = {name: values[0] for name, values in asked.query.items() if "page" not in name}
        assert said == {"state": "all", "sort": "created", "direction": "desc"}
        return self._page(asked)

    def _create(self, asked: Asked) -> Answer:
        assert asked.parts == ("example", "backend")
        assert asked.headers["accept"] == "application/vnd.github+json"
        return Answer(201, self.add(**asked.json()))


class GitLab(Tracker):
    published = "gitlab"
    base = "/api/v4"
    provider = "gitlab"
    project = "group/sub/backend"
    text = "description"

    def __init__(self) -> None:
        super().__init__()
        self.routes = {
            "GET /api/v4/projects/{id}/issues": self._list,
            "POST /api/v4/projects/{id}/issues": self._create,
        }

    def add(self, **issue: Any) -> dict[str, Any]:
        number = len(self.issues) + 1
        url = f"https://gitlab.com/group/sub/backend/-/issues/{number}"
        self.issues.append({"iid": number, "web_url": url, "description": None, **issue})
        return self.issues[-1]

    def _list(self, asked: Asked) -> Answer:
        assert asked.parts == (self.project,)
        said = {name: values[0] for name, values in asked.query.items() if "page" not in name}
        assert said == {"scope": "all", "order_by": "created_at", "sort": "desc"}
        return self._page(asked)

    def _create(self, asked: Asked) -> Answer:
        return Answer(201, self.add(**asked.json()))


class Jira(Tracker):
    provider = "jira"
    project = "OPS"
    text = "description"

    def __init__(self, *, cloud: bool) -> None:
        super().__init__()
        self.published = "jira_cloud" if cloud else "jira_server"
        self.routes = {
            "GET /rest/api/2/search/jql": self._search if cloud else self._no_such,
            "GET /rest/api/2/search": self._gone if cloud else self._search,
            "POST /rest/api/2/issue": self._create,
        }
        if cloud:
            self.login = f"Basic {b64encode(f'{USER}:{TOKEN}'.encode()).decode()}"
        self._cloud = cloud

    def args(self, url: str) -> dict[str, Any]:
        return {**super().args(url), **({"user": USER} if self._cloud else {})}

    def add(self, **issue: Any) -> dict[str, Any]:
        self.issues.append({"key": f"OPS-{len(self.issues) + 1}", "labels": [], **issue})
        return self.issues[-1]

    def _search(self, asked: Asked) -> Answer:
        (jql,) = asked.query["jql"]
        name, _, value = jql.partition(" = ")
        assert name == "labels"
        found = [each for each in self.issues if value.strip('"') in each["labels"]]
        return self._denied(asked) or Answer(200, {"issues": [{"key": f["key"]} for f in found]})

    def _create(self, asked: Asked) -> Answer:
        fields = asked.json()["fields"]
        if fields["issuetype"] != {"name": "Task"}:
            wrong = {"issuetype": "Specify a valid issue type"}
            return Answer(400, {"errorMessages": [], "errors": wrong})
        made = self.add(title=fields["summary"], **fields)
        return Answer(201, {"id": "10000", "key": made["key"], "self": "https://example"})

    def _error(self, message: str) -> dict[str, Any]:
        return {"errorMessages": [message], "errors": {}}

    def _no_such(self, _: Asked) -> Answer:
        return Answer(404, {"message": "null for uri", "status-code": 404})

    def _gone(self, _: Asked) -> Answer:
        return Answer(410, {"errorMessages": ["The requested API has been removed."]})
