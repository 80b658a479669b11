#!/usr/bin/env bash
# Stops what a demo or devnet left running: first by the command itself, then by the *.pid files under the folder given.
# A process is stopped only if its command line is ours: a number in an old file may belong to somebody else by now.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-demo-out}

if [ -x .venv/bin/fazhi ] && .venv/bin/fazhi devnet --help >/dev/null 2>&1; then
    .venv/bin/fazhi devnet down || true
fi

[ -d "$folder" ] || exit 0
find "$folder" -name '*.pid' -type f | while read -r file; do
    pid=$(tr -dc 0-9 < "$file" | head -c 10)
    command=$(ps -p "${pid:-0}" -o args= 2>/dev/null || true)
    if [[ "$command" == *fazhi* || "$command" == *"-m demo"* ]]; then
        kill "$pid" && echo "已停止 / stopped: $pid ${command%% *}"
    fi
    rm -f "$file"
done
