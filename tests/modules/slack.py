"""A Slack workspace at the level of HTTP, after its published description and reference."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.modules.standin import Answer, Asked, StandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOKEN = "xoxb-17-made-up"
ME = "U00000BOT"
ALICE, BOB, EVE, ONCALL = "U0000ALICE", "U000000BOB", "U000000EVE", "S000ONCALL"
TEAM = "T00000001"
_THEN = 1795441020
_NOT = ("is_general", "is_group", "is_im", "is_mpim", "is_org_shared", "is_shared")
METHODS = (
    "auth.test",
    "conversations.create",
    "conversations.list",
    "conversations.info",
    "conversations.join",
    "conversations.invite",
    "conversations.setTopic",
    "conversations.setPurpose",
    "conversations.archive",
    "chat.postMessage",
    "chat.update",
    "pins.list",
    "pins.add",
    "users.lookupByEmail",
    "usergroups.list",
)


class No(Exception):
    """An error in Slack's word."""


@dataclass
class Room:
    """A channel of the workspace."""

    id: str
    name: str
    private: bool = False
    creator: str = ME
    archived: bool = False
    topic: str = ""
    purpose: str = ""
    members: list[str] = field(default_factory=lambda: [ME])
    messages: dict[str, str] = field(default_factory=dict)
    pinned: list[tuple[str, str]] = field(default_factory=list)
    """Who pinned which message."""

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": True,
            "is_private": self.private,
            "is_archived": self.archived,
            "is_member": ME in self.members,
            **dict.fromkeys(_NOT, False),
            "created": _THEN,
            "creator": self.creator,
            "topic": {"value": self.topic, "creator": "", "last_set": 0},
            "purpose": {"value": self.purpose, "creator": "", "last_set": 0},
        }


class Workspace(StandIn):
    """Users, groups and channels."""

    published = "slack"
    page = 2
    """Channels on a page of a list."""

    def __init__(self) -> None:
        super().__init__()
        self.rooms: dict[str, Room] = {}
        self.users = {ALICE: "alice@example.com", BOB: "bob@example.com", EVE: "eve@example.com"}
        self.groups = {ONCALL: ("oncall", [ALICE, BOB])}
        self.banned: set[str] = set()
        self._stamps = 0
        self.routes = {f"* /api/{method}": self._method for method in METHODS}

    def room(self, name: str, **state: Any) -> Room:
        """Add a channel."""
        made = Room(f"C{len(self.rooms) + 1:08}", name, **state)
        self.rooms[made.id] = made
        return made

    def named(self, name: str) -> Room:
        (found,) = [room for room in self.rooms.values() if room.name == name]
        return found

    def methods(self) -> list[str]:
        """What was called."""
        return [asked.path.rpartition("/")[2] for asked in self.asked]

    def _method(self, asked: Asked) -> Answer:
        method = asked.path.rpartition("/")[2]
        try:
            said = _arguments(asked)
            how: Callable[[dict[str, str]], Any] = getattr(self, f"_{method.replace('.', '_')}")
            return Answer(200, {"ok": True, **how(said)})
        except No as no:
            return Answer(200, {"ok": False, "error": str(no)})

    def _there(self, said: Mapping[str, str], *, write: bool = True) -> Room:
        room = self.rooms.get(said["channel"])
        if room is None:
            raise No("channel_not_found")
        if write and room.archived:
            raise No("is_archived")
        if write and ME not in room.members:
            raise No("not_in_channel")
        return room

    def _auth_test(self, _: dict[str, str]) -> dict[str, Any]:
        who = {"user_id": ME, "user": "quell", "bot_id": "B00000001"}
        return {"url": "https://example.slack.com/", "team": "Example", "team_id": TEAM, **who}

    def _conversations_create(self, said: dict[str, str]) -> dict[str, Any]:
        name = said["name"]
        if len(name) > 80:
            raise No("invalid_name_maxlength")
        if not re.fullmatch(r"[a-z0-9_\u00df-\uffff-]+", name):
            raise No("invalid_name_specials")
        if any(room.name == name for room in self.rooms.values()):
            raise No("name_taken")
        return {"channel": self.room(name, private=said.get("is_private") == "1").shown()}

    def _conversations_list(self, said: dict[str, str]) -> dict[str, Any]:
        private = said.get("types", "public_channel") == "private_channel"
        rooms = [r for r in self.rooms.values() if r.private == private]
        rooms = [r for r in rooms if not private or ME in r.members]
        start = int(said.get("cursor") or 0)
        more = start + self.page < len(rooms)
        shown = [room.shown() for room in rooms[start : start + self.page]]
        cursor = str(start + self.page) if more else ""
        return {"channels": shown, "response_metadata": {"next_cursor": cursor}}

    def _conversations_info(self, said: dict[str, str]) -> dict[str, Any]:
        return {"channel": self._there(said, write=False).shown()}

    def _conversations_join(self, said: dict[str, str]) -> dict[str, Any]:
        room = self._there(said, write=False)
        room.members.append(ME)
        return {"channel": room.shown()}

    def _conversations_invite(self, said: dict[str, str]) -> dict[str, Any]:
        room = self._there(said)
        for user in said["users"].split(","):
            if user == ME:
                raise No("cant_invite_self")
            if user not in self.users:
                raise No("user_not_found")
            if user in self.banned:
                raise No("cant_invite")
            if user in room.members:
                raise No("already_in_channel")
            room.members.append(user)
        return {"channel": room.shown()}

    def _conversations_setTopic(self, said: dict[str, str]) -> dict[str, Any]:  # noqa: N802
        room = self._there(said)
        room.topic = _short(said["topic"])
        return {"channel": room.shown()}

    def _conversations_setPurpose(self, said: dict[str, str]) -> dict[str, Any]:  # noqa: N802
        room = self._there(said)
        room.purpose = _short(said["purpose"])
        return {"channel": room.shown()}

    def _conversations_archive(self, said: dict[str, str]) -> dict[str, Any]:
        room = self._there(said, write=False)
        if room.archived:
            raise No("already_archived")
        room.archived = True
        return {}

    def _chat_postMessage(self, said: dict[str, str]) -> dict[str, Any]:  # noqa: N802
        room = self._there(said)
        self._stamps += 1
        stamp = f"{_THEN}.{self._stamps:06}"
        room.messages[stamp] = said["text"]
        return {"channel": room.id, "ts": stamp, "message": _message(room, stamp)}

    def _chat_update(self, said: dict[str, str]) -> dict[str, Any]:
        room = self._there(said)
        if said["ts"] not in room.messages:
            raise No("message_not_found")
        room.messages[said["ts"]] = said["text"]
        message = {"text": said["text"]}
        return {"channel": room.id, "ts": said["ts"], **message, "message": message}

    def _pins_list(self, said: dict[str, str]) -> dict[str, Any]:
        room = self._there(said)
        items = [
            {"type": "message", "created_by": who, "message": _message(room, ts)}
            for who, ts in room.pinned
        ]
        return {"items": [{"type": "file", "created_by": ME, "file": {}}, *items]}

    def _pins_add(self, said: dict[str, str]) -> dict[str, Any]:
        self._there(said).pinned.append((ME, said["timestamp"]))
        return {}

    def _users_lookupByEmail(self, said: dict[str, str]) -> dict[str, Any]:  # noqa: N802
        for user, email in self.users.items():
            if email == said["email"]:
                what = {"is_bot": False, "is_app_user": False, "updated": _THEN}
                return {"user": {"id": user, "name": email, "profile": {"email": email}, **what}}
        raise No("users_not_found")

    def _usergroups_list(self, said: dict[str, str]) -> dict[str, Any]:
        with_users = said.get("include_users") in ("1", "true")
        return {
            "usergroups": [
                {**_group(name, handle), **({"users": users} if with_users else {})}
                for name, (handle, users) in self.groups.items()
            ]
        }


def _message(room: Room, stamp: str) -> dict[str, Any]:
    return {"type": "message", "ts": stamp, "text": room.messages[stamp]}


def _group(name: str, handle: str) -> dict[str, Any]:
    return {
        "id": name,
        "handle": handle,
        "name": handle,
        "description": "",
        "team_id": TEAM,
        "enterprise_subteam_id": "",
        "is_usergroup": True,
        **dict.fromkeys(("is_subteam", "is_external", "auto_provision"), False),
        **dict.fromkeys(("date_create", "date_update", "date_delete"), 0),
        **dict.fromkeys(("created_by", "updated_by"), ALICE),
        **dict.fromkeys(("auto_type", "deleted_by")),
        "prefs": {"channels": [], "groups": []},
    }


def _arguments(asked: Asked) -> dict[str, str]:
    if asked.headers["authorization"] != f"Bearer {TOKEN}":
        raise No("invalid_auth")
    if asked.headers.get("content-type", "").startswith("application/json"):
        return {name: str(value) for name, value in asked.json().items()}
    return {name: values[0] for name, values in asked.query.items()} | asked.form()


def _short(text: str) -> str:
    if len(text) > 250:
        raise No("too_long")
    return text
