"""Makes the application first and forks the processes that serve it, as gunicorn does with `--preload`."""

import os
import signal
import sys

from tests.switching.steps import build, serve_in_child

if __name__ == "__main__":
    app = build()
    children = [serve_in_child(app, int(port)) for port in (os.environ["CHILD_PORT"], sys.argv[1])]

    def stop(number: int, frame: object) -> None:
        for child in children:
            os.kill(child, number)

    signal.signal(signal.SIGTERM, stop)
    for child in children:
        os.waitpid(child, 0)
