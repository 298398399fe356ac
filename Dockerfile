# One image for everything that docker-compose.yaml runs. A base is pinned by its tag and its content; another one with
# Python 3.11 or newer as `python3` and a Debian underneath is given by --build-arg BASE_IMAGE=...
ARG BASE_IMAGE=python:3.11.15-slim-bookworm@sha256:b18992999dbe963a45a8a4da40ac2b1975be1a776d939d098c647482bcad5cba

FROM ${BASE_IMAGE} AS build
WORKDIR /opt/tapeline
COPY requirements.lock requirements-server.lock ./
# Both secrets are optional: `build_env` is a shell file with the settings of a company's own package index and proxy,
# `ca_certificates` its certificates. Neither stays in the image. uv comes from the lock too, with its hashes.
RUN --mount=type=secret,id=build_env --mount=type=secret,id=ca_certificates --mount=type=cache,target=/var/cache/build \
    set -eu; \
    export XDG_CACHE_HOME=/var/cache/build; \
    if [ -f /run/secrets/build_env ]; then set -a; . /run/secrets/build_env; set +a; fi; \
    if [ -f /run/secrets/ca_certificates ]; then \
        export SSL_CERT_FILE=/run/secrets/ca_certificates PIP_CERT=/run/secrets/ca_certificates; fi; \
    awk '/^uv==/ {on = 1} on {print} on && !/\\$/ {exit}' requirements.lock > /tmp/uv.lock; \
    python3 -m venv /opt/uv; \
    /opt/uv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r /tmp/uv.lock; \
    python3 -m venv --without-pip /opt/venv; \
    /opt/uv/bin/uv pip sync --quiet --python /opt/venv/bin/python --require-hashes --no-build --link-mode copy \
        --compile-bytecode requirements-server.lock
COPY . .
RUN /opt/uv/bin/uv pip install --quiet --offline --python /opt/venv/bin/python --no-deps --no-build-isolation \
        --editable . --editable packages/localaws \
    && /opt/venv/bin/python -m compileall -q src producer packages

FROM ${BASE_IMAGE}
# The folders of the volumes exist with their owner, whom a new volume then takes over.
RUN groupadd --gid 10001 tapeline \
    && useradd --uid 10001 --gid tapeline --no-create-home --home-dir /tmp --shell /usr/sbin/nologin tapeline \
    && install -d -o tapeline -g tapeline -m 0700 /var/lib/tapeline /var/log/airflow /run/aws /run/aws-airflow /run/aws-producer \
    && install -d -m 1777 /opt/tapeline/build
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/tapeline /opt/tapeline
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    TAPELINE_HOME=/var/lib/tapeline \
    TAPELINE_IN_CONTAINER=1
WORKDIR /opt/tapeline
USER 10001:10001
CMD ["tapeline", "--help"]
