"""The words of sudo, su and doas, the talk with them, and what is remembered of it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Become, BecomeMethod, Platform
from engine.connections.become import BecomeSaid, Ladder, Ladders, needed, settled
from engine.connections.conversation import Conversation, Overheard
from engine.connections.methods import Call, NeedsTerminal
from engine.errors import BecomeRefused, DeadlineExceeded

if TYPE_CHECKING:
    from engine.connections.base import OsFamily

WHERE = "deploy@h1"


HUNTER = "hunter2"


def call(
    method: BecomeMethod = "sudo", password: str | None = HUNTER, *, terminal: bool = False
) -> Call:
    return Call(Become("app", method, password), WHERE, terminal)


# ── how they are called ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["sudo", "su", "doas"])
@pytest.mark.parametrize("terminal", [False, True])
def test_no_password_is_in_a_call(method: BecomeMethod, terminal: bool) -> None:
    one = call(method, terminal=terminal)
    assert one.argv.args[0] == method
    assert "app" in one.argv.args
    assert HUNTER not in repr(one)
    assert HUNTER not in repr(one.argv)
    assert one.argv.env == {"LC_ALL": "C"}


def test_without_a_password_nothing_may_be_asked() -> None:
    assert call("sudo", None).argv.args[1] == "-n"
    assert call("doas", None).argv.args[1] == "-n"
    assert call("doas").argv.args[1] == "-n"  # it could not be answered without a terminal
    assert "-n" not in call("doas", terminal=True).argv.args
    assert {"-S", "-p"} <= set(call("sudo").argv.args)
    assert "-S" not in call("sudo", terminal=True).argv.args


def test_what_runs_there_can_be_quoted_for_any_shell() -> None:
    for method in ("sudo", "su", "doas"):
        said = call(method).argv.args[-2 if method != "su" else -1]
        assert "\n" not in said
        assert "!" not in said
        assert said.count("'") == (2 if method == "su" else 0)


# ── what they mean ────────────────────────────────────────────────────────────────────────────

# As real ones have put it: Debian 12, sudo 1.9.13, util-linux 2.38, opendoas 6.8; the others from
# the sources of sudo 1.8, busybox, OpenBSD and FreeBSD.
ENDS: list[tuple[BecomeMethod, str, str]] = [
    ("sudo", "sudo: a password is required\n", "it wants a password: -K asks for it"),
    ("sudo", "Sorry, try again.\nsudo: 1 incorrect password attempt\n", "the password is wrong"),
    (
        "sudo",
        "sudo: unable to resolve host h1: Temporary failure in name resolution\n"
        "deploy is not in the sudoers file.\n",
        "run /bin/sh as app: deploy is not in the sudoers file.",
    ),
    (
        "sudo",
        "Sorry, user deploy is not allowed to execute '/bin/sh -c x' as app on h1.\n",
        "its rules do not let the login account run /bin/sh as app: Sorry, user deploy",
    ),
    ("sudo", "sudo: unknown user app\n", "there is no such account: sudo: unknown user app"),
    ("sudo", "sudo: unknown user: app\n", "there is no such account"),
    ("sudo", "/bin/sh: 1: exec: sudo: not found\n", "it is not installed: /bin/sh: 1: exec"),
    ("sudo", "bash: line 1: exec: sudo: not found\n", "it is not installed"),
    ("sudo", "", "it failed"),
    (
        "sudo",
        'sudo: The "no new privileges" flag is set, which prevents sudo from running as root.\n',
        'it failed: sudo: The "no new privileges" flag is set',
    ),
    ("su", "su: Authentication failure\n", "the password is wrong: it takes that of app"),
    ("su", "su: incorrect password\n", "the password is wrong"),
    ("su", "su: Sorry\n", "the password is wrong"),
    ("su", "su: user app does not exist or the user entry does not\n", "there is no such account"),
    ("su", "su: unknown login: app\n", "there is no such account"),
    ("su", "This account is currently not available.\n", "the account has no login shell"),
    ("su", "su: Permission denied\n", "it failed: su: Permission denied"),
    ("doas", "doas: Operation not permitted\n", "its rules do not let the login account"),
    ("doas", "doas: unknown user\n", "there is no such account"),
    ("doas", "doas: doas is not enabled, /etc/doas.conf: No such file\n", "it failed: doas: doas"),
]


@pytest.mark.parametrize(("method", "said", "meaning"), ENDS)
def test_the_end_of_a_call_is_explained(method: BecomeMethod, said: str, meaning: str) -> None:
    error = call(method).ended(said.encode())
    assert isinstance(error, BecomeRefused)
    about = "" if meaning.startswith("the password is wrong") else " to app"
    assert error.message.startswith(f"{WHERE}: {method}{about}: ")
    assert meaning in error.message
    assert "unable to resolve" not in error.message


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("sudo", "sudo: sorry, you must have a tty to run sudo\n"),
        ("su", "su: must be run from a terminal\n"),
        ("su", "standard in must be a tty\n"),
        ("doas", "doas: Authentication required\n"),
    ],
)
def test_some_want_a_terminal(method: BecomeMethod, said: str) -> None:
    assert isinstance(call(method).ended(said.encode()), NeedsTerminal)
    again = call(method, terminal=True).ended(said.encode())
    assert isinstance(again, BecomeRefused)


def test_a_wrong_word_of_a_call_without_a_password_is_not_about_it() -> None:
    said = b"su: Authentication failure\n"
    error = call("su", None).ended(said)
    assert isinstance(error, BecomeRefused)
    assert "password" not in error.message


# ── the talk ──────────────────────────────────────────────────────────────────────────────────


class Heard:
    """A sink that keeps all."""

    def __init__(self) -> None:
        self.data = b""
        self.finished = False

    def feed(self, data: bytes) -> None:
        self.data += data

    def finish(self) -> None:
        self.finished = True


class Talk:
    """A conversation with a method that says what the test says."""

    def __init__(self, one: Call) -> None:
        self.call = one
        self.talk = Conversation(one)
        self.out, self.err = Heard(), Heard()
        self.streams = [Overheard(self.talk, self.out), Overheard(self.talk, self.err)]
        self.answers: list[bytes] = []
        self.replies: list[str] = []
        """What it says after each answer."""

    def says(self, text: str) -> None:
        self.streams[1].feed(text.encode())

    def arrives(self) -> None:
        self.says(f"{self.call.word} 4711\n")

    def ends(self) -> None:
        for stream in self.streams:
            stream.finish()

    def answer(self, line: bytes) -> None:
        self.answers.append(line)
        reply = self.replies.pop(0) if self.replies else ""
        self.says(reply or f"{self.call.word} 4711\n")

    def hold(self, seconds: float = 10) -> int:
        return self.talk.hold(self.answer, time.monotonic() + seconds)


@pytest.mark.parametrize(
    ("method", "prompt"),
    [
        ("su", "Password: "),
        ("su", "Password:"),
        ("su", "some notice\nroot's password: "),
        ("doas", "\rdoas (deploy@h1) password: "),
    ],
)
def test_the_password_follows_the_prompt(method: BecomeMethod, prompt: str) -> None:
    talk = Talk(call(method, terminal=method == "doas"))
    talk.says(prompt)
    assert talk.hold() == 4711
    assert talk.answers == [b"hunter2\n"]


def test_sudo_is_answered_at_its_own_prompt_alone() -> None:
    talk = Talk(call())
    talk.says("Password: ")
    with pytest.raises(DeadlineExceeded, match=r"did not answer in time; .* said: Password:"):
        talk.hold(0.05)
    talk.says(talk.call.prompt)
    assert talk.hold() == 4711
    assert talk.answers == [b"hunter2\n"]


def test_a_prompt_that_is_shown_as_part_of_a_call_is_none() -> None:
    talk = Talk(call())
    talk.says(f"+ exec sudo -S -p {talk.call.prompt} -H -u app\n")
    talk.arrives()
    assert talk.hold() == 4711
    assert talk.answers == []


def test_a_prompt_is_the_last_word_of_its_own_stream() -> None:
    talk = Talk(call())
    talk.says(talk.call.prompt)
    talk.streams[0].feed(b"sudo: unable to resolve host h1\n")
    assert talk.hold() == 4711


def test_who_is_not_asked_says_nothing() -> None:
    talk = Talk(call())
    talk.arrives()
    assert talk.hold() == 4711
    assert talk.answers == []


def test_a_prompt_in_pieces_is_a_prompt() -> None:
    talk = Talk(call())
    for character in talk.call.prompt:
        talk.says(character)
    assert talk.hold() == 4711


def test_a_second_prompt_is_not_answered() -> None:
    talk = Talk(call())
    talk.replies = [f"Sorry, try again.\n{talk.call.prompt}"]
    talk.says(talk.call.prompt)
    with pytest.raises(BecomeRefused, match="the password is wrong"):
        talk.hold()
    assert talk.answers == [b"hunter2\n"]


def test_a_prompt_without_a_password_is_not_answered() -> None:
    talk = Talk(call("su", None))
    talk.says("Password: ")
    with pytest.raises(BecomeRefused, match="it wants a password"):
        talk.hold()
    assert talk.answers == []


def test_what_comes_before_is_not_the_commands_and_what_comes_behind_is() -> None:
    talk = Talk(call())
    talk.streams[0].feed(b"noise")
    talk.arrives()
    talk.hold()
    talk.streams[0].feed(b"out")
    talk.streams[1].feed(b"err")
    talk.ends()
    assert (talk.out.data, talk.err.data) == (b"out", b"err")
    assert talk.out.finished
    assert talk.err.finished


def test_an_end_is_explained_once_both_streams_have_ended() -> None:
    talk = Talk(call())
    talk.streams[0].finish()
    with ThreadPoolExecutor() as pool:
        holding = pool.submit(talk.hold)
        talk.says("deploy is not in the sudoers file.\n")
        talk.streams[1].finish()
        with pytest.raises(BecomeRefused, match="not in the sudoers file"):
            holding.result(10)
    assert not talk.err.finished


def test_a_password_without_an_answer_is_a_refusal() -> None:
    talk = Talk(call())
    talk.replies = ["Verification code: "]
    talk.says(talk.call.prompt)
    with pytest.raises(BecomeRefused, match=r"said no more in time; it said: Verification code:"):
        talk.hold(0.05)


def test_patience_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.connections.conversation.PATIENCE", 0.05)
    talk = Talk(call("su"))
    talk.says("Token: ")
    with pytest.raises(BecomeRefused, match=r"no prompt and no answer .*; it said: Token:"):
        talk.hold(60)


# ── what is remembered ────────────────────────────────────────────────────────────────────────


def soon() -> float:
    return time.monotonic() + 10


def test_a_refusal_is_remembered_in_its_own_words() -> None:
    attempts: list[bool] = []

    def attempt(terminal: bool) -> None:
        attempts.append(terminal)
        raise BecomeRefused("no")

    ladder = Ladder(Become())
    for _ in range(3):
        with pytest.raises(BecomeRefused, match=r"^no$"):
            ladder.climb(attempt, soon())
    assert attempts == [False]


def test_other_failures_are_not_remembered() -> None:
    ladder = Ladder(Become())

    def late(_: bool) -> None:
        raise DeadlineExceeded("late")

    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            ladder.climb(late, soon())
    assert ladder.climb(lambda _: 7, soon()) == 7


def test_what_has_led_there_once_is_tried_again_unless_the_password_is_wrong() -> None:
    ladder = Ladder(Become(password=HUNTER))
    assert ladder.climb(lambda _: "there", soon()) == "there"
    ends: list[BecomeRefused] = [
        BecomeRefused("no process to be had"),
        call().unanswered(""),
        call().wrong_password(),
    ]

    def attempt(_: bool) -> None:
        raise ends.pop(0)

    for why in ("no process", "said no more in time", "password is wrong", "password is wrong"):
        with pytest.raises(BecomeRefused, match=why):
            ladder.climb(attempt, soon())
    assert ends == []


def test_a_password_without_an_answer_is_remembered_of_the_first_climb() -> None:
    ladders = Ladders()

    attempts: list[bool] = []

    def attempt(terminal: bool) -> None:
        attempts.append(terminal)
        raise call().unanswered("")

    for user in ("root", "root", "app"):
        with pytest.raises(BecomeRefused, match="said no more in time"):
            ladders.to(Become(user, password=HUNTER)).climb(attempt, soon())
    assert attempts == [False]


def test_a_terminal_that_was_wanted_once_is_had_from_then_on() -> None:
    attempts: list[bool] = []

    def attempt(terminal: bool) -> str:
        attempts.append(terminal)
        if not terminal:
            raise NeedsTerminal
        return "there"

    ladder = Ladder(Become())
    assert [ladder.climb(attempt, soon()) for _ in range(2)] == ["there", "there"]
    assert attempts == [False, True, True]


def test_the_first_climb_is_alone_and_later_ones_are_not() -> None:
    ladder = Ladder(Become())
    begun, go = threading.Event(), threading.Event()
    together = threading.Barrier(3)

    def first(_: bool) -> None:
        begun.set()
        go.wait(10)

    def later(_: bool) -> None:
        assert go.is_set()
        together.wait(10)  # breaks if they come one after the other

    with ThreadPoolExecutor(4) as pool:
        climbing = [pool.submit(ladder.climb, first, soon())]
        assert begun.wait(10)
        climbing += [pool.submit(ladder.climb, later, soon()) for _ in range(3)]
        go.set()
        for one in climbing:
            one.result(20)


def test_whoever_waits_for_the_first_climb_waits_until_its_own_deadline() -> None:
    ladder, go = Ladder(Become()), threading.Event()
    begun = threading.Event()

    def slow(_: bool) -> None:
        begun.set()
        go.wait(10)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ladder.climb, slow, soon())
        assert begun.wait(10)
        with pytest.raises(DeadlineExceeded, match="still being tried for another task"):
            ladder.climb(slow, time.monotonic() + 0.05)
        go.set()
        first.result(10)


def test_each_account_method_and_password_has_its_own() -> None:
    ladders = Ladders()
    assert ladders.to(Become()) is ladders.to(Become())
    others = [Become("app"), Become(method="su"), Become(password="x"), Become()]
    assert len({id(ladders.to(one)) for one in others}) == 4


def test_a_password_that_was_refused_is_not_tried_for_another_account() -> None:
    ladders = Ladders()
    tried: list[str] = []

    def attempt(user: str, method: BecomeMethod, password: str) -> str:
        def refuse(_: bool) -> None:
            tried.append(f"{method} {user}")
            raise call(method).wrong_password()

        with pytest.raises(BecomeRefused) as caught:
            ladders.to(Become(user, method, password)).climb(refuse, soon())
        return caught.value.message

    first = attempt("root", "sudo", "wrong")
    assert attempt("app", "sudo", "wrong") == first
    assert attempt("app", "doas", "wrong") == first  # it is the login account's for both
    attempt("app", "sudo", "another")
    attempt("app", "su", "wrong")  # of which it is another one's
    attempt("root", "su", "wrong")
    assert tried == ["sudo root", "sudo app", "su app", "su root"]


def test_a_rule_that_refuses_one_account_says_nothing_of_others() -> None:
    ladders = Ladders()

    def refuse(_: bool) -> None:
        raise BecomeRefused("no rule")

    with pytest.raises(BecomeRefused, match="no rule"):
        ladders.to(Become("app", password="right")).climb(refuse, soon())
    assert ladders.to(Become("other", password="right")).climb(lambda _: 7, soon()) == 7


# ── whether, and as whom ──────────────────────────────────────────────────────────────────────


def platform(family: OsFamily, user: str) -> Platform:
    return Platform(family, "sh", "x86_64", user, 0 if user == "root" else 1000)


def test_only_another_account_needs_a_method() -> None:
    assert needed(Become(), platform("linux", "deploy"), WHERE)
    assert not needed(Become(), platform("macos", "root"), WHERE)
    assert needed(Become("app"), platform("posix", "root"), WHERE)


def test_a_windows_host_has_none() -> None:
    with pytest.raises(BecomeRefused, match=r"deploy@h1: become is not supported on Windows"):
        needed(Become(), platform("windows", "Administrator"), WHERE)


NOTHING = BecomeSaid()


@pytest.mark.parametrize(
    ("sources", "become"),
    [
        ((NOTHING, NOTHING), None),
        ((BecomeSaid(user="app", method="su", password="x"),), None),
        ((NOTHING, BecomeSaid(True)), Become()),
        ((BecomeSaid(False), BecomeSaid(True)), None),
        ((BecomeSaid(True), BecomeSaid(False)), Become()),
        (
            (
                BecomeSaid(user="app"),
                BecomeSaid(True, user="other", method="doas"),
                BecomeSaid(method="su", password="x"),
            ),
            Become("app", "doas", "x"),
        ),
    ],
)
def test_the_first_that_says_something_decides(
    sources: tuple[BecomeSaid, ...], become: Become | None
) -> None:
    assert settled(*sources) == become


def test_a_password_is_in_no_repr() -> None:
    for one in (Become(password=HUNTER), BecomeSaid(password=HUNTER)):
        assert HUNTER not in repr(one)
