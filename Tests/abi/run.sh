#!/usr/bin/env bash
# run.sh - the ABI's promises: pawl.h compiles everywhere without a warning, the first example in it works as printed, nothing of a
# released minor has moved, plugins export exactly one symbol, plugins of released minors run, and no descriptor brings a zygote
# down. docs/abi.md says what is promised. The last line is 'N passed, N failed'.
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
    for std in c11 c17 c23; do
        # c2x was C23's name until it was out.
        if ! echo 'int x;' | $c -std=$std -x c -c -o "$SCRATCH/o" - 2>/dev/null; then
            [ $std = c23 ] && std=c2x
            echo 'int x;' | $c -std=$std -x c -c -o "$SCRATCH/o" - 2>/dev/null || { echo "skipped: $c knows no -std=$std"; continue; }
        fi
        check "$c -std=$std: header and layout" $c -std=$std $WARNINGS -Iinclude -c -o "$SCRATCH/o" Sources/PluginABI/layout.c
        check "$c -std=$std: note" $c -std=$std $WARNINGS -Iinclude -c -o "$SCRATCH/o" Tests/abi/note.c
        check "$c -std=$std: a long note" $c -std=$std $WARNINGS -DMANY -Iinclude -c -o "$SCRATCH/o" Tests/abi/note.c
        check "$c -std=$std: use" $c -std=$std $WARNINGS -Iinclude -c -o "$SCRATCH/o" Tests/abi/use.c
        check "$c -std=$std: wire" $c -std=$std $WARNINGS -ISources/PluginABI/Wire/include -c -o "$SCRATCH/o" Sources/PluginABI/Wire/wire.c
        for frozen in Tests/abi/frozen/[0-9]*.c; do
            minor=$(basename "$frozen" .c)
            check "$c -std=$std: $minor is as it was released" $c -std=$std -Wall -Wextra -Werror -DFROZEN_EXACT -ITests/abi/released/$minor -c -o "$SCRATCH/o" "$frozen"
            check "$c -std=$std: nothing of $minor has moved" $c -std=$std -Wall -Wextra -Werror -Iinclude -c -o "$SCRATCH/o" "$frozen"
        done
    done
    for std in c++17 c++20 c++23; do
        if ! echo 'int x;' | $cxx -std=$std -x c++ -c -o "$SCRATCH/o" - 2>/dev/null; then
            echo "skipped: $cxx knows no -std=$std"
            continue
        fi
        check "$cxx -std=$std: note" $cxx -std=$std $WARNINGS -DMANY -Iinclude -x c++ -c -o "$SCRATCH/o" Tests/abi/note.c
        check "$cxx -std=$std: use" $cxx -std=$std $WARNINGS -Wold-style-cast -Iinclude -c -o "$SCRATCH/o" Tests/abi/use.cpp
        check "$cxx -std=$std: pawl.hpp" $cxx -std=$std $WARNINGS -Wold-style-cast -Iinclude -c -o "$SCRATCH/o" Tests/plugins/ways.cpp
        for frozen in Tests/abi/frozen/[0-9]*.c; do
            check "$cxx -std=$std: nothing of $(basename "$frozen" .c) has moved" $cxx -std=$std -Wall -Wextra -Werror -Iinclude -x c++ -c -o "$SCRATCH/o" "$frozen"
        done
    done
done
if command -v swiftc >/dev/null; then
    printf 'import PluginABI\nlet sizes = (MemoryLayout<pawl_host>.size, MemoryLayout<pawl_plugin>.size)\nlet kind: Int32 = PAWL_E_LIMIT\n' >"$SCRATCH/imports.swift"
    check "Swift imports the header" swiftc -swift-version 6 -warnings-as-errors -I include -typecheck "$SCRATCH/imports.swift"
fi

# What was released is never edited.
check "released and frozen files are as recorded" sh -c 'cd Tests/abi && sha256sum --quiet -c frozen/SHA256SUMS &&
    find frozen released corpus -type f ! -name SHA256SUMS | sort >'"$SCRATCH"'/files && cut -c67- frozen/SHA256SUMS | sort | diff - '"$SCRATCH"'/files'
if command -v abidw >/dev/null && command -v abidiff >/dev/null && [ "$(uname -m)" = x86_64 ]; then
    check "the debug information has grown at ends only" python3 Tests/abi/report.py
else
    echo "skipped: no abigail-tools, or another machine than the stored report's (x86-64)"
fi

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

# All that is undefined is found in the libraries that the plugin itself names; nothing is wanted of the host.
resolves() {
    local undefined
    undefined=$(nm -D --undefined-only "$1" | awk '{print $NF}' | grep -i '^pawl' || true)
    [ -z "$undefined" ] || { echo "$1 needs of its host: $undefined"; return 1; }
    ldd -r "$1" >"$SCRATCH/ldd" 2>&1 || { cat "$SCRATCH/ldd"; return 1; }
    ! grep -E 'undefined symbol|not found' "$SCRATCH/ldd"
}
# With a compiler alone no library but the language's own is needed.
needs_runtime_only() {
    local needed
    needed=$(readelf --wide -d "$1" | awk '/\(NEEDED\)/ { gsub(/[][]/, "", $5); print $5 }' |
        grep -vxE 'lib(c|m|gcc_s|stdc\+\+|pthread|dl)\.so\.[0-9]+|ld-linux-.*' || true)
    [ -z "$needed" ] || { echo "$1 needs: $needed"; return 1; }
}
for library in "$SCRATCH"/*.so "$BIN"/plugins/*.so "$BIN"/pawl-ffi.so; do
    [ -e "$library" ] && check "${library##*/} finds all its symbols, none in the host" resolves "$library"
done
for library in "$SCRATCH"/*.so "$BIN"/plugins/csv.so Tests/abi/corpus/*/"$(uname -m)"/*.so; do
    [ -e "$library" ] && check "${library##*/} needs its language's runtime only" needs_runtime_only "$library"
done

# Plugins of released minors in today's zygote and in one of the next minor; a plugin of the next minor in today's.
check "plugins of released minors run" python3 Tests/abi/corpus.py
grep '^skipped' "$LOG" || true
check "older and newer meet" python3 Tests/abi/later.py
check "no descriptor brings a zygote down" python3 Tests/abi/fuzz_descriptor.py

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
