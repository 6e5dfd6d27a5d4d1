#!/usr/bin/env bash
# Runs every fuzz target of the module for $FUZZTIME each (10s). A target that finds something does not stop the others;
# its input is kept by go in the package's testdata/fuzz, to be committed as a test once the fault is mended.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${FUZZTIME:-10s}
failed=0 ran=0
while IFS=: read -r file target; do
  dir=./$(dirname "$file")
  ran=$((ran + 1))
  echo "fuzz: $target in $dir for $time"
  if ! go test -run '^$' -fuzz "^${target}\$" -fuzztime "$time" -fuzzminimizetime 1s -timeout 30m "$dir"; then
    failed=$((failed + 1))
    echo "fuzz: $target in $dir FAILED"
  fi
done < <(git ls-files --cached --others --exclude-standard '*_test.go' | xargs grep -oHE '^func Fuzz[A-Za-z0-9_]+' | sed 's/func //' | sort)
echo "fuzz: $ran targets, $failed with findings"
[ "$failed" -eq 0 ]
