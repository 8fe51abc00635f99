"""Who it is that telemetry comes from."""

from __future__ import annotations

from typing import Final

from opentelemetry.sdk.resources import SERVICE_NAME, Resource

from ailoop_otel.version import __version__

SERVICE: Final = "ailoop"
DISTRO: Final = "ailoop-otel"


def resource() -> Resource:
    """The resource of this process: `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, else service `ailoop`.

    The SDK gives each process a `service.instance.id` of its own, and another after a fork.
    """
    made = Resource.create({"telemetry.distro.name": DISTRO, "telemetry.distro.version": __version__})
    # Attributes given to `create` would win over the environment, so the default is put in afterwards, in the
    # place of the SDK's own.
    if str(made.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return made.merge(Resource({SERVICE_NAME: SERVICE}))
    return made
