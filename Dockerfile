# muonscope in a container: docker build --tag muonscope .
# With Spark, its Java included: docker build --build-arg EXTRAS=spark --tag muonscope:spark .
FROM python:3.12-slim AS build
ARG EXTRAS=""
WORKDIR /build
COPY requirements.lock requirements-dev.lock ./
RUN python -m venv /opt/muonscope \
    && /opt/muonscope/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
# What an extra brings has the versions of the lock for development.
RUN sed -e '/--hash=/d' -e 's/ \\$//' requirements-dev.lock > pinned.txt \
    && /opt/muonscope/bin/pip install --no-cache-dir --no-build-isolation \
      --constraint pinned.txt ".${EXTRAS:+[${EXTRAS}]}"

FROM python:3.12-slim
ARG EXTRAS=""
RUN case ",${EXTRAS}," in \
      *,spark,*) apt-get update \
        && apt-get install --yes --no-install-recommends default-jre-headless procps \
        && rm -rf /var/lib/apt/lists/* ;; \
    esac
COPY --from=build /opt/muonscope /opt/muonscope
ENV PATH=/opt/muonscope/bin:$PATH
RUN useradd --create-home --uid 10001 muonscope
USER muonscope
WORKDIR /home/muonscope
# Compiled kernels are kept here: a volume makes the next start quick.
ENV NUMBA_CACHE_DIR=/home/muonscope/.cache/numba PYTHONUNBUFFERED=1
RUN mkdir -p "${NUMBA_CACHE_DIR}"
ENTRYPOINT ["muonscope"]
CMD ["--help"]
