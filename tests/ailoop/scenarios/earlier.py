"""What only the earlier generation does."""

from ..client import Client
from ..process import DELEGATES
from .registry import scenario


@scenario(DELEGATES)
async def blank(client: Client) -> None:
    """An empty completion: nothing after the ack."""
    await client.start_session()
    await client.send("hello [[empty]]")
    await client.quiet(0.5)
    await client.call("echo", {"message": "after"})


@scenario(DELEGATES)
async def stop_while_streaming(client: Client) -> None:
    """A session stopped in the middle of an answer."""
    await client.start_session()
    exchange = await client.send("hello [[say chunks=3 gap=0.8]]")
    await exchange.started()
    await client.stop_session()
