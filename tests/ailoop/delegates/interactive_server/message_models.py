"""Params, results and notifications; an enum's number goes over the wire."""

from enum import IntEnum

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
    """Wishes for a session; none is heard."""

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
    """Result of sendUserMessage: only an ack."""

    messageId: str
    status: int


class AIMessageChunkNotification(BaseModel):
    """One piece of an answer; the last non-blank one comes twice."""

    sessionId: str
    chunk: str
    isFinal: bool


class SessionStatusNotification(BaseModel):
    """How a session is, and every error."""

    sessionId: str
    status: int
    reason: str | None = None


class ToolCallNotification(BaseModel):
    """A tool call; the loop fails before one is sent."""

    sessionId: str
    toolCallId: str
    toolName: str
    arguments: dict[str, str] = Field(default_factory=dict)


class StopSessionRequest(BaseModel):
    """Params of stopSession."""

    sessionId: str


class StopSessionResponse(BaseModel):
    """Result of stopSession."""

    status: int


class ProvideToolResultRequest(BaseModel):
    """Params of provideToolResult."""

    sessionId: str
    toolCallId: str
    result: str


class ProvideToolResultResponse(BaseModel):
    """Result of provideToolResult."""

    status: int
