# Every worker and the watcher. Two targets: cpu, and cuda for NVIDIA GPUs (torch, open_clip and
# ONNX Runtime with CUDA; several GB). Build it from the root of the clone:
#   docker build -f deploy/worker.Dockerfile --target cpu -t rushes-worker .
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
ARG EXTRAS="lite,traces"
RUN python3 -m venv /opt/rushes \
    && touch README.md \
    && pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"

FROM build AS build-cpu
COPY README.md LICENSE ./
COPY api ./api
COPY cli ./cli
COPY shared ./shared
COPY workers ./workers
RUN pip install --no-cache-dir --no-deps --force-reinstall .

FROM build AS build-cuda
# onnxruntime and onnxruntime-gpu are one module under two names: the first must go before the
# second comes. CTranslate2 wants cuBLAS of CUDA 12; torch and ONNX Runtime bring those of CUDA 13.
RUN pip install --no-cache-dir --constraint constraints.txt ".[studio]" nvidia-cublas-cu12 \
    && pip uninstall --yes onnxruntime \
    && pip install --no-cache-dir --constraint constraints.txt "onnxruntime-gpu[cuda,cudnn]"
COPY README.md LICENSE ./
COPY api ./api
COPY cli ./cli
COPY shared ./shared
COPY workers ./workers
RUN pip install --no-cache-dir --no-deps --force-reinstall .

FROM base AS runtime
ARG UID=1000
ARG GID=1000
# Named volumes take over the owner of these folders.
RUN groupadd --non-unique --gid "${GID}" rushes \
    && useradd --non-unique --no-create-home --home-dir /tmp --uid "${UID}" --gid "${GID}" rushes \
    && install --directory --owner="${UID}" --group="${GID}" \
        /var/lib/rushes/state /var/lib/rushes/models
# The hub's library keeps what it is fetching below HF_HOME: on disk, as /tmp may be memory.
ENV HOME=/tmp \
    HF_HOME=/var/lib/rushes/models/huggingface \
    RUSHES_STATE_DIR=/var/lib/rushes/state \
    RUSHES_MODELS_DIR=/var/lib/rushes/models
LABEL org.opencontainers.image.title="Rushes worker" \
    org.opencontainers.image.description="Workers and watcher of Rushes, which makes footage searchable" \
    org.opencontainers.image.licenses="MIT AND GPL-3.0-or-later AND LGPL-3.0-or-later" \
    org.opencontainers.image.base.name="debian:trixie-slim"
USER ${UID}:${GID}
WORKDIR /tmp
# Whether a worker of this container said within 10 s that it is alive.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-m", "workers.alive"]
ENTRYPOINT ["rushes"]
CMD ["worker", "analysis"]

FROM runtime AS cuda
COPY --from=build-cuda /opt/rushes /opt/rushes
# Where the CUDA packages of the Python registry put their libraries.
ENV LD_LIBRARY_PATH=/opt/rushes/lib/python3.13/site-packages/nvidia/cu13/lib:/opt/rushes/lib/python3.13/site-packages/nvidia/cudnn/lib:/opt/rushes/lib/python3.13/site-packages/nvidia/cublas/lib \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM runtime AS cpu
COPY --from=build-cpu /opt/rushes /opt/rushes
