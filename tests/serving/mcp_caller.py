"""Calls tools of an MCP server by SSE; run with a Python that has the `mcp` library.

    python mcp_caller.py URL TRACEPARENT '[["tool", {"argument": 1}], ...]'

prints the results' texts as a JSON list.
"""

import asyncio
import json
import sys


async def call(url: str, traceparent: str, calls: list[tuple[str, dict[str, object]]]) -> list[str]:
    """Call one tool after the other."""
    from mcp import ClientSession
    from mcp.client.sse import sse_client

    texts = []
    async with sse_client(url) as streams, ClientSession(*streams) as session:
        await session.initialize()
        for name, arguments in calls:
            result = await session.call_tool(name, arguments, meta={"traceparent": traceparent})
            texts.append(result.content[0].text)
    return texts


if __name__ == "__main__":
    print(json.dumps(asyncio.run(call(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))))  # noqa: T201
