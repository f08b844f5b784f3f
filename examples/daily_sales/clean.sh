#!/bin/sh
# Cleans the extracted rows and shapes them for one subject, $1: orders, customers or units.
# Reads $WORK/rows.csv, writes $WORK/<subject>.csv. The three run side by side and share no file they write.
set -eu
export LC_ALL=C
umask 077

subject=${1:?expected orders, customers or units}
case $subject in
    orders | customers | units) ;;
    *) echo "subject is '$subject': expected orders, customers or units" >&2; exit 2 ;;
esac
here=$(pwd)/daily_sales
cd -- "${WORK:?expected the work folder that extract hands on}"

awk -v tally="$subject.tally" -f "$here/rows.awk" -f "$here/$subject.awk" rows.csv > "$subject.unsorted"
{
    sed 1q "$subject.unsorted"
    sed 1d "$subject.unsorted" | sort
} > "$subject.csv.part"
mv -- "$subject.csv.part" "$subject.csv"
rm -f -- "$subject.unsorted"

sed "s/^/$subject: /" "$subject.tally"
tr -d ' ' < "$subject.tally" >> "${MILLRACE_OUTPUT:-/dev/null}"
