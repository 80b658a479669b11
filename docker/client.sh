#!/usr/bin/env bash
# 在四节点网络里运行 fazhi(试用):docker/client.sh case open …;当前目录即容器内的工作目录
# Runs fazhi inside the network of four nodes (a trial): the current folder is the container's working folder.
# The keys of setup.sh are in /officers, the tokens for reading in /officers/read-tokens.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
genesis_hash=$(cat "$here/genesis.hash")
FAZHI_PASSPHRASE=$(head -n 1 "$here/secrets/officers.passphrase")
export FAZHI_PASSPHRASE
terminal=()
if [ -t 0 ] && [ -t 1 ]; then terminal=(--tty); fi
exec docker run --rm --interactive "${terminal[@]}" --network fazhi --user "$(id -u):$(id -g)" \
    --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges:true --no-healthcheck \
    --volume "$PWD:/work" --workdir /work --volume "$here/officers:/officers:ro" \
    --env FAZHI_PASSPHRASE --env "FAZHI_GENESIS_HASH=$genesis_hash" \
    --env "FAZHI_NODES=https://zfj:7443 https://sfj:7443 https://gzc:7443 https://fy:7443" \
    "${FAZHI_IMAGE:-fazhi:latest}" fazhi "$@"
