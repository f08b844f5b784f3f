#!/bin/sh
# Installs the peers into a folder of their own: bench/peers/setup.sh DIR. Then: millrace-bench --peers DIR.
# Debian: apt-get install python3-venv nodejs npm
set -eu
dir=${1:?expected a folder to install the peers into}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir/bullmq"
python3 -m venv "$dir/celery"
"$dir/celery/bin/pip" install --quiet 'celery[redis]==5.7.0' hiredis
cp "$here/bullmq/package.json" "$dir/bullmq/"
(cd "$dir/bullmq" && npm install --silent)
