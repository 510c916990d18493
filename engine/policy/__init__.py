"""What a team forbids or demands, whatever a playbook says."""

from engine.policy.policies import Policies
from engine.policy.policy import Policy
from engine.policy.usual import usual

__all__ = ["Policies", "Policy", "usual"]
