"""Mail to another agent."""

from typing import Any

from ai_whisperer.extensions.mailbox.mailbox import Mail, get_mailbox
from ai_whisperer.tools.base_tool import AITool


class SendMailTool(AITool):
    """Send mail to another agent or the user."""

    name = "send_mail"
    category = "Communication"
    tags = ["mailbox", "communication", "messaging"]

    def execute(self, **kwargs: Any) -> dict[str, Any]:
        """Send it; `subject` and `body` are needed."""
        given = kwargs.get("arguments", kwargs)
        if not given.get("subject") or not given.get("body"):
            return {"error": "Subject and body are required for sending mail", "message_id": None, "sent": False}
        mail = Mail(given.get("_from_agent", ""), given.get("to_agent", ""), given["subject"], given["body"])
        message_id = get_mailbox().send_mail(mail)
        return {"message_id": message_id, "to": mail.to_agent or "user", "sent": True, "error": None}
