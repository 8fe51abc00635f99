"""A server of mixed traits, of no generation of AILoop.

It replies as the current generation does: `agent.created` when a session starts, and one reply with `ai_response` after
the answer. It streams as the earlier one does: pieces, in `AIMessageChunkNotification`. Its notifications are compact
JSON with the keys in another order, so that none begins as a frame of either generation. A message goes to the session
that it names, and one without an id is ignored.
"""
