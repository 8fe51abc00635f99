# AILoop of the current generation with ailoop-otel. The checkout of AILoop is a build context of its own:
#
#   docker build --build-context ailoop=../AIWhisperer --tag ailoop-otel-server .
#   docker run --rm -p 127.0.0.1:8000:8000 -e OPENROUTER_API_KEY -v ailoop-telemetry:/var/lib/ailoop ailoop-otel-server
#
# Telemetry, and what a collector has not taken yet, is in /var/lib/ailoop.
FROM python:3.12-slim-trixie AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY ailoop_otel ailoop_otel
# hadolint ignore=DL3022
COPY --from=ailoop requirements.txt ./
# AILoop names no versions of its web stack; these are the ones that it was written for.
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir \
    -r requirements.txt 'fastapi<0.116' 'starlette<0.47' 'mcp<2' 'fastmcp<3' '.[cli]'

FROM python:3.12-slim-trixie
RUN useradd --uid 1000 --create-home ailoop && install --directory --owner ailoop /var/lib/ailoop /srv/ailoop
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/ailoop
# What the server reads, by name: a checkout's .env holds a key, and must not be in an image.
# hadolint ignore=DL3022
COPY --from=ailoop --chown=ailoop ai_whisperer ai_whisperer
# hadolint ignore=DL3022
COPY --from=ailoop --chown=ailoop interactive_server interactive_server
# hadolint ignore=DL3022
COPY --from=ailoop --chown=ailoop config config
# hadolint ignore=DL3022
COPY --from=ailoop --chown=ailoop prompts prompts
# hadolint ignore=DL3022
COPY --from=ailoop --chown=ailoop postprocessing postprocessing
# hadolint ignore=DL3022
COPY --from=ailoop --chown=ailoop scripts scripts
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AILOOP_OTEL_ENABLED=true \
    AILOOP_OTEL_DIRECTORY=/var/lib/ailoop
USER 1000
VOLUME /var/lib/ailoop
EXPOSE 8000
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8000), 2)"]
# Exec form: SIGTERM reaches the server, and what is not exported yet is written.
CMD ["python", "-m", "interactive_server.main", "--host", "0.0.0.0", "--port", "8000"]
