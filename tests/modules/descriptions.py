"""What the published API descriptions of services say, and whether a test keeps to it.

The facts stand in `published/SERVICE.json`: for each operation the query, headers and body that it
takes, and its answers by status, as JSON Schemas. What a request may have is complete; an answer
has what is required of it and what is used here. `arguments` are for an API that takes the same
from the query, a form or JSON.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.modules.standin import Answer, Asked

PUBLISHED = Path(__file__).with_name("published")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Unpublished(Exception):
    """A request or an answer is not as the service's description says."""


class Description:
    """A service's operations, `POST /things/{id}`."""

    def __init__(self, service: str) -> None:
        said = json.loads((PUBLISHED / f"{service}.json").read_bytes())
        self._service = service
        self._operations: dict[str, dict[str, Any]] = said["operations"]
        self._shared: dict[str, Any] = said.get("$defs", {})
        self._validators: dict[tuple[str, str], Draft202012Validator] = {}

    def check_request(self, operation: str, asked: Asked) -> None:
        """Raise unless the operation takes such a request.

        Of what the description does not have, `check_answer` wants that it is refused.
        """
        parts = self._operations.get(operation, {})
        for part, schema in parts.items():
            if part != "answers":
                self._check(operation, part, schema, _said(part, schema, asked))
        if parts and "body" not in parts and "arguments" not in parts and asked.body:
            raise Unpublished(f"{self._service}: {operation} takes no body")

    def check_answer(self, operation: str, answer: Answer, *, injected: bool) -> None:
        """Raise unless the operation answers so.

        An error may have a status that the description does not tell of. What a test answers in the
        service's stead is checked if it is an error in JSON; all else is damaged on purpose.
        """
        if injected and (answer.status < 400 or isinstance(answer.content, str)):
            return
        answers = self._operations.get(operation, {}).get("answers", {})
        wide = f"{answer.status // 100}XX"
        status = next((s for s in (str(answer.status), wide) if s in answers), None)
        if status is not None:
            self._check(operation, status, answers[status], answer.content)
        elif answer.status < 400:
            raise Unpublished(f"{self._service}: {operation} does not answer with {answer.status}")

    def _check(self, operation: str, part: str, schema: dict[str, Any], said: object) -> None:
        validator = self._validators.get((operation, part))
        if validator is None:
            validator = Draft202012Validator({"$defs": self._shared, **schema})
            self._validators[operation, part] = validator
        if error := next(validator.iter_errors(said), None):
            where = f"{part}{error.json_path[1:]}"
            raise Unpublished(f"{self._service}: {operation}: {where}: {error.message}")


@functools.cache
def description(service: str) -> Description:
    """A service's description, read once."""
    return Description(service)


def _said(part: str, schema: Mapping[str, Any], asked: Asked) -> object:
    if part == "headers":
        return asked.headers
    if part == "query":
        return _typed(asked.query, schema)
    if part == "body" or asked.headers.get("content-type", "").startswith("application/json"):
        return asked.json()
    form = parse_qs(asked.body.decode(), keep_blank_values=True)
    return _typed(asked.query | form, schema)


def _typed(said: Mapping[str, list[str]], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a query or a form, whose types only the schema knows."""
    known = schema.get("properties", {})
    return {name: _value(values, known.get(name, {})) for name, values in said.items()}


def _value(values: list[str], schema: Mapping[str, Any]) -> Any:
    kind = schema.get("type")
    if kind == "array":
        # As in OpenAPI: several values in one, unless the name is said again for each.
        return values if schema.get("explode", True) else values[0].split(",")
    if len(values) > 1:
        return values
    if kind == "integer" and re.fullmatch(r"-?\d+", values[0]):
        return int(values[0])
    return _BOOLEANS.get(values[0], values[0]) if kind == "boolean" else values[0]
