"""The `quell` command: finds the subcommand, and turns every error into a message and a code."""

from __future__ import annotations

import atexit
import gc
import sys
from typing import Any

import click

from engine import __version__
from engine.errors import BUG_EXIT_CODE, Bug, QuellError, refused_file
from engine.later import import_msgspec, import_unread

_COMMANDS = {
    "run": "Investigate, classify, predict, ask, mitigate, verify, resolve.",
    "resume": "Go on with a run that stopped.",
    "cancel": "Ask a run to stop, or hold the actions of all.",
    "validate": "Check playbooks without contacting a host.",
    "match": "Which playbooks an alert calls for, and with which inputs.",
    "runs": "List the runs in the journal.",
    "show": "Tell what happened in a run.",
    "inventory": "Show the inventory as quell understands it.",
    "modules": "The reference of the modules.",
    "vault": "Encrypt values, and look into encrypted files.",
    "schema": "The JSON Schema of the language, for editors.",
    "demo": "Stage a small real incident on this machine and end it.",
}

_GARBAGE = 20_000
"""Objects that are new before Python looks which of them are garbage."""


class _Lazy(click.Group):
    """Imports a subcommand's file when it is called; its one-line help stands above."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order of a working day, not of the alphabet."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import it."""
        if cmd_name not in _COMMANDS:
            return None
        import_msgspec()
        command = import_unread(f"engine.cli.{cmd_name}").command
        _look_for_garbage()
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command for one that there is not."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from engine.nearest import did_you_mean

            hint = did_you_mean(args[0], _COMMANDS)
            ctx.fail(f'no command "{args[0]}"' + (f" — {hint}" if hint else ""))
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done · 1 invalid input · 2 failed or not resolved · 3 waits for a yes · "
    "4 unreachable · 5 refused by a guard · 6 changes (--detailed-exitcode) · 99 interrupted",
)
@click.version_option(__version__, prog_name="quell", message="%(prog)s %(version)s")
def cli() -> None:
    """Run incident-response playbooks: investigate, judge, mitigate, verify, resolve."""


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # What is imported is no garbage, and at the end the system takes back all there is at once:
    # to look through it all takes as long as many a run.
    gc.disable()
    atexit.register(gc.freeze)
    try:
        code = _exit_code(argv)
    finally:
        gc.enable()
    sys.exit(code)


def _look_for_garbage() -> None:
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    gc.enable()


def _exit_code(argv: list[str] | None) -> int:
    try:
        code = _called(argv)
    except QuellError as error:
        _say(str(error))
        return error.exit_code
    except click.exceptions.Abort:
        _say("interrupted")
        return 99
    except click.ClickException as error:
        return _usage(error)
    except BrokenPipeError:
        # Whoever read our output has left, as `| head` does; that is no failure of ours.
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001  # around the whole command: our bug, and said so
        import traceback

        _say(str(error) if isinstance(error, Bug) else traceback.format_exc())
        _say("This is a bug in quell: please report it with the lines above.")
        return BUG_EXIT_CODE
    return code if isinstance(code, int) else 0


def _called(argv: list[str] | None) -> Any:
    try:
        return cli.main(args=argv, prog_name="quell", standalone_mode=False)
    except OSError as error:
        if refused := refused_file(error):
            raise refused from None
        raise


def _usage(error: click.ClickException) -> int:
    if isinstance(error, click.UsageError) and error.ctx is not None:
        _say(error.ctx.get_usage())
        _say(f"Try '{error.ctx.command_path} --help' for help.")
    _say(f"Error: {error.format_message()}")
    return 1


def _say(text: str) -> None:
    from engine.redact import escape

    click.echo(escape(text.rstrip("\n"), keep="\n"), err=True)
