#!/usr/bin/env bash
# Installs what `make fuzz` alone uses (requirements-fuzz.lock) into .venv/fuzz, beside the environment and not into it: a plugin of pytest's is among it.
# Where it cannot be had the campaign goes on with its own mutations and requests, and says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=.venv/fuzz
wanted=$(sha256sum requirements-fuzz.lock)
if [ "$(cat "$target/stamp" 2>/dev/null || true)" = "$wanted" ]; then exit 0; fi
echo "正在准备模糊测试工具… / preparing the tools for fuzzing …" >&2
rm -rf "$target"
if .venv/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --target "$target" --requirement requirements-fuzz.lock; then
    echo "$wanted" > "$target/stamp"
else
    rm -rf "$target"
    printf '%s\n%s\n' "无法安装 atheris 与 schemathesis:改用自带的变异,没有覆盖率引导。" \
        "atheris and schemathesis cannot be installed: going on with our own mutations, not guided by coverage." >&2
fi
