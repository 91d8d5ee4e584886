#!/usr/bin/env bash
# run.sh - the ABI's promises: pawl.h compiles everywhere without a warning, the first example in it works as printed, no offset
# of 1.0 has moved, and plugins export exactly one symbol. The last line is 'N passed, N failed'.
set -u
cd "$(dirname "$0")/../.."
BIN=${PAWL_TEST_BIN:-.build/release}
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
passed=0 failed=0
LOG=$SCRATCH/log

check() { # check TITLE COMMAND...
    local title=$1
    shift
    if "$@" >"$LOG" 2>&1; then
        passed=$((passed + 1))
        echo "ok    $title"
    else
        failed=$((failed + 1))
        echo "FAIL  $title"
        sed 's/^/      /' "$LOG" | head -20
    fi
}

WARNINGS="-Wall -Wextra -pedantic -pedantic-errors -Werror -Wshadow -Wcast-qual -Wconversion"
for pair in "gcc g++" "clang clang++"; do
    read -r c cxx <<<"$pair"
    if ! command -v "$c" >/dev/null || ! command -v "$cxx" >/dev/null; then
        echo "note: no $c here: not tested with it"
        continue
    fi
    for std in c11 c17; do
        check "$c -std=$std: header and layout" $c -std=$std $WARNINGS -Iinclude -c -o "$SCRATCH/o" Sources/PluginABI/layout.c
        check "$c -std=$std: use" $c -std=$std $WARNINGS -Iinclude -c -o "$SCRATCH/o" Tests/abi/use.c
        check "$c -std=$std: wire" $c -std=$std $WARNINGS -ISources/PluginABI/Wire/include -c -o "$SCRATCH/o" Sources/PluginABI/Wire/wire.c
    done
    for std in c++17 c++20; do
        check "$cxx -std=$std: use" $cxx -std=$std $WARNINGS -Wold-style-cast -Iinclude -c -o "$SCRATCH/o" Tests/abi/use.cpp
        check "$cxx -std=$std: pawl.hpp" $cxx -std=$std $WARNINGS -Wold-style-cast -Iinclude -c -o "$SCRATCH/o" Tests/plugins/ways.cpp
    done
done

# A plugin in C++, a plugin in C, and the example at the top of the header, each by one command.
sed -n '/^ \*     #include <pawl.h>/,/^ \*     PAWL_PLUGIN/p' include/pawl.h | sed 's/^ \*     //; s/^ \*$//' >"$SCRATCH/hello.c"
check "the header's example compiles" cc -std=c11 -Wall -Wextra -pedantic -Werror -shared -fPIC -fvisibility=hidden -I include -o "$SCRATCH/hello.so" "$SCRATCH/hello.c"
check "a plugin in C compiles" cc -std=c11 -Wall -Wextra -pedantic -Werror -shared -fPIC -fvisibility=hidden -I include -o "$SCRATCH/use.so" Tests/abi/use.c
if command -v c++ >/dev/null; then
    check "a plugin in C++ compiles" c++ -std=c++17 -Wall -Wextra -pedantic -Werror -shared -fPIC -fvisibility=hidden -I include -o "$SCRATCH/usexx.so" Tests/abi/use.cpp
fi

exports_one() {
    local found
    found=$(nm -D --defined-only "$1" | awk '{print $3}')
    [ "$found" = pawl_plugin_entry ] || { echo "$1 exports: $found"; return 1; }
}
for library in "$SCRATCH"/*.so "$BIN"/plugins/*.so "$BIN"/pawl-ffi.so; do
    [ -e "$library" ] && check "${library##*/} exports one symbol" exports_one "$library"
done

# They load, and run.
for library in "$SCRATCH"/*.so; do
    check "${library##*/} runs" python3 Tests/abi/runs.py "$library"
done

# The smallest sizes that were ever released are what the zygote accepts; higher and lower minors are Tests/zygote's.
needs_no_host() {
    local undefined
    undefined=$(nm -D --undefined-only "$1" | awk '{print $2}' | grep -i '^pawl' || true)
    [ -z "$undefined" ] || { echo "$1 needs of its host: $undefined"; return 1; }
}
for library in "$SCRATCH"/*.so "$BIN"/plugins/*.so; do
    check "${library##*/} needs no symbol of the host" needs_no_host "$library"
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
