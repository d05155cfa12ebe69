"""Direct messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twikit_pool.simulator.refusals import Refusal
from twikit_pool.simulator.registry import Call, graphql, rest
from twikit_pool.simulator.shapes.cards import medium_entity
from twikit_pool.simulator.shapes.users import user_v11
from twikit_pool.simulator.world import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twikit_pool.simulator.messages import Conversation, Message
    from twikit_pool.simulator.world import User

PAGE: Final = 20
"""Messages or conversations a page: the caller has no say."""


@rest("POST", "/1.1/dm/new2.json")
def send(call: Call) -> dict[str, Any]:
    """A message into the conversation `A-B`."""
    mailbox, variables = call.state.mailbox, call.variables
    conversation = mailbox.conversation(str(call.need("conversation_id")), call.user)
    text = str(variables.get("text") or "")
    media_id = variables.get("media_id")
    medium = call.state.uploads.attach([media_id], call.user.id, call.now)[0] if media_id else None
    message = mailbox.send(conversation, call.user, text, call.now, variables.get("reply_to_dm_id"), medium)
    call.wrote(text or media_id)
    return {"entries": [_entry(message, conversation)], "users": _users(conversation.people, call.user)}


@rest("GET", "/1.1/dm/conversation/id.json")
def history(call: Call) -> dict[str, Any]:
    """A conversation's messages, the newest first, from below `max_id`."""
    conversation = call.state.mailbox.conversation(_named(call), call.user)
    below = number(call.variables["max_id"]) if "max_id" in call.variables else None
    messages = [m for m in reversed(conversation.seen_by(call.user)) if below is None or m.id < below]
    shown: dict[str, Any] = {
        "status": "HAS_MORE" if len(messages) > PAGE else "AT_END",
        "conversations": {conversation.id: _conversation(conversation, call.user)},
        "users": _users(conversation.people, call.user),
    }
    if messages:
        shown["entries"] = [_entry(message, conversation) for message in messages[:PAGE]]
    return {"conversation_timeline": shown}


@rest("POST", "/1.1/dm/conversation/id/delete.json")
def delete_conversation(call: Call) -> None:
    """Hide every message of a conversation from the caller."""
    conversation = call.state.mailbox.conversation(_named(call), call.user)
    for message in conversation.seen_by(call.user):
        call.state.mailbox.delete(call.user, message.id)
    call.wrote(conversation.id)
    call.status = 204


@graphql("DMMessageDeleteMutation")
def delete(call: Call) -> dict[str, Any]:
    """Hide one message from the caller."""
    message_id = call.need("messageId")
    if not call.state.mailbox.delete(call.user, message_id):
        raise Refusal(279, "The message does not exist.", 200)
    call.wrote(message_id)
    return {"data": {"message_delete": "Done"}}


@rest("GET", "/1.1/dm/inbox_initial_state.json")
def inbox(call: Call) -> dict[str, Any]:
    """The liveliest conversations."""
    return {"inbox_initial_state": _inbox(call, None)}


@rest("GET", "/1.1/dm/inbox_timeline/trusted.json")
def inbox_timeline(call: Call) -> dict[str, Any]:
    """Those whose last message lies below `max_id`."""
    return {"user_events": _inbox(call, number(call.need("max_id")))}


def _inbox(call: Call, below: int | None) -> dict[str, Any]:
    held = [(one, one.seen_by(call.user)[-1]) for one in call.state.mailbox.inbox(call.user)]
    held = [pair for pair in held if below is None or pair[1].id < below]
    shown = held[:PAGE]
    people = {person.id: person for one, _ in shown for person in one.people}
    trusted: dict[str, Any] = {"status": "HAS_MORE" if len(held) > PAGE else "AT_END"}
    if shown:
        trusted["min_entry_id"] = str(shown[-1][1].id)
    return {
        "inbox_timelines": {"trusted": trusted},
        "conversations": {one.id: _conversation(one, call.user) for one, _ in shown},
        "entries": [_entry(last, one) for one, last in shown],
        "users": _users(people.values(), call.user),
    }


def _named(call: Call) -> str:
    """The conversation in the path."""
    return call.request.path.removesuffix("/delete.json").removesuffix(".json").rpartition("/")[2]


def _users(people: Iterable[User], viewer: User) -> dict[str, Any]:
    return {str(person.id): user_v11(person, viewer) for person in people}


def _conversation(conversation: Conversation, viewer: User) -> dict[str, Any]:
    seen = conversation.seen_by(viewer)
    return {
        "conversation_id": conversation.id,
        "type": "ONE_TO_ONE",
        "sort_event_id": str(seen[-1].id) if seen else "0",
        "sort_timestamp": str(int(seen[-1].at * 1000)) if seen else "0",
        "participants": [{"user_id": str(person.id)} for person in conversation.people],
        "trusted": True,
        "muted": False,
    }


def _entry(message: Message, conversation: Conversation) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": str(message.id),
        "time": str(int(message.at * 1000)),
        "sender_id": str(message.sender.id),
        "recipient_id": str(message.recipient.id),
        "text": message.text,
    }
    if message.reply_to is not None:
        body["reply_data"] = {"id": str(message.reply_to.id), "text": message.reply_to.text}
    if message.medium is not None:
        body["attachment"] = {message.medium.kind: medium_entity(message.medium)}
    outer = {"id": body["id"], "time": body["time"], "conversation_id": conversation.id}
    return {"message": {**outer, "message_data": body}}
