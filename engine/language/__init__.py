"""Text → Playbook: everything that can be known without contacting a host."""

from engine.language.heads import head
from engine.language.inputs import fill, unanswered
from engine.language.load import load, notices

__all__ = ["fill", "head", "load", "notices", "unanswered"]
