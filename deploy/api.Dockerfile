# The API and the command line: no model library, no decoder. Build it from the root of the clone:
#   docker build -f deploy/api.Dockerfile -t rushes-api .
FROM debian:trixie-slim AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 tzdata \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/rushes/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1

FROM base AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# What we depend on comes before our code: that layer stays when only the code has changed.
COPY pyproject.toml deploy/constraints.txt ./
ARG EXTRAS="fast,traces"
RUN python3 -m venv /opt/rushes \
    && touch README.md \
    && pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"
COPY README.md LICENSE ./
COPY api ./api
COPY cli ./cli
COPY shared ./shared
RUN pip install --no-cache-dir --no-deps --force-reinstall .

FROM base AS api
ARG UID=1000
ARG GID=1000
# Named volumes take over the owner of these folders.
RUN groupadd --non-unique --gid "${GID}" rushes \
    && useradd --non-unique --no-create-home --home-dir /tmp --uid "${UID}" --gid "${GID}" rushes \
    && install --directory --owner="${UID}" --group="${GID}" \
        /var/lib/rushes/state /var/lib/rushes/models
COPY --from=build /opt/rushes /opt/rushes
ENV HOME=/tmp \
    RUSHES_STATE_DIR=/var/lib/rushes/state \
    RUSHES_MODELS_DIR=/var/lib/rushes/models
LABEL org.opencontainers.image.title="Rushes API" \
    org.opencontainers.image.description="HTTP and Socket.IO API of Rushes, which makes footage searchable" \
    org.opencontainers.image.licenses="MIT AND LGPL-3.0-or-later" \
    org.opencontainers.image.base.name="debian:trixie-slim"
USER ${UID}:${GID}
WORKDIR /tmp
EXPOSE 6699
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:6699/api/v1/health', timeout=4)"]
ENTRYPOINT ["rushes"]
CMD ["api"]
