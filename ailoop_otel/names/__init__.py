"""Every name that this package records telemetry under or reads from the environment, as one table.

`docs/telemetry.md` is generated from it (`make docs`), and a test compares the two. Names are those of OpenTelemetry's
semantic conventions where there are any, else `ailoop.*`. The `gen_ai` constants of the conventions' package are
deprecated since these conventions moved to a repository of their own, so all names are written out here.
"""

from ailoop_otel.names.attributes import *  # noqa: F403 - the table is used as one module
from ailoop_otel.names.kinds import *  # noqa: F403
from ailoop_otel.names.load import *  # noqa: F403
from ailoop_otel.names.metrics import *  # noqa: F403
from ailoop_otel.names.settings import *  # noqa: F403
from ailoop_otel.names.spans import *  # noqa: F403
