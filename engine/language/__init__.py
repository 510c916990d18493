"""Text → Playbook: everything that can be known without contacting a host."""

from engine.language.heads import head
from engine.language.inputs import answer_flaws, fill, unanswered
from engine.language.load import load, notices

__all__ = ["answer_flaws", "fill", "head", "load", "notices", "unanswered"]
