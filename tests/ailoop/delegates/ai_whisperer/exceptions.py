"""What the model service raises."""


class AIWhispererError(Exception):
    """Any error of the application's own."""


class ConfigError(AIWhispererError):
    """The configuration lacks something."""


class OpenRouterAIServiceError(AIWhispererError):
    """The provider answered with an error."""

    def __init__(self, message: str, status_code: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code


class OpenRouterAuthError(OpenRouterAIServiceError):
    """The provider refused the key (401)."""


class OpenRouterRateLimitError(OpenRouterAIServiceError):
    """The provider asked for patience (429)."""


class OpenRouterConnectionError(AIWhispererError):
    """The provider was not reached, fell silent or broke off."""
