"""Alerts: what Alertmanager and PagerDuty send → the playbooks that they call for.

What an alert says is data: it is held against matchers, and becomes an input where a playbook
declares one; nothing in it is ever rendered or evaluated.
"""

from engine.alerts.alert import Alert, Offer
from engine.alerts.choosing import choose
from engine.alerts.reading import offered, read_offer

__all__ = ["Alert", "Offer", "choose", "offered", "read_offer"]
