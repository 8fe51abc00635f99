"""Switching to the addressee of a mail, within the exchange of the sender."""

import json
import logging
from typing import Any

logger = logging.getLogger(__name__)

_TOOLS = ("send_mail", "send_mail_with_switch")


class AgentSwitchHandler:
    """Watches a session's tool calls for mail."""

    max_switch_depth = 5

    def __init__(self, session: Any) -> None:
        self.session = session
        self.switch_stack: list[str] = []

    async def handle_tool_results(self, tool_calls: list[dict[str, Any]], tool_results: str) -> tuple[bool, str | None]:
        """Switch if a mail was sent; the model's own words decide whether it was."""
        for call in tool_calls:
            function = call.get("function", {})
            if function.get("name") not in _TOOLS or "Error" in tool_results or "failed" in tool_results.lower():
                continue
            mail = json.loads(function.get("arguments") or "{}")
            to_agent = mail.get("to_agent", "").strip()
            if to_agent and ("sent" in tool_results or "send_mail_with_switch" in tool_results):
                return True, await self._perform_agent_switch(to_agent, self.session.active_agent, mail)
        return False, None

    async def _perform_agent_switch(self, to_agent: str, from_agent: str, mail_context: dict[str, Any]) -> str:
        try:
            target = self.session.agent_registry.resolve_agent_name_to_id(to_agent)
            if len(self.switch_stack) >= self.max_switch_depth or target in (from_agent, *self.switch_stack):
                return f"\n\n[Warning: no switch to {to_agent}]"
            self.switch_stack.append(from_agent)
            await self.session.switch_agent(target)
            prompt = f"You have been activated via agent switch from {from_agent}. Check your mail."
            answer = await self.session.send_user_message(prompt, is_continuation=True)
            await self.session.switch_agent(self.switch_stack.pop())
        except Exception:
            logger.exception("Error during agent switch")
            return f"\n\n[Error: Failed to deliver mail to {to_agent}]"
        return f"\n\n[{to_agent} processed the mail and responded: {(answer or {}).get('response')}]"
