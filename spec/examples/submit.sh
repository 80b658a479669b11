#!/usr/bin/env bash
# Open a case with nothing but bash, openssl and curl: a worked example of spec/submission.md.
#
#   GATEWAY=https://127.0.0.1:8443 CACERT=tls.crt GENESIS_HASH=7c1e… ORG=zfj KEY=officer.key bash submit.sh 2026-0412
#
# KEY is an Ed25519 key as openssl reads it (PKCS#8 PEM; openssl asks for its pass phrase), registered for ORG as an officer.
set -euo pipefail
number=${1:?docket number, in ASCII and already in the form of rule docket/1}
: "${GATEWAY:?}" "${CACERT:?}" "${GENESIS_HASH:?}" "${ORG:?}" "${KEY:?}"
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT

# --- canonical encoding (spec/canonical.md), as hex text -------------------------------------------------------------
hex_of() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }
bytes_of() { # hex text on stdin -> bytes
  local hex; hex=$(cat)
  printf '%b' "$(sed 's/../\\x&/g' <<<"$hex")"
}
int() { # non-negative integers, shortest form
  local n=$1
  if   ((n < 128));        then printf '%02x' "$n"
  elif ((n < 256));        then printf 'cc%02x' "$n"
  elif ((n < 65536));      then printf 'cd%04x' "$n"
  elif ((n < 4294967296)); then printf 'ce%08x' "$n"
  else                          printf 'cf%016x' "$n"; fi
}
bin() { # a byte string, given as hex
  local n=$((${#1} / 2))
  if ((n < 256)); then printf 'c4%02x%s' "$n" "$1"; else printf 'c5%04x%s' "$n" "$1"; fi
}
text() { # a string of fewer than 32 bytes, or of fewer than 256
  local hex n; hex=$(hex_of "$1"); n=$((${#hex} / 2))
  if ((n < 32)); then printf '%02x%s' $((160 + n)) "$hex"; else printf 'd9%02x%s' "$n" "$hex"; fi
}
array() { # the encodings of fewer than 16 values
  printf '%02x' $((144 + $#)); printf '%s' "$@"
}
nil=c0

# --- hashes and signatures (spec/crypto.md) --------------------------------------------------------------------------
sha256() { bytes_of <<<"$1" | openssl dgst -sha256 -binary | od -An -v -tx1 | tr -d ' \n'; }
tagged() { sha256 "$(hex_of "fazhi/$1")00$2"; }
empty_root=$(sha256 "")
public_key=$(openssl pkey -in "$KEY" -pubout -outform DER | tail -c 32 | od -An -v -tx1 | tr -d ' \n')

# --- the record (spec/submission.md): an intake without files, so no commitments -------------------------------------
now_ms=$(($(date +%s) * 1000))
case_key=$(tagged case "$(array "$(text "$ORG")" "$(text penalty)" "$(text "$number")")")
record=$(array "$(int 1)" "$(text penalty)" "$(bin "$case_key")" "$(text LEAD)" "$(int "$now_ms")" \
  "$(array "$(int 0)" "$(bin "$empty_root")")" "$(array)" "$(array)")
records_root=$(sha256 "00$record") # the root of one leaf is the leaf's hash (spec/merkle.md)

# --- the body, signed as a DSSE message ------------------------------------------------------------------------------
lane=$(openssl rand -hex 16) # a new lane begins with seq 0; a real client keeps its lane and counts on
draft_id=$(openssl rand -hex 16)
body=$(array "$(int 1)" "$(bin "$GENESIS_HASH")" "$(text "$ORG")" "$(bin "$lane")" "$(int 0)" "$(bin "$draft_id")" \
  "$(text cases)" "$(text record)" "$(array "$(int 1)" "$(bin "$records_root")")" "$(array "$(bin "$public_key")")" \
  "$(int "$now_ms")" "$nil" "$nil")
type=application/vnd.fazhi.submission.v1
message=$(hex_of "DSSEv1 ${#type} $type $((${#body} / 2)) ")$body
bytes_of <<<"$message" >"$work/message"
openssl pkeyutl -sign -rawin -inkey "$KEY" -in "$work/message" -out "$work/signature"
signature=$(od -An -v -tx1 <"$work/signature" | tr -d ' \n')
echo "id $(sha256 "$message")"

# --- the item, and the request (spec/gateway.md) ---------------------------------------------------------------------
item=$(array "$(bin "$body")" "$(array "$(bin "$signature")")" "$(array "$(bin "$record")")")
bytes_of <<<"$(array "$(bin "$item")")" >"$work/submissions"
curl --fail-with-body --silent --show-error --cacert "$CACERT" \
  -H 'Content-Type: application/vnd.fazhi.submissions.v1' --data-binary "@$work/submissions" \
  "$GATEWAY/v1/submissions?wait_ms=10000"
echo
