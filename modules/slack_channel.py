"""`slack_channel`: the incident's channel."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from msgspec import field

from engine.contract import (
    Change,
    Identity,
    Meta,
    ModuleFailed,
    Record,
    Struct,
    Target,
    cut,
    to_plain,
)
from engine.contract.http import HttpUrl
from engine.contract.slack import Slack, SlackRefused

_LONGEST = 80
_SUFFIX = 4
"""Characters of a channel's name, and those that are left for `-2` and its like."""
_NAMES = 20
"""Names that are tried."""
_TEXT = 250
"""Characters of a topic and of a purpose."""
_PAGE = 200
_IN_ALREADY = {"already_in_channel", "cant_invite_self"}

Date = Annotated[
    str, Meta(pattern=r"^\d{4}-\d\d-\d\d", title="date or time", examples=["2026-11-23"])
]
Text = Annotated[str, Meta(min_length=1)]


class Channel(Struct, frozen=True, kw_only=True):
    """The channel.

    Args:
        id: Slack's, for later tasks.
        name: without the `#`; it may be another one than was wished for.
        permalink: leads there.
        created: whether it is new.
        archived: whether it is archived.
        invited: the ids of the users who are in it now because of this.
        message: the time stamp of the message that was posted, which is its id; None without one.
        status: of the pinned status message.
    """

    id: str
    name: str
    permalink: str
    created: bool
    archived: bool
    invited: list[str]
    message: str | None
    status: str | None


class SlackChannel(Record, frozen=True, kw_only=True):
    """Open the incident's channel in Slack, and keep it up to date.

    With a title it is `#incident-YYYY-MM-DD-title`, in Slack's spelling. If there is such a
    channel already, it is the incident's: it is used, and what is asked for is done there. With a
    `key` only the channel that has this key in its purpose is; the name of any other one is taken,
    and a new channel is called `…-2`.

    Slack is asked from the controller, once for each host that the task runs on: say
    `run_once: true`. Needs `pip install 'quell[slack]'`, and an app whose token has the scopes
    `channels:manage`, `channels:read`, `channels:join`, `chat:write`, `pins:read`, `pins:write`,
    `users:read.email` and `usergroups:read`, as far as they are used; for private channels
    `groups:read` and `groups:write`.

    Args:
        token: of the app, `xoxb-…`; a secret, so take it from `env` or a vault.
        title: of the incident; the channel is called after it.
        name: its whole name, instead of a title.
        channel: its id, where an earlier task has opened it: `"{{ channel.id }}"`.
        key: tells this incident from others of the same day and title: `"{{ run_id }}"`.
        date: in the name; today's in UTC unless given. `"{{ incident.opened_at }}"` keeps the name
            past midnight.
        prefix: the first word of the name.
        private: whether only who is invited sees it.
        invite: users by id or mail address, and groups by `@handle` or id. Who cannot be invited
            fails the task, once all else is done.
        topic: what stands above the channel.
        purpose: what stands in its description; say the `key` again with it, for that is where it
            stands.
        message: is posted.
        status: the text of the pinned status message; where there is one, it is changed.
        archive: whether to close the channel at last; what was written stays there to read.
        url: of the API.

    **Source:** https://docs.slack.dev/reference/methods.
    """

    token: Text
    title: Text | None = None
    name: Text | None = None
    channel: Annotated[str, Meta(pattern="^[CG][A-Z0-9]+$", title="channel's id")] | None = None
    key: str = ""
    date: Date | None = None
    prefix: Text = "incident"
    private: bool = False
    invite: list[Text] = field(default_factory=list)
    topic: str | None = None
    purpose: str | None = None
    message: Text | None = None
    status: Text | None = None
    archive: bool = False
    url: HttpUrl = "https://slack.com/api/"

    def __post_init__(self) -> None:
        """Refuse a channel that is named in no way, or in two.

        Raises:
            ValueError: the arguments do not go together.
        """
        if sum(given is not None for given in (self.title, self.name, self.channel)) != 1:
            raise ValueError("say one of title, name and channel")
        if self.name is not None and not _spelt(self.name):
            raise ValueError(f"name: nothing in {self.name!r} can stand in a channel's name")

    def decide(self) -> Change:
        """What is to be done there."""
        wished = {
            "invite": ", ".join(self.invite),
            "topic": self.topic,
            "purpose": self.purpose,
            "message": self.message,
            "status": self.status,
            "archive": self.archive,
        }
        wanted = {what: value for what, value in wished.items() if value}
        where = self.channel or f"#{self._name()}"
        if self.channel is None:
            wanted = {"open": where, **wanted}
        return Change(
            summary=f"{where}: {', '.join(wanted) or 'nothing'}",
            on=(Identity("channel", where),),
            after=wanted,
        )

    def apply(self, target: Target, change: Change) -> Channel:
        """Find it or open it, then do the rest there."""
        slack = Slack(target, self.token, self.url)
        me = slack.call(slack.web.auth_test)
        found, created = self._found(slack, me["user_id"])
        there = _There(slack, found["id"], me["user_id"])
        invited: list[str] = []
        missed: list[str] = []
        message = status = None
        if not found.get("is_archived"):
            self._describe(there, found)
            status = there.pin(self.status) if self.status else None
            message = there.post(self.message) if self.message else None
            invited, missed = there.invite(self.invite)
            if self.archive:
                slack.call(slack.web.conversations_archive, channel=there.id)
        elif not self.archive:
            raise ModuleFailed(f"#{found['name']} is archived")
        done = Channel(
            id=there.id,
            name=found["name"],
            permalink=f"{me['url']}archives/{there.id}",
            created=created,
            archived=self.archive,
            invited=invited,
            message=message,
            status=status,
        )
        if missed:
            raise ModuleFailed(f"not invited: {'; '.join(missed)}", to_plain(done))
        return done

    def _name(self) -> str:
        if self.name is not None:
            return _spelt(self.name)
        date = (self.date or datetime.now(UTC).isoformat())[: len("2026-11-23")]
        return _spelt(f"{self.prefix}-{date}-{self.title}")

    def _found(self, slack: Slack, me: str) -> tuple[dict[str, Any], bool]:
        """The channel, and whether it is new."""
        if self.channel is not None:
            return slack.call(slack.web.conversations_info, channel=self.channel)["channel"], False
        known: dict[str, dict[str, Any]] | None = None
        wished = self._name()
        for number in range(1, _NAMES + 1):
            name = wished if number == 1 else f"{wished[: _LONGEST - _SUFFIX]}-{number}"
            try:
                made = slack.call(
                    slack.web.conversations_create, name=name, is_private=self.private
                )
            except SlackRefused as refused:
                if refused.code != "name_taken":
                    raise
            else:
                return made["channel"], True
            if known is None:
                known = self._known(slack)
            if name in known and self._ours(known[name], me):
                return known[name], False
        raise ModuleFailed(f"#{wished} is taken, and so are {_NAMES - 1} names like it")

    def _known(self, slack: Slack) -> dict[str, dict[str, Any]]:
        kind = "private_channel" if self.private else "public_channel"
        found = slack.pages(slack.web.conversations_list, "channels", types=kind, limit=_PAGE)
        return {each["name"]: each for each in found}

    def _ours(self, channel: dict[str, Any], me: str) -> bool:
        """Whether a channel with the name is this incident's."""
        if not self.key:
            return not channel.get("is_archived") or self.archive
        purpose = channel["purpose"]["value"]
        # One that was opened, and broken off before it was described.
        begun = not purpose and channel.get("creator") == me
        return begun or self.key in purpose.split(" · ")

    def _describe(self, there: _There, found: dict[str, Any]) -> None:
        if not found.get("is_member", True):
            there.join()
        purpose = self._purpose()
        if purpose and (self.purpose is not None or not found["purpose"]["value"]):
            there.describe("purpose", found, purpose)
        if self.topic is not None:
            there.describe("topic", found, cut(self.topic, _TEXT))

    def _purpose(self) -> str:
        """What it is for, with the key that it is known by."""
        tail = f" · {self.key}" if self.key else ""
        return cut(self.purpose or self.title or self._name(), _TEXT - len(tail)) + tail


class _There:
    """What is done in a channel."""

    def __init__(self, slack: Slack, channel: str, me: str) -> None:
        self._slack = slack
        self._web = slack.web
        self._me = me
        self.id = channel

    def join(self) -> None:
        """Be in it."""
        self._slack.call(self._web.conversations_join, channel=self.id)

    def describe(self, what: Literal["topic", "purpose"], found: dict[str, Any], text: str) -> None:
        """Set its topic or its purpose, unless it is that already."""
        if found[what]["value"] == text:
            return
        if what == "topic":
            self._slack.call(self._web.conversations_setTopic, channel=self.id, topic=text)
        else:
            self._slack.call(self._web.conversations_setPurpose, channel=self.id, purpose=text)

    def post(self, text: str) -> str:
        """Post a message."""
        return str(self._slack.call(self._web.chat_postMessage, channel=self.id, text=text)["ts"])

    def pin(self, text: str) -> str:
        """Post and pin the status, or change the one that we have pinned."""
        pinned = self._slack.call(self._web.pins_list, channel=self.id)["items"]
        ours = [item for item in pinned if item.get("created_by") == self._me and "message" in item]
        if not ours:
            stamp = self.post(text)
            self._slack.call(self._web.pins_add, channel=self.id, timestamp=stamp)
            return stamp
        stamp = str(ours[0]["message"]["ts"])
        self._slack.call(self._web.chat_update, channel=self.id, ts=stamp, text=text)
        return stamp

    def invite(self, whom: list[str]) -> tuple[list[str], list[str]]:
        """Invite users and groups: who was, and who could not be and why."""
        users: dict[str, None] = {}
        missed: list[str] = []
        for who in whom:
            try:
                users |= dict.fromkeys(self._members(who))
            except SlackRefused as refused:
                missed.append(f"{who}: {refused.code}")
        invited: list[str] = []
        for user in users:  # one by one: one who cannot come would keep all others out
            try:
                self._slack.call(self._web.conversations_invite, channel=self.id, users=user)
                invited.append(user)
            except SlackRefused as refused:
                if refused.code not in _IN_ALREADY:
                    missed.append(f"{user}: {refused.code}")
        return invited, missed

    def _members(self, who: str) -> list[str]:
        """The ids of the users that it stands for."""
        if who.startswith(("@", "S")) and "@" not in who[1:]:
            groups = self._slack.call(self._web.usergroups_list, include_users=True)["usergroups"]
            for group in groups:
                if who in (f"@{group['handle']}", group["id"]):
                    return list(group["users"])
            raise SlackRefused("no such group", who)
        if "@" in who:
            return [self._slack.call(self._web.users_lookupByEmail, email=who)["user"]["id"]]
        return [who]


def _spelt(name: str) -> str:
    """A channel's name as Slack allows it."""
    plain = unicodedata.normalize("NFKD", name.lower())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = "".join(c if c.isalnum() or c == "_" else " " for c in plain).split()
    return "-".join(words)[:_LONGEST].rstrip("-")


EXAMPLE = """
name: Open the incident's channel
run_once: true
slack_channel:
  token: "{{ env.SLACK_TOKEN }}"
  title: "{{ incident.title }}"
  key: "{{ run_id }}"
  invite: ["@oncall-backend", commander@example.com]
  status: "Investigating. Commander: {{ incident.commander or 'nobody yet' }}"
register: channel
"""
