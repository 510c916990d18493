"""Stand-ins are held against what the services' published descriptions say."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tests.modules.descriptions import PUBLISHED, Description, Unpublished
from tests.modules.grafana import Grafana
from tests.modules.pagerduty import PagerDutys
from tests.modules.slack import Workspace
from tests.modules.standin import Answer, Asked, StandIn
from tests.modules.trackers import GitHub, GitLab, Jira

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JSON = {"content-type": "application/json"}
STAND_INS: list[Callable[[], StandIn]] = [
    GitHub,
    GitLab,
    Grafana,
    partial(Jira, cloud=True),
    partial(Jira, cloud=False),
    PagerDutys,
    Workspace,
]


def request(
    body: Any = None,
    query: dict[str, list[str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Asked:
    said = b"" if body is None else json.dumps(body).encode()
    return Asked(
        "", "", query or {}, {**(JSON if body is not None else {}), **(headers or {})}, said
    )


def refused(service: str, operation: str, asked: Asked) -> str:
    with pytest.raises(Unpublished) as caught:
        Description(service).check_request(operation, asked)
    return str(caught.value)


def complaint(service: str, operation: str, answer: Answer, *, injected: bool = False) -> str:
    with pytest.raises(Unpublished) as caught:
        Description(service).check_answer(operation, answer, injected=injected)
    return str(caught.value)


ISSUES = "/repos/{owner}/{repo}/issues"


def test_a_request_that_is_as_described() -> None:
    query = {"state": ["all"], "per_page": ["100"], "page": ["2"]}
    Description("github").check_request(f"GET {ISSUES}", request(query=query))
    Description("github").check_request(f"POST {ISSUES}", request({"title": "x", "labels": []}))
    tags = {"tags": ["a", "b"], "matchAny": ["true"]}
    Description("grafana").check_request("GET /api/annotations", request(query=tags))


@pytest.mark.parametrize(
    ("operation", "asked", "message"),
    [
        ("POST", request({"title": "x", "colour": "red"}), r"body: .*'colour' was unexpected"),
        ("POST", request({"body": "x"}), "body: 'title' is a required property"),
        ("POST", request({"title": "x", "labels": ["a", 1]}), r"body\.labels\[1\]: 1 is not valid"),
        ("POST", request({"title": "x"}, {"dry": ["1"]}), "query: .*'dry' was unexpected"),
        ("GET", request({"title": "x"}), "takes no body"),
        ("GET", request(query={"state": ["some"]}), "query.state: 'some' is not one of"),
        ("GET", request(query={"page": ["one"]}), "query.page: 'one' is not of type 'integer'"),
        ("GET", request(query={"state": ["all", "open"]}), "query.state: .* is not of type"),
        ("GET", request(query={"per_page": ["101"]}), "query.per_page: 101 is greater"),
    ],
)
def test_a_request_that_is_not(operation: str, asked: Asked, message: str) -> None:
    said = refused("github", f"{operation} {ISSUES}", asked)
    assert said.startswith(f"github: {operation} {ISSUES}")
    assert re.search(message, said)


def test_a_header_that_is_missing() -> None:
    said = refused("pagerduty", "GET /incidents", request())
    assert said == "pagerduty: GET /incidents: headers: 'accept' is a required property"


def test_arguments_wherever_they_are() -> None:
    operation, login = "* /api/conversations.list", {"authorization": "Bearer x"}
    known = Description("slack")
    form = Asked("", "", {"limit": ["200"]}, login, b"exclude_archived=1&cursor=")
    known.check_request(operation, form)
    known.check_request(operation, request({"limit": 200, "exclude_archived": True}, headers=login))
    assert "'200' is not of type" in refused(
        "slack", operation, request({"limit": "200"}, headers=login)
    )
    form = Asked("", "", {}, login, b"exclude_archived=perhaps")
    assert "'perhaps' is not of type 'boolean'" in refused("slack", operation, form)


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (200, {"id": 1}, "'message' is a required property"),
        (200, {"id": "1", "message": ""}, "'1' is not of type 'integer'"),
        (200, {"id": 1, "message": "", "uid": 1}, "'uid' was unexpected"),
        (200, None, "None is not of type 'object'"),
        (201, {"id": 1, "message": ""}, "does not answer with 201"),
        (401, {"message": "", "messageId": "no"}, "'messageId' was unexpected"),
    ],
)
def test_an_answer_that_is_not_as_described(status: int, content: Any, message: str) -> None:
    said = complaint("grafana", "POST /api/annotations", Answer(status, content))
    assert message in said


def test_what_is_not_described_can_only_be_refused() -> None:
    known = Description("jira_server")
    known.check_request("GET /rest/api/2/search/jql", request(query={"x": ["y"]}))
    known.check_answer("GET /rest/api/2/search/jql", Answer(404, {"any": "thing"}), injected=False)
    assert "does not answer with 200" in complaint(
        "jira_server", "GET /rest/api/2/search/jql", Answer(200, {})
    )


def test_an_answer_in_the_services_stead_may_be_damaged_but_not_a_false_error() -> None:
    known, operation = Description("grafana"), "POST /api/annotations"
    for answer in (Answer(200, "<html>"), Answer(200, {}), Answer(500, "oh"), Answer(422, {})):
        known.check_answer(operation, answer, injected=True)
    assert "'message'" in complaint("grafana", operation, Answer(401, {}), injected=True)


@pytest.mark.parametrize("make", STAND_INS)
def test_all_that_is_served_is_described_and_the_other_way_round(
    make: Callable[[], StandIn],
) -> None:
    service = make()
    said = json.loads((PUBLISHED / f"{service.published}.json").read_bytes())
    assert all(source.startswith(("https://", "the same")) for source in said["source"])
    gone = {route for route in service.routes if route.split()[1].startswith("/rest/api/2/search")}
    assert said["operations"].keys() <= service.routes.keys()
    assert service.routes.keys() - said["operations"].keys() <= gone


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*.json")), ids=lambda path: path.stem)
def test_what_is_published_is_made_of_schemas(path: Path) -> None:
    said = json.loads(path.read_bytes())
    schemas = list(said["$defs"].values())
    for operation in said["operations"].values():
        schemas += operation.pop("answers").values()
        schemas += operation.values()
    for schema in schemas:
        Draft202012Validator.check_schema(schema)


def test_a_stand_in_that_answers_amiss_fails_the_test() -> None:
    grafana = Grafana()
    grafana.routes["GET /api/health"] = lambda _: Answer(200, {"database": True})
    asked = Asked("GET", "/api/health", {}, {}, b"")
    with pytest.raises(AssertionError, match="True is not of type 'string'"), grafana.serve():
        assert grafana.answer(asked).status == 500
