"""port_kill on Windows: what its commands say, in the languages that they say it in."""

from __future__ import annotations

import pytest

from engine.contract import Argv, DialRefused, GuardRefused, ModuleFailed, Script
from engine.contract.windows_ports import listening, names_of
from tests.modules.fakes import Answer, FakeConnection, target
from tests.modules.sequence import Outcome, act, module

ENGLISH = """
Active Connections

  Proto  Local Address          Foreign Address        State           PID
  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING       1044
  TCP    0.0.0.0:8080           0.0.0.0:0              LISTENING       4711
  TCP    10.0.0.5:8080          10.0.0.9:51234         ESTABLISHED     4711
  TCP    127.0.0.1:18080        0.0.0.0:0              LISTENING       5000
  TCP    127.0.0.1:51300        127.0.0.1:8080         TIME_WAIT       0
  TCP    [::]:8080              [::]:0                 LISTENING       4711
  TCP    [::1]:8080             [::]:0                 LISTENING       812
  TCP    [fe80::1%4]:8080       [::]:0                 LISTENING       812
  UDP    0.0.0.0:8080           *:*                                    999
  UDP    [::]:8080              *:*                                    999
"""
GERMAN = """
Aktive Verbindungen

  Proto  Lokale Adresse         Remoteadresse          Status           PID
  TCP    0.0.0.0:8080           0.0.0.0:0              ABHÖREN         4711
  TCP    10.0.0.5:8080          10.0.0.9:51234         HERGESTELLT     4711
"""
FRENCH = """
Connexions actives

  Proto  Adresse locale         Adresse distante       État
  TCP    0.0.0.0:8080           0.0.0.0:0              LISTENING       4711
"""
POLISH = """
Aktywne połączenia

  Protokół  Adres lokalny          Obcy adres             Stan            PID
  TCP    0.0.0.0:8080           0.0.0.0:0              NASŁUCHIWANIE   4711
"""
CZECH = """
Aktivní připojení

  Proto  Místní adresa          Cizí adresa            Stav            PID
  TCP    0.0.0.0:8080           0.0.0.0:0              NASLOUCHÁNÍ     4711
"""
JAPANESE = """
アクティブな接続

  プロトコル  ローカル アドレス          外部アドレス           状態           PID
  TCP         0.0.0.0:8080           0.0.0.0:0              LISTENING       4711
"""
CHINESE = """
活动连接

  协议  本地地址          外部地址        状态           PID
  TCP    0.0.0.0:8080           0.0.0.0:0              LISTENING       4711
"""
TASKS = """\
"System Idle Process","0","Services","0","8 K"
"System","4","Services","0","144 K"
"python.exe","4711","Services","0","20,480 K"
"my, ""own"".exe","812","RDP-Tcp#0","2","1.024 K"
"""
START = "133465432101234567"
DETAILS = (
    f"process 4711 600 {START} python.exe -m http.server 8080\r\nancestor 77\r\nancestor 6\r\n"
)


def said(*answers: str) -> list[Answer]:
    return [(0, answer, "") for answer in answers]


def seen(*answers: str, tasks: str = TASKS) -> Outcome:
    """What is found, and what is to be done, without doing it."""
    subject = module("port_kill", {"port": 8080})
    refused = DialRefused("no engine there")
    answer = said(answers[0], tasks, *answers[1:])
    host = FakeConnection(answer, family="windows", refuse=refused)
    found = subject.observe(target(host))  # type: ignore[attr-defined]
    return Outcome(found, subject.decide(found))  # type: ignore[attr-defined]


def ended(*answers: str) -> tuple[Outcome, FakeConnection]:
    host = FakeConnection(said(*answers), family="windows")
    return act("port_kill", {"port": 8080}, target(host)), host


def test_what_listens_on_the_port_is_found() -> None:
    assert listening(ENGLISH, 8080) == [
        ("0.0.0.0:8080", 4711),
        ("[::]:8080", 4711),
        ("[::1]:8080", 812),
        ("[fe80::1%4]:8080", 812),
    ]
    assert listening(ENGLISH, 80) == []


@pytest.mark.parametrize("text", [GERMAN, FRENCH, POLISH, CZECH, JAPANESE, CHINESE])
def test_the_language_does_not_matter(text: str) -> None:
    assert listening(text, 8080) == [("0.0.0.0:8080", 4711)]
    # Where the code page is not known, letters are lost; the state may even fall apart.
    assert listening(text.encode().decode("ascii", "replace"), 8080) == [("0.0.0.0:8080", 4711)]


def test_images_are_named() -> None:
    assert names_of(TASKS)[4711] == "python.exe"
    assert names_of(TASKS)[812] == 'my, "own".exe'
    assert names_of("INFO: No tasks are running which match the specified criteria.\n") == {}
    assert names_of('ERROR: x\n"a","b"\n"c"\n') == {}


def test_the_process_is_shown_with_its_start_time() -> None:
    outcome = seen(GERMAN, DETAILS)
    process = outcome.seen.processes[0]
    assert (process.pid, process.start, process.parent) == (4711, START, 600)
    assert process.command == "python.exe -m http.server 8080"
    assert outcome.seen.ancestors == [77, 6]
    assert outcome.change is not None
    assert outcome.change.summary == "python.exe (pid 4711) on port 8080 → ended"
    assert outcome.change.on[0].key == {"pid": 4711, "start": START, "port": 8080}


def test_a_command_line_that_looks_like_an_answer_is_none() -> None:
    forged = f"process 4711 600 {START} python.exe \u2028process 4711 1 1 x\x0bancestor 4711\r\n"
    outcome = seen(GERMAN, forged)
    process = outcome.seen.processes[0]
    assert (process.start, process.parent) == (START, 600)
    assert outcome.seen.ancestors == []


def test_a_start_time_that_is_not_known_is_said() -> None:
    for details in ("", "process 4711 600 - \r\nancestor 77\r\n"):
        outcome = seen(GERMAN, details)
        assert outcome.change is not None
        assert outcome.change.summary.endswith("→ ended; start time not known")


def test_nothing_listens() -> None:
    host = FakeConnection(said(ENGLISH), family="windows")
    outcome = act("port_kill", {"port": 81}, target(host))
    assert outcome.change is None
    assert host.commands == [Argv(("netstat", "-ano"))]


def test_that_very_process_is_ended() -> None:
    outcome, host = ended(GERMAN, TASKS, DETAILS, "ended 4711\r\n", "")
    assert [each["pid"] for each in outcome.done["ended"]] == [4711]
    assert outcome.unconfirmed is None
    script = host.commands[3]
    assert isinstance(script, Script)
    assert (script.executable, script.args) == ("powershell", ("4711", START))
    assert "taskkill.exe /F /PID $id" in script.text


def test_without_a_start_time_name_and_port_are_looked_at_again() -> None:
    tasks = TASKS.replace("python.exe", "a&calc.exe")
    outcome, host = ended(GERMAN, tasks, "", "ended 4711\r\n", "")
    assert [each["pid"] for each in outcome.done["ended"]] == [4711]
    script = host.commands[3]
    assert isinstance(script, Script)
    assert (script.executable, script.args) == ("cmd", ("a&calc.exe",))
    assert ':8080  *[^ ]*:0  *.* 4711$"' in script.text
    assert 'taskkill /F /FI "PID eq 4711" /FI "IMAGENAME eq !1!"' in script.text
    assert "calc" not in script.text


def test_one_that_is_gone_is_not_ended() -> None:
    outcome, _ = ended(GERMAN, TASKS, DETAILS, "gone 4711\r\n", "")
    assert outcome.done == {"ended": [], "gone": [4711]}


@pytest.mark.parametrize(
    ("answer", "why"),
    [("left 4711 ERROR: Access is denied.\r\n", ": ERROR: Access is denied."), ("", "")],
)
def test_one_that_stays_is_a_failure(answer: str, why: str) -> None:
    with pytest.raises(ModuleFailed) as failed:
        ended(GERMAN, TASKS, DETAILS, answer)
    assert failed.value.message == f"could not be ended: pid 4711{why}"


def test_one_that_still_listens_is_not_confirmed() -> None:
    outcome, _ = ended(GERMAN, TASKS, DETAILS, "ended 4711\r\n", GERMAN, TASKS, DETAILS)
    assert outcome.unconfirmed == "still listening: python.exe (pid 4711)"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("System", "which is Windows itself"),
        ("svchost.exe", "which is a service's: stop the service"),
        ("sshd.exe", "which is never ended"),
        ("LSASS.EXE", "which is never ended"),
        ("com.docker.backend.exe", "for a container: use docker_restart"),
    ],
)
def test_what_must_not_be_ended_is_refused(name: str, message: str) -> None:
    with pytest.raises(GuardRefused, match=message):
        seen(GERMAN, DETAILS, tasks=TASKS.replace("python.exe", name))


def test_what_our_connection_runs_in_is_refused() -> None:
    with pytest.raises(GuardRefused, match="which our own connection runs in"):
        seen(GERMAN, DETAILS.replace("ancestor 77", "ancestor 4711"))


def test_a_host_that_cannot_be_asked_is_a_failure() -> None:
    host = FakeConnection([(1, "", "'netstat' is not recognized")], family="windows")
    with pytest.raises(ModuleFailed, match="cannot look for listeners: netstat: 'netstat' is not"):
        act("port_kill", {"port": 8080}, target(host))
