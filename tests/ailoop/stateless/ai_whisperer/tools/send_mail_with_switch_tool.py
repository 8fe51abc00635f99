"""Mail after which the session switches to the addressee."""

from typing import Any

from ai_whisperer.tools.send_mail_tool import SendMailTool


class SendMailWithSwitchTool(SendMailTool):
    """Send mail to another agent and wait for the answer."""

    name = "send_mail_with_switch"

    def execute(self, **kwargs: Any) -> dict[str, Any]:
        """Send it; the switch is the session's business."""
        return super().execute(**kwargs)
