"""The settings of a model call."""


class AIConfig:
    """A plain bag, whose `__dict__` is passed on as keyword arguments."""

    def __init__(self, api_key: str, model_id: str, temperature: float = 0.7, max_tokens: int | None = None) -> None:
        self.api_key = api_key
        self.model_id = model_id
        self.temperature = temperature
        self.max_tokens = max_tokens
