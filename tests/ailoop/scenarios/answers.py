"""Answers of all kinds, each to a plain message."""

from ..process import DELEGATES, STATELESS
from .registry import conversation

conversation("plain", "hello [[say chunks=3 gap=0.06]]")
conversation("one_chunk", "hello [[say chunks=1]]")
conversation("unicode", 'hello [[say text="grüße 你好 \\"quoted\\"\\n✓ done"]]')
conversation("two_turns", "one [[say chunks=2]] [[next say chunks=3 id=second]]", "two [[say chunks=3 id=second]]")
conversation("joined_end", "hello [[say chunks=2 joined=true]]")
conversation("slow_start", "hello [[say chunks=2 delay=0.3 keepalive=0.1]]")
conversation("reasoning", "think [[say chunks=2 reasoning=2]]")
conversation("garbage", "hello [[garbage chunks=3 after=1]]")
conversation("structured", 'hello [[json chunks=8 final="It is done, \\"quite\\"."]]')
conversation("http_500", "hello [[fail status=500]]")
conversation("http_429", "hello [[fail status=429]]")
conversation("http_401", "hello [[fail status=401]]")
conversation("drop", "hello [[drop]]")
conversation("cut", "hello [[cut chunks=4 after=2 gap=0.06]]")
conversation("error_in_stream", "hello [[error chunks=4 after=2 gap=0.06]]")
conversation("error_then_good", "hello [[fail status=500]] [[next say chunks=2]]", "again [[say chunks=2]]")
conversation("tool_call", 'list [[tool name=list_directory arguments={"path":"."}]] [[say chunks=3]]')
conversation("tool_call_with_text", 'list [[tool text="let me look" times=2]] [[say chunks=2]]', dialects=(STATELESS,))
conversation("tool_unknown", "use [[tool name=no_such_tool]] [[say chunks=2]]", dialects=(STATELESS,))
conversation("tool_twice", "list [[tool]] [[tool]] [[say]]", dialects=(STATELESS,))
conversation("tool_then_500", "list [[tool]] [[fail]]", dialects=(STATELESS,))
conversation("slash_help", "/help", dialects=(STATELESS,))
conversation("slash_clear", "hello [[say chunks=1]]", "/clear", dialects=(STATELESS,))
conversation("slash_unknown", "/nothing [[say chunks=2]]", dialects=(STATELESS,))
conversation(
    "continuation",
    'go on [[json value={"response":"first","continuation":{"status":"CONTINUE","reason":"more"}}]]',
    dialects=(STATELESS,),
)
conversation("json_other", 'hello [[json value={"answer":42}]]', dialects=(STATELESS,))
conversation("empty", "hello [[empty]]", dialects=(STATELESS,))
conversation("timeout", "hello [[stall chunks=4 after=2]]", dialects=(DELEGATES,))
