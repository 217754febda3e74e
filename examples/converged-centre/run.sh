#!/bin/sh
# One month of a converged centre, by who schedules it (each site for itself, or one scheduler over
# all three) and by what organisations own (quotas that are fixed, or lent while they stand idle).
# Takes some minutes; leaves month.csv and report.html in the folder given (default: here).
# LOAD is how much is asked for, of what is owned: 0.8 unless it is set.
set -e
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:-$here}"
out=$(cd "${1:-$here}" && pwd)
weir=${WEIR:-weir}
cd "$here"
"$weir" trace generate --model converged --tenants fixed.yaml --load "${LOAD:-0.8}" --seed 1 --output "$out/month.csv"
"$weir" simulate "$out/month.csv" --fleet fleet.yaml --checkpoint 1h --policy "weir preemptions_per_hour=100000" \
    --vary each_site=yes,no --vary tenants=fixed.yaml,lending.yaml --report "$out/report.html"
