# syntax=docker/dockerfile:1
# The wheel and its locked dependencies are installed in the first stage; the second holds only the result.
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /venv
COPY requirements/run.lock ./
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r run.lock
COPY pyproject.toml README.md CHANGELOG.md LICENSE ./
COPY connector connector
COPY practice_org practice_org
COPY mappings mappings
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps .

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --create-home connector
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 \
    CONNECTOR_STATE=/data/connector.sqlite3 CONNECTOR_LOG_FORMAT=json
USER 10001
WORKDIR /data
VOLUME /data
# Healthy while the last good cycle is no older than ten minutes.
HEALTHCHECK --interval=60s --timeout=10s --start-period=120s --retries=3 \
    CMD ["connector", "status", "--max-age", "600", "--json"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["connector"]
CMD ["run"]
