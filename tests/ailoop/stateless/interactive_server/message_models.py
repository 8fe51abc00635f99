"""Params and results of the methods; an enum's number goes over the wire."""

from enum import IntEnum
from typing import Any

from pydantic import BaseModel, Field


class SessionStatus(IntEnum):
    """How a session is."""

    Starting = 0
    Active = 1
    Stopped = 2
    Error = 3


class MessageStatus(IntEnum):
    """How a message fared."""

    OK = 0
    Error = 1


class ToolResultStatus(IntEnum):
    """How a tool result fared."""

    OK = 0
    Error = 1


class SessionParams(BaseModel):
    """Wishes for a session; only the context is heard, and that rarely."""

    language: str | None = None
    model: str | None = None
    context: str | None = None


class StartSessionRequest(BaseModel):
    """Params of startSession."""

    userId: str
    sessionParams: SessionParams | None = None


class StartSessionResponse(BaseModel):
    """Result of startSession."""

    sessionId: str
    status: int


class SendUserMessageRequest(BaseModel):
    """Params of sendUserMessage."""

    sessionId: str
    message: str


class SendUserMessageResponse(BaseModel):
    """The beginning of sendUserMessage's result."""

    messageId: str
    status: int


class StopSessionRequest(BaseModel):
    """Params of stopSession."""

    sessionId: str


class StopSessionResponse(BaseModel):
    """Result of stopSession."""

    status: int


class SessionStatusNotification(BaseModel):
    """Meant for the client, and never arriving: it is no JSON."""

    sessionId: str
    status: int
    reason: str | None = None


class ProvideToolResultRequest(BaseModel):
    """Params of provideToolResult."""

    sessionId: str
    toolCallId: str
    result: str


class ProvideToolResultResponse(BaseModel):
    """Result of provideToolResult."""

    status: int


class ChannelVisibilityUpdate(BaseModel):
    """Params of channel.updateVisibility."""

    sessionId: str
    showCommentary: bool
    showAnalysis: bool = False


class ChannelHistoryRequest(BaseModel):
    """Params of channel.history."""

    sessionId: str
    limit: int | None = None


class ChannelMetadata(BaseModel):
    """What is said about a channel message in the history."""

    sequence: int
    timestamp: str
    agentId: str | None = None
    sessionId: str | None = None
    toolCalls: list[str] | None = None
    continuationDepth: int | None = None
    isPartial: bool = False
    custom: dict[str, Any] = Field(default_factory=dict)


class ChannelMessageNotification(BaseModel):
    """A channel message in the history."""

    type: str = "channel_message"
    channel: str
    content: str
    metadata: ChannelMetadata


class ChannelHistoryResponse(BaseModel):
    """Result of channel.history."""

    messages: list[ChannelMessageNotification]
    totalCount: int
