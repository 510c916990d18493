"""How quell reaches a host: one connection a host for the whole run, behind one seam."""

from engine.later import import_later, look_up_versions_by_name

# paramiko wants it for `Match exec` alone, which we read ourselves: a third of its import's time.
import_later("invoke")

# It asks for its own version: a quarter of what is left.
look_up_versions_by_name()
