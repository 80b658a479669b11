#!/usr/bin/env bash
# 构建镜像,不使用网络 / builds the image, without a network: docker/build.sh [more options of docker build]
# BASE=<image> chooses the base (default: the Dockerfile's), IMAGE=<name> the name (default: fazhi).
# The context is what the Dockerfile copies and nothing else, handed over as a stream: no .dockerignore to forget.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
image=${IMAGE:-fazhi}

context=(requirements.lock LICENSE docker/runtime_lock.py docker/healthcheck.py docker/Dockerfile wheelhouse)

shopt -s nullglob
own=(wheelhouse/fazhi_*.whl)
if [ "${#own[@]}" -ne 6 ]; then
    echo "缺少 wheelhouse:请先在能访问软件源的机器上运行 make wheelhouse。" >&2
    echo "No wheelhouse: run \`make wheelhouse\` first, on a machine that reaches a package index." >&2
    exit 1
fi
sha256sum "${own[@]}"

version=$(cat VERSION)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
tar --create --owner=0 --group=0 --numeric-owner "${context[@]}" | docker build --network none --file docker/Dockerfile \
    ${BASE:+--build-arg "BASE=$BASE"} --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
    --tag "$image:$version" --tag "$image:latest" "$@" -
docker image inspect --format '{{index .RepoTags 0}}  {{.Id}}  {{.Size}} bytes' "$image:$version"
