"""Playbook × Hosts → events: planning, waves, the fleet, approval, and the run itself."""
