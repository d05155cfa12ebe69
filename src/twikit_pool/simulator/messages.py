"""Direct messages between two people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twikit_pool.simulator.refusals import Refusal
from twikit_pool.simulator.world import User, World, number

if TYPE_CHECKING:
    from twikit_pool.simulator.uploads import Medium


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; `reply_to` is the message it answers."""

    id: int
    sender: User
    recipient: User
    text: str
    at: float
    reply_to: Message | None = None
    medium: Medium | None = None


@dataclass(slots=True, eq=False)
class Conversation:
    """Two people's messages, oldest first. A message is hidden from those who deleted it."""

    id: str
    people: tuple[User, User]
    messages: list[Message] = field(default_factory=list[Message])
    hidden: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])

    def seen_by(self, viewer: User) -> list[Message]:
        """The messages this person still has, oldest first."""
        return [message for message in self.messages if (viewer.id, message.id) not in self.hidden]


class Mailbox:
    """Every conversation."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._conversations: dict[str, Conversation] = {}
        self._by_user: dict[int, list[Conversation]] = {}
        self._home: dict[int, Conversation] = {}

    def conversation(self, name: str, viewer: User) -> Conversation:
        """The conversation that `A-B` names, in either order; made when it is new.

        Raises:
            Refusal: the viewer takes no part in it, or the other one does not exist (279).
        """
        people = sorted(number(part) for part in name.split("-"))
        if len(people) != 2 or viewer.id not in people or not self._world.users.keys() >= set(people):
            raise Refusal(279)
        key = f"{people[0]}-{people[1]}"
        found = self._conversations.get(key)
        if found is None:
            found = Conversation(id=key, people=(self._world.user(people[0]), self._world.user(people[1])))
            self._conversations[key] = found
            for user_id in set(people):
                self._by_user.setdefault(user_id, []).append(found)
        return found

    def inbox(self, viewer: User) -> list[Conversation]:
        """A person's conversations that hold something, the liveliest first."""
        mine = [held for held in self._by_user.get(viewer.id, []) if held.seen_by(viewer)]
        return sorted(mine, key=lambda held: -held.seen_by(viewer)[-1].id)

    def send(
        self,
        conversation: Conversation,
        sender: User,
        text: str,
        at: float,
        reply_to: object = None,
        medium: Medium | None = None,
    ) -> Message:
        """A new message.

        Raises:
            Refusal: the recipient takes no messages from this sender (349), or there is no text (214).
        """
        first, second = conversation.people
        recipient = second if first is sender else first
        welcome = recipient.open_to_messages or sender.id in recipient.following
        if sender.id in recipient.blocking or not (welcome or recipient is sender):
            raise Refusal(349)
        if not text and medium is None:
            raise Refusal(214, "A message has a text or a medium.", 400)
        answered = next((m for m in conversation.messages if m.id == number(reply_to)), None)
        message = Message(
            id=self._world.snowflakes.take(at),
            sender=sender,
            recipient=recipient,
            text=text,
            at=at,
            reply_to=answered,
            medium=medium,
        )
        conversation.messages.append(message)
        self._home[message.id] = conversation
        return message

    def delete(self, viewer: User, message_id: object) -> bool:
        """Hide a message from this person; whether he had it."""
        conversation = self._home.get(number(message_id))
        key = (viewer.id, number(message_id))
        if conversation is None or viewer not in conversation.people or key in conversation.hidden:
            return False
        conversation.hidden.add(key)
        return True
