#!/usr/bin/env bash
# 无法拉取基础镜像时,用 debootstrap 自制一个(需要 root)/ makes a base image where none can be pulled (needs root):
#   docker/base.sh                      → fazhi-base:bookworm;  then  BASE=fazhi-base:bookworm docker/build.sh
# SUITE (bookworm), MIRROR (debootstrap's own default) and NAME may be set. TREE=<folder> keeps or reuses the tree.
# Python of bookworm is 3.11: collect the wheelhouse with the same version.
set -euo pipefail
suite=${SUITE:-bookworm}
name=${NAME:-fazhi-base:$suite}
if [ -n "${TREE:-}" ]; then
    tree=$TREE
else
    tree=$(mktemp -d)
    trap 'rm -rf "$tree"' EXIT
fi
if [ ! -e "$tree/usr/bin/python3" ]; then
    debootstrap --variant=minbase --include=python3-minimal,python3-venv,ca-certificates "$suite" "$tree" ${MIRROR:+"$MIRROR"}
fi

# What a running container never reads stays out; the copyright files stay in.
leave_out=(
    './dev/*' './proc/*' './sys/*' './run/*' './tmp/*'
    './var/cache/*' './var/lib/apt/lists/*' './var/log/*'
    './usr/share/locale/*' './usr/share/man/*' './usr/share/info/*' './usr/share/i18n/*'
)
documents=$(mktemp)
(cd "$tree" && find ./usr/share/doc \( -type f -o -type l \) ! -name copyright) > "$documents"
tar --create --directory "$tree" --numeric-owner \
    --no-wildcards --exclude-from "$documents" --wildcards "${leave_out[@]/#/--exclude=}" . |
    docker import --change 'ENV LANG=C.UTF-8' --change 'CMD ["bash"]' - "$name"
rm -f "$documents"
docker image inspect --format '{{index .RepoTags 0}}  {{.Id}}  {{.Size}} bytes' "$name"
