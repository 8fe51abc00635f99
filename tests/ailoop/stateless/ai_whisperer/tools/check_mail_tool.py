"""Reading one's mail."""

from typing import Any

from ai_whisperer.extensions.mailbox.mailbox import get_mailbox
from ai_whisperer.tools.base_tool import AITool


class CheckMailTool(AITool):
    """Read the unread mail."""

    name = "check_mail"
    category = "Communication"

    def execute(self, **kwargs: Any) -> dict[str, Any]:
        """Return the mail of the agent that asks."""
        mails = get_mailbox().check_mail(kwargs.get("arguments", kwargs).get("_agent_name", ""))
        return {"messages": [{"from": each.from_agent, "subject": each.subject} for each in mails]}
