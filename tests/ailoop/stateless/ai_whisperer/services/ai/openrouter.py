"""The model service: `requests` in a bare thread per call, its lines handed to the event loop through a queue."""

import asyncio
import json
import logging
import os
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import requests

from ai_whisperer.core.exceptions import (
    ConfigError,
    OpenRouterAIServiceError,
    OpenRouterAuthError,
    OpenRouterConnectionError,
    OpenRouterRateLimitError,
)
from ai_whisperer.services.ai.base import AIService, AIStreamChunk
from ai_whisperer.services.execution.ai_config import AIConfig

logger = logging.getLogger(__name__)

# The real server has the address as a constant; this one may be told another.
API_URL = os.environ.get("AILOOP_API_URL", "https://openrouter.ai/api/v1/chat/completions")
_PASSED_ON = ("temperature", "max_tokens", "top_p", "stop")


class OpenRouterAIService(AIService):
    """Streams chat completions from OpenRouter."""

    def __init__(self, config: AIConfig, shutdown_event: threading.Event | None = None) -> None:
        if not config.api_key:
            raise ConfigError("Missing required configuration key: 'api_key' not found in AIConfig.")
        self.api_key = config.api_key
        self.model = config.model_id
        self.params = {"temperature": config.temperature, "max_tokens": config.max_tokens}
        self.shutdown_event = shutdown_event

    async def stream_chat_completion(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None = None, **kwargs: Any
    ) -> AsyncIterator[AIStreamChunk]:
        """Stream the answer; kwargs hold the whole configuration, the key among it."""
        payload = self._build_payload(messages, tools, kwargs) | {"stream": True}
        async for data in self._stream_internal(payload):
            for choice in data.get("choices", [])[:1]:
                delta = choice.get("delta", {})
                yield AIStreamChunk(
                    delta.get("content"), delta.get("tool_calls"), choice.get("finish_reason"), delta.get("reasoning")
                )

    async def _stream_internal(self, payload: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        loop = asyncio.get_event_loop()
        queue: asyncio.Queue[Any] = asyncio.Queue()

        def put(item: Any) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(queue.put_nowait, item)

        def run_sync() -> None:
            try:
                for item in self._lines(payload):
                    put(item)
                put(StopAsyncIteration)
            except Exception as error:  # noqa: BLE001 - the event loop's side raises it
                put(error)

        threading.Thread(target=run_sync, daemon=True).start()
        while (item := await queue.get()) is not StopAsyncIteration:
            if isinstance(item, Exception):
                raise item
            yield item

    def _lines(self, payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
        headers = {
            "Authorization": f"Bearer {self.api_key}",
            "Content-Type": "application/json",
            "HTTP-Referer": "http://AIWhisperer:8000",
            "X-Title": "AIWhisperer",
        }
        try:
            response = requests.post(API_URL, headers=headers, json=payload, stream=True, timeout=60)
            if response.status_code >= 400:
                self._handle_error_response(response)
            for line in response.iter_lines():
                if not line.startswith(b"data: "):
                    continue
                text = line[6:].decode("utf-8").strip()
                if text == "[DONE]":
                    return
                try:
                    yield json.loads(text)
                except json.JSONDecodeError as error:
                    logger.error("Failed to parse chunk: %s", error)
        except requests.exceptions.RequestException as error:
            raise OpenRouterConnectionError(f"Streaming error: {error}") from error

    def _build_payload(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None, params: dict[str, Any]
    ) -> dict[str, Any]:
        payload: dict[str, Any] = {"model": self.model, "messages": messages}
        payload |= {key: value for key, value in self.params.items() if value is not None}
        payload |= {key: params[key] for key in _PASSED_ON if params.get(key) is not None}
        if tools:
            payload["tools"] = tools
        if params.get("response_format"):
            payload["response_format"] = params["response_format"]
        return payload

    def _handle_error_response(self, response: requests.Response) -> None:
        status = response.status_code
        try:
            message = response.json()["error"]["message"]
        except (ValueError, LookupError, TypeError):
            message = response.text
        logger.error("OpenRouter API error %s: %s", status, message)
        if status == 401:
            raise OpenRouterAuthError(f"Authentication failed: {message}")
        if status == 429:
            raise OpenRouterRateLimitError(f"Rate limit exceeded: {message}")
        raise OpenRouterAIServiceError(f"API error {status}: {message}")
