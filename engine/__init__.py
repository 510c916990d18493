"""quell: a declarative runner for incident-response playbooks."""

__version__ = "0.1.0"
