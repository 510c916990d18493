"""The inventory: text → hosts, groups and variables, as Ansible reads it.

For an inventory that both accept, hosts, groups and variables are Ansible's. Differences, all
on purpose:

- What Ansible warns of or passes over is an error: a missing, empty or broken source, an unknown
  key in a group, a key given twice, a selector that names nothing, an empty group as a target.
- A `.yml` or `.yaml` file is YAML or wrong; Ansible then tries it as INI.
- A range in a list of hosts (`-i 'db[1:3],'`) is a range; Ansible makes it a host's name.
- A host named like a group keeps its own variables; Ansible gives them to the group.
- `web[:1]` and `web[-2:]` are slices, both ends included; Ansible takes them as sets of
  characters. `web[0-2]` is refused, as it could be either.
- A subscript counts each host once, and what it leaves out of range is an error.
- A pattern is split at commas, else at colons; Ansible also splits at spaces, and an IPv6 address
  with `!` or `&` before it.
- Hosts of groups three levels deep come breadth first; Ansible's order changes from run to run.
- `group_vars` of the working directory count for nothing, unless the inventory is there.
- `ungrouped` has neither children nor parents but `all`; in Ansible hosts get lost that way.
- Dates in YAML are text. The implicit localhost has no `ansible_python_interpreter`.
- Not supported, and said so: `!unsafe`, inventory scripts and plugins, TOML.
"""

from engine.inventory.inventory import Inventory
from engine.inventory.loading import load

__all__ = ["Inventory", "load"]
