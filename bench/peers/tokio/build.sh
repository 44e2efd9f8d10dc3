#!/bin/sh
# build.sh CARGO REGISTRY SOURCES WORK OUTPUT: builds the peer with the crates that the system has.
# In a copy, because cargo writes beside its manifest.
set -eu
cargo=$1 registry=$2 sources=$3 work=$4 output=$5
mkdir -p "$work"
cp -r "$sources/Cargo.toml" "$sources/src" "$work"
"$cargo" build --quiet --release --offline --jobs 1 --manifest-path "$work/Cargo.toml" \
  --config 'source.crates-io.replace-with="system"' \
  --config "source.system.directory=\"$registry\""
cp "$work/target/release/tokio_peer" "$output"
