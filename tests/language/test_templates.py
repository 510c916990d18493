from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import HostError
from engine.language.templates import Scope, Templates
from tests.language.modules.check import Check
from tests.language.playbooks import registry

if TYPE_CHECKING:
    from engine.contract import Condition

DATA: dict[str, Any] = {
    "port": 8080,
    "flag": False,
    "nothing": None,
    "words": ["b", "a", "c"],
    "pool": {"failed": True, "finding": False, "msg": "no connection", "value": 0.93},
    "result": {"value": 5, "items": [1, 2], "keys": "k", "stdout": "load: 4.5", "rows": []},
    "text": "one two",
    "env": {"HOME": "/root"},
}


def scope(**texts: Any) -> Scope:
    return Scope(DATA, texts, Templates())


def evaluate(expression: str, **texts: Any) -> Any:
    return Templates().evaluate(expression, scope(**texts))


def failure(expression: str, **texts: Any) -> str:
    with pytest.raises(HostError) as caught:
        evaluate(expression, **texts)
    return caught.value.message


RENDERED: list[tuple[Any, Any]] = [
    ("plain", "plain"),
    ("{{ port }}", 8080),
    ("  {{ port }}\n", 8080),
    ("{{ words }}", ["b", "a", "c"]),
    ("{{ nothing }}", None),
    ("{{ flag }}", False),
    ("{{ pool.value }}", 0.93),
    ("port {{ port }}", "port 8080"),
    ("{{ port }}{{ port }}", "80808080"),
    ("{% if flag %}yes{% else %}no{% endif %}", "no"),
    ("{% for w in words %}{{ w }}{{ loop.index }}{% endfor %}", "b1a2c3"),
    ("{% raw %}{{ .Names }}{% endraw %}\n", "{{ .Names }}\n"),
    ("${#list} {{ port }}", "${#list} 8080"),
    ({"a": ["{{ port }}", 1], "b": "{{ text }}!"}, {"a": [8080, 1], "b": "one two!"}),
    (42, 42),
]

EVALUATED: list[tuple[str, Any]] = [
    ("port + 1", 8081),
    ("result.items", [1, 2]),
    ("result.keys", "k"),
    ("result['items'][1]", 2),
    ("pool.get('nothing', 7)", 7),
    ("env.HOME", "/root"),
    ("words | sort", ["a", "b", "c"]),
    ("words | map('upper') | list", ["B", "A", "C"]),
    ("words | map('upper')", ["B", "A", "C"]),
    ("text.split()", ["one", "two"]),
    ("text.replace('one', '1')", "1 two"),
    ("','.join(words)", "b,a,c"),
    ("words | join('-')", "b-a-c"),
    ("nowhere | default('x')", "x"),
    ("nowhere is defined", False),
    ("pool.nowhere | default(3)", 3),
    ("pool is failed", True),
    ("pool is finding", False),
    ("pool is changed or pool is skipped or pool is unreachable", False),
    ("'2g' | bytes", 2147483648),
    ("'10m' | seconds", 600.0),
    ("result.stdout | regex_search('[0-9.]+')", "4.5"),
    ("result.stdout | regex_search('(?P<n>[0-9]+)[.]([0-9])', 'n', 2)", ["4", "5"]),
    ("result.stdout | regex_search('([a-z]+)', '\\\\1', '\\\\g<1>')", ["load", "load"]),
    ("text | regex_search('[0-9]')", None),
    ("{'a': [1, 'ü']} | to_json", '{"a": [1, "ü"]}'),
    ("'[1, {\"a\": null}]' | from_json", [1, {"a": None}]),
    ("'hé' | b64encode", "aMOp"),
    ("[4, 1, 3, 2] | quantile(0.5)", 2.5),
    ("[10] | quantile(0.99)", 10.0),
    ("'%05.1f' | format(3.14159)", "003.1"),
    ("'x' | center(5)", "  x  "),
    ("'ab' * 3", "ababab"),
    ("2 ** 10", 1024),
    ("range(3) | list", [0, 1, 2]),
]

FAILED = [
    ("nowhere", "nowhere is not defined"),
    ("nowhere.value > 1", "nowhere is not defined"),
    ("pool.valu > 1", "pool.valu is not defined: pool has failed, finding, msg, value"),
    ("result.rows[0].x", "result.rows[0] is not defined: result.rows is a list of 0"),
    ("pool.value.x", "pool.value.x is not defined: pool.value is 0.93"),
    ("nothing.x", "nothing.x is not defined: nothing is nothing"),
    ("words | map(attribute='x') | list", 'x is not defined: its owner is "b"'),
    ("port / 0", "cannot evaluate port / 0: division by zero"),
    (
        "port < 'a'",
        "cannot evaluate port < 'a': '<' not supported between instances of 'int' and 'str'",
    ),
    ("port ==", "cannot read port ==: the expression ends too early"),
    (
        "text | from_json",
        "cannot evaluate text | from_json: Expecting value: line 1 column 1 (char 0)",
    ),
    ("text | regex_search('(')", "cannot evaluate text | regex_search('('): missing ): ("),
    ("[] | quantile(0.5)", "cannot evaluate [] | quantile(0.5): quantile of no values"),
    (
        "[1] | quantile(2)",
        "cannot evaluate [1] | quantile(2): quantile takes a fraction from 0 to 1, not 2",
    ),
    (
        "text is failed",
        'cannot evaluate text is failed: "is failed" asks about a registered result',
    ),
    ("nowhere is failed", "nowhere is not defined"),
    ("text.upper", "cannot evaluate text.upper: a builtin_function_or_method is no plain value"),
    ("[nowhere]", "nowhere is not defined"),
    ("text | nofilter", "cannot compile text | nofilter: No filter named 'nofilter'."),
]

BOUNDS = [
    "range(10**9)",
    "'x' * 10**9",
    "10**9 * 'x'",
    "[0] * 10**9",
    "9 ** (9 ** 9)",
    "2 ** 5000",
    "'x' | center(10**9)",
    "'%1000000d' | format(1)",
    "'%*d' | format(1000000000, 1)",
    "'%1000000d' % 1",
    "('x' * 2000).replace('x', 'y' * 2000)",
    "('x' * 2000) | replace('x', 'y' * 2000)",
    "(['x' * 2000] * 2000) | join",
    "','.join(['x' * 2000] * 2000)",
    "('x' * 1000000) + ('x' * 1000000)",
    "[1] | slice(10**9) | list",
    "'x' | indent(10**9, true)",
]

ESCAPES = [
    "''.__class__.__mro__[1].__subclasses__()",
    "''['__class__']",
    "text|attr('__class__')",
    "pool.__class__.__init__.__globals__",
    "pool['__class__'].x",
    "words.append(1)",
    "words.__add__([1])",
    "pool.update({'a': 1})",
    "pool.pop('failed')",
    "range.__globals__.x",
    "namespace.__init__.__globals__",
    "namespace().__class__.__mro__",
    "lipsum.__globals__['os'].popen('id').read()",
    "cycler.__init__.__globals__.os",
    "self.__init__.__globals__",
    "text.format_map(pool)",
    "'{0.__class__}'.format(port)",
    "(text | map('attr', '__class__')) | list",
    "words | map(attribute='__class__') | list",
    "text.encode('utf-16').x",
    "port.bit_length()",
    "dict.mro()",
    "config.items()",
    "request.application.x",
    "get_flashed_messages.__globals__.x",
    "(text | string).join.__self__.x",
    "joiner.__init__.x",
    "'a'.join.__call__.x",
]


@pytest.mark.parametrize(("text", "value"), RENDERED)
def test_text_is_rendered(text: Any, value: Any) -> None:
    found = Templates().render(text, scope())
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("expression", "value"), EVALUATED)
def test_an_expression_has_a_plain_value(expression: str, value: Any) -> None:
    found = evaluate(expression)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("expression", "message"), FAILED)
def test_an_expression_that_cannot_be_evaluated(expression: str, message: str) -> None:
    assert failure(expression) == message


@pytest.mark.parametrize("expression", BOUNDS)
def test_what_would_grow_without_bound_is_refused(expression: str) -> None:
    assert failure(expression).startswith("cannot evaluate ")


def test_the_text_that_a_template_makes_is_bounded() -> None:
    text = "{% for a in range(100000) %}{{ 'x' * 1000 }}{% endfor %}"
    with pytest.raises(HostError, match="a text or list longer than 1048576"):
        Templates().render(text, scope())


@pytest.mark.parametrize("expression", ESCAPES)
def test_there_is_no_way_out_of_the_sandbox(expression: str) -> None:
    assert failure(expression)


def test_conditions_hold_or_do_not() -> None:
    templates = Templates()
    assert templates.holds(True, scope())
    assert templates.holds("port == 8080", scope())
    assert not templates.holds(["port == 8080", False], scope())
    assert not templates.holds(["flag", "nowhere.x"], scope())
    assert templates.holds([], scope())


def test_a_loop_goes_over_a_list() -> None:
    templates = Templates()
    assert templates.items("words", scope()) == ["b", "a", "c"]
    assert templates.items("{{ words }}", scope()) == ["b", "a", "c"]
    assert templates.items(["{{ port }}", 2], scope()) == [8080, 2]
    with pytest.raises(HostError, match="loop goes over a list, and this is str: text"):
        templates.items("text", scope())


# ── variables ─────────────────────────────────────────────────────────────────────────────────


def test_variables_are_templates_over_each_other() -> None:
    texts = {"url": "http://{{ name }}:{{ port }}", "name": "{{ short }}.local", "short": "db1"}
    assert evaluate("url", **texts) == "http://db1.local:8080"


def test_data_goes_before_variables() -> None:
    assert evaluate("port", port="{{ nowhere }}") == 8080


def test_a_variable_is_rendered_once() -> None:
    templates = Templates()
    names = Scope(DATA, {"drawn": "{{ [1, 2, 3, 4, 5, 6, 7, 8] | random }}"}, templates)
    assert len({templates.evaluate("drawn", names) for _ in range(50)}) == 1


def test_variables_that_refer_to_one_another_in_a_circle() -> None:
    message = failure("a", a="{{ b }}", b="{{ c }}", c="{{ a }}")
    assert message.endswith("variables refer to one another: a → b → c → a")


def test_very_many_variables_in_a_row() -> None:
    texts = {f"v{n}": f"{{{{ v{n + 1} }}}}" for n in range(60)}
    assert failure("v0", **texts).endswith("more than 50 variables refer to one another in a row")


def test_a_variable_that_cannot_be_rendered_matters_only_where_it_is_used() -> None:
    assert evaluate("flag or port", share="{{ nowhere / 2 }}") == 8080
    assert evaluate("share is defined", share="{{ nowhere / 2 }}") is False
    assert failure("share > 1", share="{{ nowhere / 2 }}") == "share: nowhere is not defined"


def test_a_scope_is_a_mapping_of_all_names() -> None:
    names = scope(url="http://{{ port }}")
    assert names["url"] == "http://8080"
    assert "url" in names
    assert "port" in names
    assert "nowhere" not in names
    assert set(names) == {*DATA, "url"}
    assert len(names) == len(DATA) + 1
    with pytest.raises(KeyError):
        names["nowhere"]


def test_hostvars_may_hold_scopes() -> None:
    templates = Templates()
    other = Scope(
        {"inventory_hostname": "db1"}, {"url": "http://{{ inventory_hostname }}"}, templates
    )
    names = Scope({"hostvars": {"db1": other}}, {}, templates)
    assert templates.evaluate("hostvars.db1.url", names) == "http://db1"
    assert templates.evaluate("hostvars['db1'].url", names) == "http://db1"


# ── arguments ─────────────────────────────────────────────────────────────────────────────────


def test_arguments_are_rendered_and_typed() -> None:
    args = {"url": "http://{{ text }}", "port": "{{ port }}", "max_time": "{{ port }}s"}
    module = Templates().arguments(registry()["look"], args, scope())
    assert (module.url, module.port, module.max_time) == ("http://one two", 8080, "8080s")  # type: ignore[attr-defined]


def test_only_arguments_without_a_template_are_the_same_for_every_host() -> None:
    templates, modules = Templates(), registry()

    def both(name: str, args: dict[str, Any]) -> tuple[Any, Any]:
        first = templates.arguments(modules[name], args, {"here": "a"})
        return first, templates.arguments(modules[name], args, {"here": "b"})

    first, second = both("sh", {"script": "echo", "args": ["-v"]})
    assert first is second
    first, second = both("sh", {"script": "echo", "args": ["{{ here }}"]})
    assert (first.args, second.args) == (("a",), ("b",))
    first, second = both("check", {"that": ["here == 'a'"]})
    assert [first.that[0].holds, second.that[0].holds] == [True, False]


def test_a_number_becomes_text_where_text_is_taken() -> None:
    args = {"script": "{{ port }}", "args": ["{{ port }}", "{{ flag }}", "-v"]}
    module = Templates().arguments(registry()["sh"], args, scope())
    assert (module.script, module.args) == ("8080", ("8080", "false", "-v"))  # type: ignore[attr-defined]


def test_text_becomes_a_number_where_a_number_is_taken() -> None:
    module = Templates().arguments(registry()["kill"], {"port": "80{{ '80' }}"}, scope())
    assert module.port == 8080  # type: ignore[attr-defined]


def test_conditions_are_evaluated_for_the_module() -> None:
    args = {"that": ["port == 8080", "flag"]}
    module = Templates().arguments(registry()["check"], args, scope())
    assert type(module).__name__ == Check.__name__
    conditions: list[Condition] = module.that  # type: ignore[attr-defined]
    assert [(c.text, c.holds) for c in conditions] == [("port == 8080", True), ("flag", False)]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            {"url": "http://x", "port": "{{ text }}"},
            'look: port must be a port number such as 8080, not "one two"',
        ),
        ({"url": "http://x", "port": "{{ 0 }}"}, "look: port must be at least 1, not 0"),
        ({"url": "{{ text }}"}, 'look: url must be a URL such as http://localhost, not "one two"'),
        ({"url": "http://x", "port": "{{ 9 }}"}, "look: port 9 discards everything"),
        ({"url": "http://{{ nowhere }}"}, "nowhere is not defined"),
    ],
)
def test_arguments_are_checked_again_after_rendering(args: dict[str, Any], message: str) -> None:
    with pytest.raises(HostError) as caught:
        Templates().arguments(registry()["look"], args, scope())
    assert caught.value.message == message


def test_many_threads_may_render_at_once() -> None:
    templates = Templates()
    wrong: list[Any] = []

    def work(number: int) -> None:
        for turn in range(50):
            names = Scope({"n": number}, {"twice": "{{ n * 2 }}"}, templates)
            found = templates.render(f"{{{{ twice + {turn} }}}}", names)
            if found != number * 2 + turn:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
