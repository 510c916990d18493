"""The reason of `--break-glass`: without one nothing is overruled."""

from __future__ import annotations

import click


def reason_given(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
    """The reason; empty where the option was not given.

    Raises:
        click.BadParameter: it was given without any.
    """
    if value is not None and not value.strip():
        raise click.BadParameter("say why: the reason stands in the journal", context, parameter)
    return value or ""
