#!/bin/sh
# Run test programs, one after the other, and count. A program that prints
# cmocka's totals is counted by test; any other by its exit code: 0 passed,
# 77 skipped (its last line says why), else failed. Last line, always:
#	N passed, N failed, N skipped
set -u
passed=0 failed=0 skipped=0
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
for t in "$@"; do
	printf '  TEST    %s\n' "$t"
	"$t" >"$out" 2>&1
	rc=$?
	# cmocka: "[  PASSED  ] 3 test(s)." / "[  FAILED  ] 1 test(s), ..."
	p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$out" | tail -n 1)
	f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$out" | tail -n 1)
	[ -n "$f" ] || f=$(grep -c '^\[  FAILED  \] [a-z_]' "$out")
	if [ "$rc" -eq 77 ]; then
		skipped=$((skipped + 1))
		printf '  SKIP    %s: %s\n' "$t" "$(tail -n 1 "$out")"
	elif [ "$rc" -eq 0 ]; then
		passed=$((passed + ${p:-1}))
	else
		passed=$((passed + ${p:-0}))
		[ "${f:-0}" -gt 0 ] || f=1
		failed=$((failed + f))
		cat "$out"
		printf '  FAIL    %s (exit %s)\n' "$t" "$rc"
	fi
done
printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
