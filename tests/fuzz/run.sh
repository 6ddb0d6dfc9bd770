#!/bin/sh
# Run each fuzz target over its corpus and FUZZ_RUNS new inputs; a fixed seed
# makes a run repeatable. A crash leaves its input in the build directory.
# Last line: N passed, N failed, N skipped
set -u
passed=0 failed=0
here=$(dirname "$0")
for t in "$@"; do
	name=$(basename "$t")
	name=${name#fuzz_}
	work=$(mktemp -d) || exit 1
	mkdir -p "$here/corpus/$name"
	printf '  FUZZ    %s\n' "$name"
	if "$t" -runs="${FUZZ_RUNS:-200000}" -seed=1 -max_total_time=60 \
		-timeout=10 -rss_limit_mb=2048 -verbosity=0 \
		-artifact_prefix="$(dirname "$t")/crash-$name-" \
		"$work" "$here/corpus/$name" >"$work.log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		tail -n 40 "$work.log"
		printf '  FAIL    %s\n' "$t"
	fi
	rm -rf "$work" "$work.log"
done
printf '%s passed, %s failed, 0 skipped\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
