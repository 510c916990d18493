"""`quell resume`: go on with a run that waits, was interrupted, failed, or was broken off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.cli.journal_option import journal_option
from engine.cli.paths import absolute
from engine.cli.reason import reason_given
from engine.cli.vaults import vault_of, vault_options

if TYPE_CHECKING:
    from engine.vault import Vault


@click.command()
@click.argument("run", metavar="RUN", default="last")
@click.option("--yes", is_flag=True, help="Apply the changes without asking.")
@click.option(
    "--changed-files",
    is_flag=True,
    help="Go on although the playbook, the inventory or a file that they read has changed.",
)
@click.option("--playbook", metavar="FILE", help="Where the playbook is on this controller.")
@click.option(
    "-i", "--inventory", multiple=True, metavar="SOURCE", help="Where the inventory is here."
)
@click.option(
    "-M", "--module-path", multiple=True, metavar="DIRECTORY", help="Where its modules are here."
)
@click.option("--policy", metavar="FILE", help="Your policy, if not the one before.")
@click.option("-u", "--user", help="Your account on the hosts, instead of the one before.")
@click.option("--private-key", "--key-file", metavar="FILE", help="Your SSH key, likewise.")
@click.option(
    "-e",
    "--extra-vars",
    multiple=True,
    metavar="VALUES",
    help="Inputs that were secret: they are in no journal.",
)
@click.option("-k", "--ask-pass", is_flag=True, help="Ask for the SSH password.")
@click.option(
    "-K", "--ask-become-pass", is_flag=True, help="Ask for the password of sudo and its like."
)
@click.option(
    "--break-glass",
    metavar="REASON",
    callback=reason_given,
    help="Overrule a policy's approvals and cool-downs, this time too.",
)
@vault_options
@click.option("-D", "--diff", is_flag=True, help="Show each change's before and after.")
@click.option("--json", "as_json", is_flag=True, help="Events on stdout, as JSON Lines.")
@journal_option
@click.option("-v", "--verbose", count=True, help="More of the results; -vv, -vvv: all of it.")
def command(run: str, **said: Any) -> int:
    """Go on with RUN: its id, the start of it, or `last`.

    What ended is not run again. An action whose outcome nobody saw is looked at first, and never
    sent again without a yes. The files must be those that the run began with; on another
    controller they may lie elsewhere.
    """
    from engine.cli.masking import masking

    vault = vault_of(said)
    with masking(vault.redactor):
        return _resume(run, said, vault)


def _resume(run: str, said: dict[str, Any], vault: Vault) -> int:
    from engine.cli import session
    from engine.cli.extra import extra_vars
    from engine.cli.passwords import asked
    from engine.execution.resuming import Elsewhere

    elsewhere = Elsewhere(
        playbook=said["playbook"] and absolute(said["playbook"]),
        inventory=[absolute(source) for source in said["inventory"]] or None,
        module_path=[absolute(path) for path in said["module_path"]] or None,
        policy=said["policy"] and absolute(said["policy"]),
        user=said["user"],
        private_key=said["private_key"] and absolute(said["private_key"]),
        secrets=extra_vars(said["extra_vars"], vault),
        break_glass=said["break_glass"],
    )
    manner = session.Manner(
        yes=said["yes"],
        json=said["as_json"],
        verbosity=said["verbose"],
        diff=said["diff"],
        journal=said["journal"],
        passwords=asked(ssh=said["ask_pass"], become=said["ask_become_pass"]),
        vault=vault,
    )
    return session.go_on(run, manner, elsewhere, accept=said["changed_files"])
