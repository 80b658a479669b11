#!/usr/bin/env bash
# 为 docker-compose.yml 的四家单位生成密钥、名片和创世文件,各放入自己的卷;已有的一律不动,可以重复运行。
# Makes keys, cards and the genesis of docker-compose.yml's four agencies, each into its own volume. What is there is
# left as it is, so it may be run again. Every step runs in a container without a network that sees one agency's
# volume and pass phrase only; what passes between them are the cards, which hold nothing secret.
#
#   secrets/<org>.passphrase   口令,随机生成 / a random pass phrase each; keep it, without it the key is lost
#   cards/<org>.card           名片 / the cards
#   officers/<name>.key .card  执法局四名人员的密钥(试用)/ keys of four people of the bureau, to try things with
#   officers/read-tokens       四个网关的读取令牌(试用)/ the gateways' tokens for reading, to try things with
#   genesis.fazhi .hash        创世文件及其哈希 / the genesis file and its hash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
image=${FAZHI_IMAGE:-fazhi:latest}
umask 077

# org | 名称 | name | role
agencies=(
    "sfj|司法局|Bureau of Justice|supervisor"
    "zfj|综合行政执法局|Bureau of Integrated Enforcement|"
    "gzc|公证处|Notary Office|notary"
    "fy|人民法院|Court|"
)
bureau=zfj
#       file      role of the key
officers=("officer|officer" "officer2|officer" "head|head" "reviewer|reviewer")

say() { printf '%s\n' "$*" >&2; }
sealed=(docker run --rm --interactive --network none --read-only --tmpfs /tmp --cap-drop ALL
    --security-opt no-new-privileges:true)

new_passphrase() { # <file>: readable in the container by its user, on the host by nobody else, for the folder is 0700
    [ -s "$1" ] && return
    head -c 24 /dev/urandom | base64 > "$1"
    chmod 0444 "$1"
}

in_home() { # <org> <command…>: in a container with that agency's volume and pass phrase
    local org=$1
    shift
    "${sealed[@]}" --volume "fazhi-$org:/var/lib/fazhi" \
        --volume "$PWD/secrets/$org.passphrase:/run/secrets/passphrase:ro" "$image" "$@"
}

make_home() { # <org> <zh> <en> <role>
    new_passphrase "secrets/$1.passphrase"
    docker volume create "fazhi-$1" > /dev/null
    if in_home "$1" test -e fazhi-node.toml; then
        say "$1: 已有 / is there already"
    else
        in_home "$1" fazhi-node init --org "$1" --name "$2" --name-en "$3" ${4:+--role "$4"} \
            --url "https://$1:7443" --p2p "$1:7444" --passphrase-file /run/secrets/passphrase > /dev/null
        say "$1: 已生成密钥 / keys made"
    fi
    in_home "$1" cat "$1.card" > "cards/$1.card"
}

make_officer() { # <name> <role>
    [ -e "officers/$1.key" ] && return
    # shellcheck disable=SC2016 # the inner shell's own parameters
    "${sealed[@]}" --volume "$PWD/secrets/officers.passphrase:/run/secrets/passphrase:ro" --workdir /tmp "$image" sh -c '
        fazhi keygen "$1.key" --org "$2" --role "$3" --passphrase-file /run/secrets/passphrase > /dev/null 2>&1
        tar --create "$1.key" "$1.card"' sh "$1" "$bureau" "$2" | tar --extract --directory officers --no-same-owner
    say "$1.key: 已生成 / made"
}

make_genesis() { # of all cards
    local given=() name
    for name in "${officers[@]%%|*}"; do given+=(--officer "officers/$name.card"); done
    tar --create --mode 0644 cards/*.card officers/*.card |
        "${sealed[@]}" --workdir /tmp "$image" sh -c '
            tar --extract && fazhi-node genesis cards/*.card "$@" -o genesis.fazhi >&2 && cat genesis.fazhi
        ' sh "${given[@]}" > genesis.fazhi.new
    mv genesis.fazhi.new genesis.fazhi
}

mkdir -p secrets cards officers
for agency in "${agencies[@]}"; do
    IFS='|' read -r org zh en role <<< "$agency"
    make_home "$org" "$zh" "$en" "$role"
done
new_passphrase secrets/officers.passphrase
for officer in "${officers[@]}"; do make_officer "${officer%%|*}" "${officer##*|}"; done
[ -s genesis.fazhi ] || make_genesis
for agency in "${agencies[@]}"; do
    org=${agency%%|*}
    in_home "$org" sh -c 'test -e genesis.fazhi || { cat > genesis.new && mv genesis.new genesis.fazhi; }' < genesis.fazhi
    # Refuses with one sentence where key, certificate, genesis or settings do not belong together.
    checked=$(in_home "$org" fazhi-node run --check --passphrase-file /run/secrets/passphrase < /dev/null)
done
for agency in "${agencies[@]}"; do
    org=${agency%%|*}
    printf 'https://%s:7443 %s\n' "$org" "$(in_home "$org" head -n 1 keys/read-tokens < /dev/null)"
done > officers/read-tokens
say "创世哈希 / genesis hash:"
grep --only-matching --extended-regexp '[0-9a-f]{64}' <<< "$checked" | tee genesis.hash
say "下一步 / next: docker compose up --detach; docker compose ps"
