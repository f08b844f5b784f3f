#!/bin/sh
# Writes the report of $date from the tables in $WORK to $out/daily_sales_<date>.html: one page, no scripts, nothing to load.
set -eu
export LC_ALL=C

date=${date:?expected a day such as 1997-02-24}
out=${out:-daily_sales/report}
here=$(pwd)/daily_sales
work=${WORK:?expected the work folder that extract hands on}

mkdir -p -- "$out"
out=$(cd -- "$out" && pwd)
report=$out/daily_sales_$date.html

# The name of the part file is this run's own: two runs for one day do not write into each other's.
part=$report.${MILLRACE_RUN_ID:?expected the id of a run}.tmp
trap 'rm -f -- "$part"' EXIT
(
    cd -- "$work"
    awk -v style="$here/style.css" -f "$here/calendar.awk" -f "$here/number.awk" -f "$here/chart.awk" -f "$here/report.awk" \
        table=figures figures.txt table=trend trend.csv table=top customers_top.csv \
        table=recency recency.csv table=bands bands.csv
) > "$part"
mv -- "$part" "$report"

echo "wrote $(wc -c < "$report" | tr -d ' ') bytes"
echo "report=$report" >> "${MILLRACE_OUTPUT:-/dev/null}"
