"""The model service: `requests` in a bare thread per call, its lines handed to the event loop through a queue."""

import asyncio
import json
import logging
import os
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import requests

from ai_whisperer.ai_loop.ai_config import AIConfig
from ai_whisperer.ai_service.ai_service import AIService, AIStreamChunk
from ai_whisperer.exceptions import (
    ConfigError,
    OpenRouterAIServiceError,
    OpenRouterAuthError,
    OpenRouterConnectionError,
    OpenRouterRateLimitError,
)

logger = logging.getLogger(__name__)

# The real server has the address as a constant; this one may be told another.
API_URL = os.environ.get("AILOOP_API_URL", "https://openrouter.ai/api/v1/chat/completions")


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
        has_system = messages[0].get("role") == "system"
        system_prompt = messages[0].get("content") if has_system else None
        history = messages[1:-1] if has_system else messages[:-1]
        prompt_text = messages[-1].get("content") if messages[-1].get("role") == "user" else None
        if prompt_text == "simulate_timeout":
            await asyncio.sleep(60)
            return
        async for data in self._stream_chat_completion_internal(
            prompt_text=prompt_text,
            model=self.model,
            params=kwargs,
            system_prompt=system_prompt,
            tools=tools,
            messages_history=history,
        ):
            for choice in data.get("choices", [])[:1]:
                # A chunk with an empty delta is dropped, and its finish reason with it.
                if delta := choice.get("delta"):
                    yield AIStreamChunk(delta.get("content"), delta.get("tool_calls"), choice.get("finish_reason"))

    async def _stream_chat_completion_internal(
        self,
        prompt_text: str | None,
        model: str,
        params: dict[str, Any],
        system_prompt: str | None = None,
        tools: list[dict[str, Any]] | None = None,
        messages_history: list[dict[str, Any]] | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        payload: dict[str, Any] = {"model": model, "stream": True}
        if messages_history:
            # With a history, the message that is to be answered is not among the messages sent.
            payload |= {"messages": list(messages_history), "temperature": self.params["temperature"]}
        else:
            system = [{"role": "system", "content": system_prompt}] if system_prompt else []
            payload |= {"messages": [*system, {"role": "user", "content": prompt_text}], "tools": tools}
            payload |= {**self.params, **params}
        timeout = 10 if messages_history else 60
        loop = asyncio.get_event_loop()
        queue: asyncio.Queue[Any] = asyncio.Queue()

        def put(item: Any) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(queue.put_nowait, item)

        def run_sync() -> None:
            try:
                for item in self._lines(payload, timeout):
                    put(item)
                put(StopAsyncIteration)
            except Exception as error:  # noqa: BLE001 - the event loop's side raises it
                put(error)

        threading.Thread(target=run_sync, daemon=True).start()
        while (item := await queue.get()) is not StopAsyncIteration:
            if isinstance(item, Exception):
                raise item
            yield item

    def _lines(self, payload: dict[str, Any], timeout: int) -> Iterator[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"}
        try:
            response = requests.post(API_URL, headers=headers, json=payload, stream=True, timeout=timeout)
            if response.status_code >= 400:
                raise _refusal(response)
            for line in response.iter_lines():
                if not line.startswith(b"data: "):
                    continue
                text = line[6:].decode("utf-8").strip()
                if text == "[DONE]":
                    return
                yield _parsed(text)
        except requests.exceptions.Timeout as error:
            raise OpenRouterConnectionError(
                f"Request to OpenRouter API timed out after {timeout} seconds: {error}"
            ) from error
        except requests.exceptions.RequestException as error:
            raise OpenRouterConnectionError(f"Network error during OpenRouter API streaming: {error}") from error


def _parsed(text: str) -> dict[str, Any]:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise OpenRouterAIServiceError(
            f"Failed to decode JSON chunk from stream: {error}. Chunk: {text[:100]}..."
        ) from error


def _refusal(response: requests.Response) -> OpenRouterAIServiceError:
    status = response.status_code
    try:
        message = response.json()["error"]["message"]
    except (ValueError, LookupError, TypeError):
        message = response.text
    about = f"OpenRouter API Error: {status} - {message}"
    if status == 401:
        return OpenRouterAuthError(f"Authentication failed: {about}", status)
    if status == 429:
        return OpenRouterRateLimitError(f"Rate limit exceeded: {about}", status)
    return OpenRouterAIServiceError(f"API request failed: {about}", status)
