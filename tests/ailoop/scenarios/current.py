"""What only the current generation knows: agents, channels, errors of an odd shape."""

from ..client import Client
from ..process import STATELESS
from .registry import UNKNOWN_SESSION, scenario


@scenario(STATELESS)
async def agent_switch(client: Client) -> None:
    """Switching agents by request, and asking each."""
    await client.call("session.current_agent")
    await client.start_session()
    await client.call("session.current_agent")
    await client.call("session.switch_agent", {"agent_id": "d"})
    await client.ask("who? [[say chunks=2 id=d]]")
    await client.call("session.handoff", {"to_agent": "a"})
    await client.ask("and now? [[say chunks=2 id=a]]")
    await client.call("session.switch_agent", {"agent_id": "p"})
    await client.call("session.switch_agent", {"agent_id": "a"})


@scenario(STATELESS)
async def agent_switch_first(client: Client) -> None:
    """Switching on a socket without a session makes one."""
    await client.call("session.switch_agent", {"agent_id": "d"})
    await client.call("session.current_agent")


@scenario(STATELESS)
async def agent_mail(client: Client) -> None:
    """An agent that mails another: the other answers within the same exchange."""
    await client.start_session()
    mail = '{"to_agent":"Debbie","subject":"s","body":"b"}'
    await client.ask(
        f'mail [[tool name=send_mail_with_switch text="mail sent" arguments={mail}]] [[say chunks=2 id=back]]'
    )


@scenario(STATELESS)
async def odd_errors(client: Client) -> None:
    """The handlers that return an error of their own make."""
    await client.start_session()
    await client.call("dispatchCommand", {"command": "no slash"})
    await client.call("dispatchCommand", {"command": "/nosuch"})
    await client.call("dispatchCommand", {"command": "/echo hi there"})
    await client.call("async.sendTask", {"sessionId": UNKNOWN_SESSION, "agentId": "d", "prompt": "x"})
    await client.call("async.sendTask", {"sessionId": UNKNOWN_SESSION, "agentId": "d"})
    await client.call("debbie.status")
    await client.call("debbie.alerts")
    await client.call("plan.list")


@scenario(STATELESS)
async def channels(client: Client) -> None:
    """The channels' history, visibility and counts."""
    session = await client.start_session()
    await client.ask("hello [[say chunks=2]]")
    await client.call("channel.history", {"sessionId": session})
    await client.call("channel.updateVisibility", {"sessionId": session, "showCommentary": False})
    await client.call("channel.stats", {"sessionId": session})
    await client.call("channel.history", {"sessionId": UNKNOWN_SESSION})


@scenario(STATELESS)
async def background_agent(client: Client) -> None:
    """An agent that works beside the chat; a failed task is never reported as completed."""
    session = await client.start_session()
    about = {"sessionId": session, "agentId": "d"}
    await client.call("async.createAgent", about)
    await client.call("async.createAgent", about)
    await client.call("async.createAgent", about | {"agentId": "nobody"})
    await client.call("async.sendTask", about | {"prompt": "work [[say chunks=2]]"})
    await client.until(lambda frame: frame.method == "async.task.completed")
    await client.call("async.sendTask", about | {"prompt": "work [[fail]]"})
    await client.until(lambda frame: frame.method == "async.task.started", count=2)
    await client.quiet(0.5)
    await client.call("async.broadcastEvent", about | {"event": "e", "data": {}})
    await client.call("async.sleepAgent", about | {"durationSeconds": 5})
    await client.call("async.wakeAgent", about)
    await client.call("async.stopAgent", about)
    await client.stop_session()
