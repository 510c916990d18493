"""Text → Playbook: everything that can be known without contacting a host."""
