# Training and every other command on a CUDA device. The packages of torch bring CUDA; the driver is
# that of the host, by the NVIDIA Container Toolkit:
#
#   make dist
#   docker build --file containers/cuda.Dockerfile --tag tagsight:cuda .
#   docker run --gpus all --ipc host --user "$(id -u):$(id -g)" --volume "$PWD:/data" \
#     tagsight:cuda train labels.csv --out runs/first
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY constraints.txt dist/*.whl ./
RUN python -m venv /opt/tagsight \
 && /opt/tagsight/bin/pip install --no-cache-dir --disable-pip-version-check \
    --constraint constraints.txt "$(ls tagsight-*.whl)[encoders,export,serve,torch]"

FROM python:3.12-slim-bookworm
COPY --from=build /opt/tagsight /opt/tagsight
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin tagsight
ENV PATH=/opt/tagsight/bin:$PATH HOME=/tmp XDG_CACHE_HOME=/tmp/cache PYTHONDONTWRITEBYTECODE=1 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001
WORKDIR /data
HEALTHCHECK NONE
ENTRYPOINT ["tagsight"]
CMD ["doctor"]
