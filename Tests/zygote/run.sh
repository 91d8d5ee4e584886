#!/usr/bin/env bash
# run.sh - all tests of pawl-zygote and of the plugins in C, against the built binaries; arguments select tests by a part of
# their name. The last line is 'N passed, N failed'.
set -u
cd "$(dirname "$0")/../.."
exec python3 Tests/zygote/run.py "$@"
