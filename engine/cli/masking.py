"""What a command says when it fails goes round the run's sinks: secrets are masked here."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from engine.errors import Bug, InputError, QuellError, refused_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.errors import Problem
    from engine.redact import Redactor


@contextmanager
def masking(redactor: Redactor) -> Iterator[None]:
    """Mask what is raised inside.

    Args:
        redactor: knows what is secret by the time that something is raised.
    """
    try:
        yield
    except InputError as error:
        raise InputError(*(_masked(problem, redactor) for problem in error.problems)) from None
    except QuellError as error:
        error.args = tuple(redactor.text(str(argument)) for argument in error.args)
        raise
    except (click.ClickException, click.exceptions.Abort, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001  # around the whole command: our bug
        if refused := refused_file(error):
            raise refused from None
        raise Bug(redactor.text(traceback.format_exc())) from None


def _masked(problem: Problem, redactor: Redactor) -> Problem:
    return replace(
        problem,
        message=redactor.text(problem.message),
        source=redactor.text(problem.source),
        hint=redactor.text(problem.hint),
    )
