"""How quell reaches a host: one connection a host for the whole run, behind one seam."""

from engine.connections.later import import_later

# paramiko wants it for `Match exec` alone, which we read ourselves: a third of its import's time.
import_later("invoke")
