"""Mail between agents; one box for the whole process, all sessions together."""

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from enum import Enum


class MessagePriority(Enum):
    """How urgent a mail is."""

    NORMAL = "normal"
    HIGH = "high"


class MessageStatus(Enum):
    """Whether a mail was read."""

    UNREAD = "unread"
    READ = "read"


@dataclass
class Mail:
    """One mail."""

    from_agent: str = ""
    to_agent: str = ""
    subject: str = ""
    body: str = ""
    priority: MessagePriority = MessagePriority.NORMAL
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: MessageStatus = MessageStatus.UNREAD


class MailboxSystem:
    """Inboxes by agent."""

    def __init__(self) -> None:
        self._inboxes: dict[str, list[Mail]] = defaultdict(list)

    def send_mail(self, mail: Mail) -> str:
        """Deliver a mail and return its id."""
        self._inboxes[_canonical(mail.to_agent)].append(mail)
        return mail.message_id

    def check_mail(self, agent_name: str = "") -> list[Mail]:
        """Return an agent's unread mail, read from now on."""
        unread = [each for each in self._inboxes[_canonical(agent_name)] if each.status is MessageStatus.UNREAD]
        for each in unread:
            each.status = MessageStatus.READ
        return unread

    def reply_to_mail(self, original: Mail, reply: Mail) -> str:
        """Answer a mail."""
        reply.to_agent = original.from_agent
        return self.send_mail(reply)


def _canonical(name: str) -> str:
    return (name.strip().lower().split() or [""])[0]


_mailbox = MailboxSystem()


def get_mailbox() -> MailboxSystem:
    """Return the one of this process."""
    return _mailbox
