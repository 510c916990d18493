"""`quell run`: a playbook on the hosts of an inventory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.journal_option import journal_option
from engine.cli.paths import absolute
from engine.cli.reason import reason_given
from engine.cli.vaults import vault_of, vault_options
from engine.connections.become import METHODS
from engine.execution.options import FORKS

if TYPE_CHECKING:
    from engine.alerts import Offer
    from engine.execution.options import Options
    from engine.vault import Vault

_PHASES = ("acknowledge", "investigate", "mitigate", "resolve", "always")


@click.command(epilog="Investigating is free and always safe; mitigating needs a yes.")
@click.argument("playbook", type=click.Path())
@click.option(
    "-i",
    "--inventory",
    multiple=True,
    metavar="SOURCE",
    help="File, directory, or `h1,h2,`; may be repeated. Without one: this machine only.",
)
@click.option("-l", "--limit", metavar="PATTERN", help="Fewer hosts: a pattern, or @file.")
@click.option(
    "-e",
    "--extra-vars",
    multiple=True,
    metavar="VALUES",
    help="Inputs: k=v, YAML/JSON, or @file; may be repeated.",
)
@click.option(
    "--alert",
    metavar="FILE",
    help="The alert that it is run for, as Alertmanager or PagerDuty sends it; `-` for standard "
    "input, FILE#N for the Nth of several.",
)
@click.option("-C", "--check", is_flag=True, help="Change nothing; say what would be changed.")
@vault_options
@click.option("-D", "--diff", is_flag=True, help="Show each change's before and after.")
@click.option("--yes", is_flag=True, help="Apply the changes without asking.")
@click.option("--only", metavar="PHASE", type=click.Choice(_PHASES), help="Run only this phase.")
@click.option("-t", "--tags", multiple=True, help="Run only tasks with one of these tags.")
@click.option("--skip-tags", multiple=True, help="Leave out tasks with one of these tags.")
@click.option("--start-at-task", metavar="NAME", help="Pass over the tasks before this one.")
@click.option("--step", is_flag=True, help="Ask before each task.")
@click.option(
    "-f",
    "--forks",
    default=FORKS,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Hosts at a time.",
)
@click.option("-u", "--user", help="The account on the hosts, where the inventory names none.")
@click.option("-k", "--ask-pass", is_flag=True, help="Ask for the SSH password.")
@click.option("--private-key", "--key-file", type=click.Path(), help="The SSH key, likewise.")
@click.option("-b", "--become", is_flag=True, help="Act on the hosts as another account.")
@click.option("--become-user", metavar="USER", help="As which one, where nothing else is said.")
@click.option(
    "--become-method",
    type=click.Choice(METHODS),
    help="How to get there, likewise; sudo unless said.",
)
@click.option(
    "-K", "--ask-become-pass", is_flag=True, help="Ask for the password of sudo and its like."
)
@click.option(
    "-T",
    "--timeout",
    type=click.FloatRange(0.1, 600),
    help="Seconds to connect; 10 where ssh_config says nothing else.",
)
@click.option(
    "-M", "--module-path", multiple=True, type=click.Path(), help="A directory with more modules."
)
@click.option("--json", "as_json", is_flag=True, help="Events on stdout, as JSON Lines.")
@click.option("--policy", metavar="FILE", type=click.Path(), help="Your policy, if not the usual.")
@click.option(
    "--break-glass",
    metavar="REASON",
    callback=reason_given,
    help="Overrule a policy's approvals and cool-downs; the reason stands in the journal.",
)
@journal_option
@click.option(
    "--detailed-exitcode", is_flag=True, help="With --check: exit 6 if there would be changes."
)
@click.option("--syntax-check", is_flag=True, help="Only check the playbook and the inventory.")
@click.option("--list-hosts", is_flag=True, help="Only list the hosts that would be reached.")
@click.option("--list-tasks", is_flag=True, help="Only list the tasks that would be run.")
@click.option("--list-tags", is_flag=True, help="Only list the tags that tasks have.")
@click.option("-v", "--verbose", count=True, help="More of the results; -vv, -vvv: all of it.")
def command(playbook: str, **said: Any) -> int:
    """Run PLAYBOOK: investigate, classify, predict, ask, mitigate, verify, resolve."""
    from engine.alerts import read_offer
    from engine.cli.masking import masking

    offer = read_offer(said["alert"]) if said["alert"] else None
    if offer is not None and offer.over:
        click.echo(f"{offer.path}: resolved: nothing is started", err=True)
        return 0
    vault = vault_of(said)
    with masking(vault.redactor):
        return _run(playbook, said, offer, vault)


def _run(playbook: str, said: dict[str, Any], offer: Offer | None, vault: Vault) -> int:
    from engine.cli import session
    from engine.cli.passwords import asked

    options = _options(playbook, said, vault)
    lists = [name for name in ("hosts", "tasks", "tags") if said[f"list_{name}"]]
    if said["syntax_check"] or lists:
        from engine.cli import listing

        return listing.show(options, lists, offer, vault)
    manner = session.Manner(
        yes=said["yes"],
        json=said["as_json"],
        verbosity=said["verbose"],
        diff=said["diff"],
        step=said["step"],
        journal=said["journal"],
        passwords=asked(ssh=said["ask_pass"], become=said["ask_become_pass"]),
        vault=vault,
    )
    return session.start(options, manner, offer)


def _options(playbook: str, said: dict[str, Any], vault: Vault) -> Options:
    """What was said, in a form that the journal keeps."""
    from engine.cli.extra import extra_vars
    from engine.execution.options import Options

    return Options(
        playbook=str(Path(playbook).absolute()),
        inventory=[absolute(source) for source in said["inventory"]],
        extra=extra_vars(said["extra_vars"], vault),
        limit=_limit(said["limit"]),
        check=said["check"],
        only=said["only"],
        tags=_split(said["tags"]),
        skip_tags=_split(said["skip_tags"]),
        forks=said["forks"],
        user=said["user"],
        become=said["become"],
        become_user=_account(said["become_user"]),
        become_method=said["become_method"],
        private_key=said["private_key"] and absolute(said["private_key"]),
        timeout=said["timeout"],
        module_path=[absolute(path) for path in said["module_path"]],
        start_at_task=said["start_at_task"],
        policy=said["policy"] and absolute(said["policy"]),
        break_glass=said["break_glass"],
        detailed_exitcode=said["detailed_exitcode"],
    )


def _account(name: str | None) -> str | None:
    from engine.connections.become import is_account

    if name is not None and not is_account(name):
        raise click.BadParameter(f"{name!r} is no account's name", param_hint="--become-user")
    return name


def _limit(limit: str | None) -> str | None:
    if limit is not None and limit.startswith("@"):
        return f"@{Path(limit[1:]).absolute()}"
    return limit


def _split(tags: tuple[str, ...]) -> list[str]:
    return [tag.strip() for given in tags for tag in given.split(",") if tag.strip()]
