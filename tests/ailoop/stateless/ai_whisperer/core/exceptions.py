"""What the model service raises."""


class ConfigError(Exception):
    """The configuration lacks something."""


class OpenRouterAIServiceError(Exception):
    """The provider answered with an error."""


class OpenRouterAuthError(OpenRouterAIServiceError):
    """The provider refused the key (401)."""


class OpenRouterRateLimitError(OpenRouterAIServiceError):
    """The provider asked for patience (429)."""


class OpenRouterConnectionError(OpenRouterAIServiceError):
    """The provider was not reached, fell silent or broke off."""
