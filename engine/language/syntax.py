"""What a YAML syntax error means, for someone who has no time for parser words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import yaml


class Fault(Struct, frozen=True):
    """A syntax error in words; `line` and `column` are 1-based."""

    message: str
    hint: str
    line: int
    column: int


class _Scene(Struct, frozen=True):
    """Where the parser gave up, and where it had begun what it could not finish."""

    lines: Sequence[str]
    problem: str
    line: int
    column: int
    start_line: int
    start_column: int

    @property
    def text(self) -> str:
        return self.lines[self.line - 1] if self.line <= len(self.lines) else ""

    @property
    def before(self) -> str:
        return self.text[: self.column - 1]

    @property
    def character(self) -> str:
        return self.text[self.column - 1 : self.column]

    def here(self, message: str, hint: str = "") -> Fault:
        return Fault(message, hint, self.line, self.column)

    def at_start(self, message: str, hint: str = "") -> Fault:
        return Fault(message, hint, self.start_line, self.start_column)


def explain(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> Fault:
    """The error in words, at the place to look at."""
    mark = error.problem_mark or error.context_mark
    start = error.context_mark or mark
    scene = _Scene(
        lines,
        error.problem or "",
        mark.line + 1 if mark else 1,
        mark.column + 1 if mark else 1,
        start.line + 1 if start else 1,
        start.column + 1 if start else 1,
    )
    indent = scene.text[: len(scene.text) - len(scene.text.lstrip())]
    if "\t" in indent:
        return Fault(
            "a tab indents this line",
            "YAML is indented with spaces only",
            scene.line,
            indent.index("\t") + 1,
        )
    for words, explanation in _EXPLANATIONS:
        if words in scene.problem:
            return explanation(scene)
    return scene.here(f"not valid YAML: {scene.problem}")


def _bad_start(scene: _Scene) -> Fault:
    return scene.here(f'a value cannot start with "{scene.character}"', "put it in quotes")


def _second_colon(scene: _Scene) -> Fault:
    if ": " in scene.before:
        return scene.here('unexpected ":" inside a value', 'put a text that holds ": " in quotes')
    return scene.here(
        "a key where none can stand", 'check the indentation, or a missing ":" on the line above'
    )


def _no_colon(scene: _Scene) -> Fault:
    return scene.at_start('this line has no ":" after its key', 'write "key: value"')


def _unclosed_quote(scene: _Scene) -> Fault:
    return scene.at_start("this quote is never closed")


def _unclosed_bracket(scene: _Scene) -> Fault:
    bracket = scene.lines[scene.start_line - 1][scene.start_column - 1]
    closing = {"[": "]", "{": "}"}.get(bracket, "")
    rest_is_empty = not any(line.strip() for line in scene.lines[scene.line :])
    if rest_is_empty and not scene.text[scene.column - 1 :].strip():
        return scene.at_start(f'this "{bracket}" is never closed')
    message = f'expected "," or "{closing}": the "{bracket}" of line {scene.start_line} is open'
    return scene.here(message, "put texts with special characters in quotes")


def _not_a_key(scene: _Scene) -> Fault:
    if scene.before.rstrip().endswith(('"', "'", "}", "]")):
        return scene.here("text after the end of the value", "put the whole value in quotes")
    return scene.here(
        f"this does not belong to the mapping that starts on line {scene.start_line}",
        "check the indentation",
    )


def _not_an_item(scene: _Scene) -> Fault:
    return scene.here(
        f'expected "- ", as in the list that starts on line {scene.start_line}',
        "check the indentation",
    )


def _bad_escape(scene: _Scene) -> Fault:
    hint = "single quotes take a backslash as it is"
    escape = scene.text[scene.column - 1 : scene.column + 1]
    return scene.here(f'unknown escape "{escape}" in double quotes', hint)


def _unexpected(scene: _Scene) -> Fault:
    if not scene.character:
        return scene.here("the file ends too early", "close what is open")
    return scene.here(f'unexpected "{scene.character}"', "put it in quotes if it is text")


def _after_the_end(scene: _Scene) -> Fault:
    return scene.here("the document has ended before this", "one file holds one document")


_EXPLANATIONS: tuple[tuple[str, Callable[[_Scene], Fault]], ...] = (
    ("cannot start any token", _bad_start),
    ("mapping values are not allowed", _second_colon),
    ("could not find expected ':'", _no_colon),
    ("unexpected end of stream", _unclosed_quote),
    ("or ']'", _unclosed_bracket),
    ("or '}'", _unclosed_bracket),
    ("did not find expected key", _not_a_key),
    ("'-' indicator", _not_an_item),
    ("unknown escape", _bad_escape),
    ("node content", _unexpected),
    ("<document start>", _after_the_end),
)
