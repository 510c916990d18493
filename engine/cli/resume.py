"""`quell resume`: go on with a run that waits, was interrupted, failed, or was broken off."""

from __future__ import annotations

from typing import Any

import click

from engine.cli.vaults import vault_of, vault_options


@click.command()
@click.argument("run", metavar="RUN", default="last")
@click.option("--yes", is_flag=True, help="Apply the changes without asking.")
@click.option("-k", "--ask-pass", is_flag=True, help="Ask for the SSH password.")
@click.option(
    "-K", "--ask-become-pass", is_flag=True, help="Ask for the password of sudo and its like."
)
@click.option(
    "-e",
    "--extra-vars",
    multiple=True,
    metavar="VALUES",
    help="Once more the secrets among the inputs, which the journal does not keep.",
)
@vault_options
@click.option("-D", "--diff", is_flag=True, help="Show each change's before and after.")
@click.option("--json", "as_json", is_flag=True, help="Events on stdout, as JSON Lines.")
@click.option("--journal", metavar="URL", help="Another journal than your own.")
@click.option("-v", "--verbose", count=True, help="More of the results; -vv, -vvv: all of it.")
def command(
    run: str,
    *,
    yes: bool,
    ask_pass: bool,
    ask_become_pass: bool,
    diff: bool,
    as_json: bool,
    journal: str | None,
    verbose: int,
    extra_vars: tuple[str, ...],
    **vaults: Any,
) -> int:
    """Go on with RUN: its id, the start of it, or `last`.

    What ended is not run again. An action whose outcome nobody saw is looked at first, and never
    sent again without a yes.
    """
    from engine.cli import session
    from engine.cli.extra import extra_vars as read_extra
    from engine.cli.masking import masking
    from engine.cli.passwords import asked

    vault = vault_of(vaults)
    manner = session.Manner(
        yes=yes,
        json=as_json,
        verbosity=verbose,
        diff=diff,
        journal=journal,
        passwords=asked(ssh=ask_pass, become=ask_become_pass),
        vault=vault,
    )
    with masking(vault.redactor):
        return session.go_on(run, manner, read_extra(extra_vars, vault))
