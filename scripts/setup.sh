#!/usr/bin/env bash
# Makes .venv at the root from the hashed lock, then installs the six distributions into it, editable. Does nothing when nothing changed.
# PYTHON chooses the interpreter; WHEELHOUSE=folder installs without a network from what `make wheelhouse` collected.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

distributions=(ledger consensus contracts client_sdk node cli)
stamp=.venv/fazhi-stamp # line 1: interpreter and folder; line 2: what was installed

stop() { # <中文> <English>
    printf '%s\n%s\n' "$1" "$2" >&2
    exit 1
}

find_python() { # the first interpreter that is new enough
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    stop "需要 Python 3.11 或更高版本:请安装后重试,或用 PYTHON=/path/to/python3.11 指定。" \
        "Python 3.11 or newer is needed: install it and run this again, or name it with PYTHON=/path/to/python3.11."
}

wanted_stamp() {
    "$python" - requirements.lock VERSION "${distributions[@]/%//pyproject.toml}" <<'EOF'
import hashlib, pathlib, sys
print(hashlib.sha256(f"{pathlib.Path.cwd()} {sys.version}".encode()).hexdigest())
print(hashlib.sha256(b"\0".join(pathlib.Path(name).read_bytes() for name in sys.argv[1:])).hexdigest())
EOF
}

python=$(find_python)
wanted=$(wanted_stamp)
found=$(cat "$stamp" 2>/dev/null || true)
works() { .venv/bin/python -c 'import pip' 2>/dev/null; }
if [ "$found" = "$wanted" ] && works; then exit 0; fi

"$python" -c 'import venv, ensurepip' 2>/dev/null || stop \
    "缺少 venv 模块:请安装 python3-venv(Debian/Ubuntu: sudo apt install python3-venv),然后重试。" \
    "The venv module is missing: install python3-venv (Debian/Ubuntu: sudo apt install python3-venv) and run this again."

echo "正在准备 .venv(首次约需半分钟)… / preparing .venv (about half a minute the first time) …" >&2
if ! works || { [ -n "$found" ] && [ "${found%%$'\n'*}" != "${wanted%%$'\n'*}" ]; }; then
    "$python" -m venv --clear .venv # absent, broken, moved, or made by another interpreter
fi
rm -f "$stamp"

install=(.venv/bin/python -m pip --disable-pip-version-check --quiet install)
if [ -n "${WHEELHOUSE:-}" ]; then install+=(--no-index --find-links "$WHEELHOUSE"); fi
"${install[@]}" --require-hashes --requirement requirements.lock
"${install[@]}" --no-deps --no-build-isolation "${distributions[@]/#/--editable=./}"

# Editable sources are not compiled by their installation: without this each start of a command pays for it again. Where it fails, nothing is lost but that.
.venv/bin/python -m compileall -q "${distributions[@]}" || true

echo "$wanted" > "$stamp"
