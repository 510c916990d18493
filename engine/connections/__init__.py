"""How quell reaches a host: one connection a host for the whole run, behind one seam."""
