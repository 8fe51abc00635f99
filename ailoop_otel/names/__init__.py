"""Every name this package puts into telemetry or reads from the environment, in one table of a few pages.

`docs/telemetry.md` is generated from it and a test keeps the two equal. OpenTelemetry's semantic conventions come
first, `ailoop.*` otherwise. The `gen_ai` constants of the conventions package are deprecated since they moved to a
repository of their own, so all names are spelled here.
"""

from ailoop_otel.names.attributes import *  # noqa: F403 - the table is read as one
from ailoop_otel.names.kinds import *  # noqa: F403
from ailoop_otel.names.metrics import *  # noqa: F403
from ailoop_otel.names.settings import *  # noqa: F403
from ailoop_otel.names.spans import *  # noqa: F403
