from __future__ import annotations

import inspect

import jsonschema
import pytest

from engine.contract import Module
from engine.language.keywords import TaskText
from engine.registry import Registry
from tests.modules.sequence import example

NAMES = Registry().names()


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_a_task_with_this_module_and_nothing_unknown(name: str) -> None:
    keywords = set(TaskText.__struct_fields__) - {name}  # a handler's name is no mapping
    assert set(example(name)) - keywords == {name}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "assert"])
def test_an_example_converts(name: str) -> None:
    entry = Registry()[name]
    args = entry.normal(example(name)[name])
    assert isinstance(args, dict)
    assert isinstance(entry.convert(args), Module)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_valid_by_the_schema(name: str) -> None:
    entry = Registry()[name]
    validator = jsonschema.Draft202012Validator(entry.schema)
    assert list(validator.iter_errors(entry.normal(example(name)[name]))) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_is_documented(name: str) -> None:
    cls = Registry()[name].cls
    text = inspect.getdoc(cls) or ""
    arguments = text.partition("Args:\n")[2].partition("**Source:**")[0]
    documented = {
        line.partition(":")[0].strip()
        for line in arguments.splitlines()
        if line.startswith("    ") and not line.startswith("     ")
    }
    assert documented == set(cls.__struct_encode_fields__)
    assert "**Source:**" in text


def test_the_shipped_modules() -> None:
    kinds = {name: Registry()[name].kind for name in NAMES}
    assert kinds == {
        "alertmanager_silence": "record",
        "assert": "probe",
        "command": "action",
        "disk_usage": "probe",
        "dns_probe": "probe",
        "docker_inspect": "probe",
        "docker_logs": "probe",
        "docker_restart": "action",
        "docker_rollback": "action",
        "docker_start": "action",
        "docker_stats": "probe",
        "docker_stop": "action",
        "docker_update": "action",
        "file_set": "action",
        "grafana_annotation": "record",
        "http_probe": "probe",
        "http_request": "action",
        "log_search": "probe",
        "manual": "checkpoint",
        "memory_usage": "probe",
        "metrics": "probe",
        "notify": "record",
        "pagerduty_incident": "record",
        "pause": "checkpoint",
        "pg_activity": "probe",
        "pg_locks": "probe",
        "pg_query": "probe",
        "pg_terminate": "action",
        "port_check": "probe",
        "port_kill": "action",
        "process_list": "probe",
        "prometheus_query": "probe",
        "service_restart": "action",
        "service_status": "probe",
        "set": "probe",
        "shell": "action",
        "slack_channel": "record",
        "tcp_probe": "probe",
        "ticket": "record",
        "tls_probe": "probe",
        "websocket_probe": "probe",
    }


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("command", "uptime"),
        ("command", ["uptime", "-s"]),
        ("disk_usage", "/var"),
        ("disk_usage", ["/var", "/srv"]),
        ("dns_probe", "db.example.com"),
        ("docker_inspect", "backend"),
        ("docker_logs", "backend"),
        ("docker_restart", "backend"),
        ("docker_rollback", "backend"),
        ("docker_start", "backend"),
        ("docker_stats", "backend"),
        ("docker_stats", ["backend", "frontend"]),
        ("docker_stop", "backend"),
        ("http_probe", "http://localhost:8080/health"),
        ("http_request", "http://localhost:8080/reload"),
        ("log_search", "/var/log/app/*.log"),
        ("log_search", ["/var/log/a.log", "/var/log/b.log"]),
        ("port_check", 8080),
        ("port_kill", 8080),
        ("service_restart", "nginx"),
        ("service_status", "nginx"),
        ("shell", "uptime | wc -c"),
        ("websocket_probe", "ws://localhost:8080/ws"),
    ],
)
def test_the_one_argument_that_matters_needs_no_name(name: str, bare: object) -> None:
    entry = Registry()[name]
    args = entry.normal(bare)
    assert isinstance(args, dict)
    assert list(args.values()) == [bare]
    assert isinstance(entry.convert(args), Module)
