"""What a run goes on with, and what has changed since: no host is contacted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.errors import InputError
from engine.events import RunResumed
from engine.execution.assemble import prepare
from engine.execution.options import Options
from engine.execution.resuming import Elsewhere, options_of, resumption
from engine.journal.progress import progress
from engine.redact import MASK
from tests.journal.events import action, at, intent, started, task

if TYPE_CHECKING:
    from engine.events import Event
    from engine.execution.assemble import Prepared
    from engine.journal.progress import Progress

MODULES = Path(__file__).with_name("modules")
BOOK = """\
name: Book
hosts: all
vars: {word: hello, other: bye}
inputs:
  text: {type: string, default: one}
investigate:
  - {name: Look, shell: {script: "echo {{ word }}", probe: true}}
  - {name: Look again, shell: {script: "echo {{ text }}", probe: true}}
mitigate:
  - {name: First, shell: "true"}
  - include: more.yml
"""
MORE = "tasks:\n  - {name: Second, shell: 'false'}\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A playbook, what it includes, an inventory and its variables."""
    made = tmp_path / "here"
    for name, text in {
        "book.yml": BOOK,
        "more.yml": MORE,
        "hosts.yml": "all: {hosts: {h1: , h2: , h3: }}\n",
        "group_vars/all.yml": "size: 1\n",
        "host_vars/h1.yml": "size: 2\n",
        "host_vars/h3.yml": "size: 3\n",
    }.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    return made


def load(directory: Path, **more: Any) -> Prepared:
    """What the command line says of it, loaded."""
    said: dict[str, Any] = {
        "playbook": str(directory / "book.yml"),
        "inventory": [str(directory / "hosts.yml")],
        "limit": "h1,h2",
    }
    return prepare(Options(**{**said, **more}))


def begun(prepared: Prepared, *more: Event) -> Progress:
    """How far a run of it got."""
    opening = started(
        files=prepared.files,
        tasks=prepared.tasks,
        digest=prepared.playbook.digest,
        options=msgspec.to_builtins(prepared.options),
    )
    return progress([opening, *more])


def refused(so_far: Progress, now: Prepared, *, accept: bool = False) -> list[str]:
    with pytest.raises(InputError) as error:
        resumption(so_far, now, accept=accept)
    return [str(problem) for problem in error.value.problems]


class TestFiles:
    def test_nothing_has_changed(self, directory: Path) -> None:
        so_far = begun(load(directory))

        going_on = resumption(so_far, load(directory), accept=False)

        assert (going_on.progress, going_on.changed, going_on.moved) == (so_far, (), {})

    @pytest.mark.parametrize(
        "name", ["book.yml", "more.yml", "hosts.yml", "group_vars/all.yml", "host_vars/h1.yml"]
    )
    def test_a_file_that_has_changed_is_named(self, directory: Path, name: str) -> None:
        so_far = begun(load(directory))
        file = directory / name
        file.write_text(f"{file.read_text()}# another\n")

        [said] = refused(so_far, load(directory))

        assert said.startswith(f"{file}: has changed since the run began")
        assert said.endswith("or --changed-files goes on with them as they are now")

    def test_all_of_them_are_named(self, directory: Path) -> None:
        so_far = begun(load(directory))
        (directory / "more.yml").write_text(f"{MORE}#\n")
        (directory / "host_vars/h1.yml").unlink()
        (directory / "host_vars/h2.yml").write_text("size: 4\n")

        said = refused(so_far, load(directory))

        assert [line.partition(" — ")[0] for line in said] == [
            f"{directory / 'more.yml'}: has changed since the run began",
            f"{directory / 'host_vars/h1.yml'}: was read then, and is not now",
            f"{directory / 'host_vars/h2.yml'}: is read now, and was not when the run began",
        ]

    def test_what_other_hosts_are_told_may_change(self, directory: Path) -> None:
        so_far = begun(load(directory))
        (directory / "host_vars/h3.yml").write_text("size: 5\n")

        assert resumption(so_far, load(directory), accept=False).changed == ()

    def test_a_module_and_a_list_of_hosts_are_files_too(
        self, directory: Path, tmp_path: Path
    ) -> None:
        modules, limit = tmp_path / "modules", tmp_path / "limit"
        shutil.copytree(MODULES, modules)
        limit.write_text("h1\n")
        (directory / "more.yml").write_text("tasks:\n  - {name: Second, switch: 'on'}\n")
        more: dict[str, Any] = {"module_path": [str(modules)], "limit": f"@{limit}"}
        so_far = begun(load(directory, **more))
        for file in (modules / "switch.py", modules / "look.py"):
            file.write_text(f"{file.read_text()}# another\n")
        limit.write_text("h1\nh2\n")

        said = refused(so_far, load(directory, **more))

        # The playbook does not use the other module.
        assert sorted(line.partition(":")[0] for line in said) == sorted(
            [str(modules / "switch.py"), str(limit)]
        )

    def test_an_older_quell_knew_only_the_playbook(self, directory: Path) -> None:
        then = load(directory)
        so_far = progress([started(digest=then.playbook.digest, options={"playbook": "x"})])
        assert resumption(so_far, load(directory), accept=False).changed == ()
        (directory / "more.yml").write_text(f"{MORE}#\n")

        [said] = refused(so_far, load(directory))

        assert said.startswith(f"{directory / 'book.yml'}: has changed since the run began")


class TestElsewhere:
    def test_the_same_files_in_another_place(self, directory: Path) -> None:
        so_far = begun(load(directory))
        there = directory.rename(directory.with_name("there"))
        where = Elsewhere(
            playbook=str(there / "book.yml"), inventory=[str(there / "hosts.yml")], user="bob"
        )

        options = options_of(so_far, where)

        assert (options.playbook, options.user) == (str(there / "book.yml"), "bob")
        assert options.limit == "h1,h2"
        assert resumption(so_far, prepare(options), accept=False).changed == ()

    def test_a_playbook_that_is_not_there(self, directory: Path) -> None:
        so_far = begun(load(directory))
        directory.rename(directory.with_name("there"))

        with pytest.raises(InputError, match=r"book.yml: the run's playbook is not there"):
            options_of(so_far, Elsewhere())

    def test_secrets_are_given_again(self, directory: Path) -> None:
        so_far = begun(load(directory, extra={"text": MASK, "other": "plain"}))

        with pytest.raises(InputError, match="text was a secret and is in no journal"):
            options_of(so_far, Elsewhere())
        with pytest.raises(InputError, match="other was no secret"):
            options_of(so_far, Elsewhere(secrets={"text": "s", "other": "x"}))
        options = options_of(so_far, Elsewhere(secrets={"text": "s"}))
        assert options.extra == {"text": "s", "other": "plain"}

    def test_broken_glass_is_whole_again(self, directory: Path) -> None:
        so_far = begun(load(directory, break_glass="a fire"))

        assert options_of(so_far, Elsewhere()).break_glass == ""
        assert options_of(so_far, Elsewhere(break_glass="a flood")).break_glass == "a flood"

    def test_no_host_is_sent_the_mask_of_a_password(self, directory: Path) -> None:
        hidden = {"ansible_password": MASK, "ansible_become_password": MASK}
        so_far = begun(load(directory, extra={**hidden, "ansible_user": "ann"}))

        assert options_of(so_far, Elsewhere()).extra == {"ansible_user": "ann"}
        again = Elsewhere(secrets={"ansible_password": "s"})
        assert options_of(so_far, again).extra == {"ansible_user": "ann", "ansible_password": "s"}


class TestChangedPlaybook:
    def changed(self, directory: Path, old: str, new: str) -> Prepared:
        book = directory / "book.yml"
        assert old in book.read_text()
        book.write_text(book.read_text().replace(old, new))
        return load(directory)

    def test_tasks_are_known_by_what_they_say(self, directory: Path) -> None:
        probe = {"name": "Look", "module": "shell", "host": "h1"}
        so_far = begun(
            load(directory),
            task(1, **probe),
            task(2, **probe, task="investigate.2"),
            action(3, module="shell", host="h1"),
            intent(4, task="mitigate.2.1", host="h1", intent="i2"),
        )
        extra = '  - {name: New, shell: {script: "echo new", probe: true}}\n  - {name: Look again'
        now = self.changed(directory, "  - {name: Look again", extra)

        going_on = resumption(so_far, now, accept=True)

        assert going_on.moved == {"investigate.2": "investigate.3"}
        assert set(going_on.progress.finished) == {
            ("investigate.1", "h1", None),
            ("investigate.3", "h1", None),
            ("mitigate.1", "h1", None),
        }
        assert [sent.task for sent in going_on.progress.unknown] == ["mitigate.2.1"]
        assert going_on.changed == (f"{directory / 'book.yml'}: has changed since the run began",)

    @pytest.mark.parametrize(
        ("old", "new", "gone"),
        [
            ('name: First, shell: "true"', 'name: First, shell: "false"', {"mitigate.1"}),
            ("name: Look,", "name: Peep,", {"investigate.1"}),
            ("word: hello", "word: goodbye", {"investigate.1"}),
            ("default: one", "default: two", {"investigate.2"}),
            ("other: bye", "other: ciao", set()),
            ("name: Book", "name: Other", set()),
        ],
    )
    def test_a_task_that_says_something_else_is_another_one(
        self, directory: Path, old: str, new: str, gone: set[str]
    ) -> None:
        so_far = begun(load(directory))

        going_on = resumption(so_far, self.changed(directory, old, new), accept=True)

        assert going_on.moved == dict.fromkeys(gone, "")

    def test_tasks_that_say_the_same_are_told_apart_by_their_order(self, directory: Path) -> None:
        self.changed(directory, "  - include: more.yml\n", '  - {name: First, shell: "true"}\n')
        so_far = begun(load(directory))
        first = '  - {name: First, shell: "true"}\n'
        new = f'  - {{name: Zeroth, shell: "echo"}}\n{first}{first}'
        now = self.changed(directory, first * 2, new)

        moved = resumption(so_far, now, accept=True).moved

        assert moved == {"mitigate.1": "mitigate.2", "mitigate.2": "mitigate.3"}

    def test_an_unknown_outcome_of_a_changed_task_is_not_passed_over(self, directory: Path) -> None:
        so_far = begun(load(directory), intent(4, host="h1", name="First"))
        now = self.changed(directory, 'name: First, shell: "true"', 'name: First, shell: "false"')

        [said] = refused(so_far, now, accept=True)

        assert said.startswith("First (mitigate.1) on h1 was sent and nobody saw what became of it")
        assert "start a new run" in said


def test_options_are_those_of_the_last_time(directory: Path) -> None:
    prepared = load(directory)
    again = msgspec.to_builtins(msgspec.structs.replace(prepared.options, user="bob"))
    so_far = begun(prepared, RunResumed(at=at(9), user="bob", options=again))

    assert options_of(so_far, Elsewhere()).user == "bob"
