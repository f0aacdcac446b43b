# A server of an exported model on processors, without torch:
#
#   make dist
#   docker build --file containers/cpu.Dockerfile --tag tagsight:cpu .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     --volume "$PWD/exported:/model:ro" --volume "$PWD/token:/run/secrets/token:ro" \
#     --publish 8000:8000 tagsight:cpu
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY constraints.txt dist/*.whl ./
RUN python -m venv /opt/tagsight \
 && /opt/tagsight/bin/pip install --no-cache-dir --disable-pip-version-check \
    --constraint constraints.txt "$(ls tagsight-*.whl)[onnx,serve]"

FROM python:3.12-slim-bookworm
COPY --from=build /opt/tagsight /opt/tagsight
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin tagsight
# Nothing is written outside /tmp, so that the root can be read-only.
ENV PATH=/opt/tagsight/bin:$PATH HOME=/tmp XDG_CACHE_HOME=/tmp/cache PYTHONDONTWRITEBYTECODE=1
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz')"]
ENTRYPOINT ["tagsight"]
CMD ["serve", "/model/model.onnx", "--host", "0.0.0.0", "--token-file", "/run/secrets/token"]
