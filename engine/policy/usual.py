"""Which policies hold: the machine's always, and the user's; none of the working directory."""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import InputError, Problem
from engine.policy.load import load
from engine.policy.policies import Policies

VARIABLE = "QUELL_POLICY"
NAME = "policy.yml"


def usual(said: str | None = None) -> Policies:
    """The policies that hold.

    Args:
        said: the user's, by the command line; else the variable names it, or it is the usual file.

    Raises:
        InputError: one that was named is not there, or one cannot be read or has problems.
    """
    import platformdirs

    own = _named(said) or Path(platformdirs.user_config_dir("quell", appauthor=False)) / NAME
    site = Path(platformdirs.site_config_dir("quell", appauthor=False)) / NAME
    return Policies(tuple(load(path) for path in dict.fromkeys((own, site)) if _there(path)))


def _there(path: Path) -> bool:
    """Whether there is anything: a link that leads nowhere must not mean that all is allowed."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise InputError(
            Problem(f"the policy cannot be read: {error.strerror}", str(path))
        ) from error
    return True


def _named(said: str | None) -> Path | None:
    named = said or os.environ.get(VARIABLE)
    if not named:
        return None
    path = Path(named).expanduser()
    if not path.is_file():
        raise InputError(Problem(f"{'--policy' if said else VARIABLE}: there is no file {path}"))
    return path
