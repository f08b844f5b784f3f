#!/bin/sh
# Takes the orders up to and including $date out of the export, as ISO-dated CSV in a work folder of this run.
# The days before are needed too: for the trend, and to know who is a new customer.
set -eu
export LC_ALL=C
umask 077

export="./daily_sales/data/cdnow_1997_jan_feb.csv"
date=${date:?expected a day such as 1997-02-24: set the param date}
days=${days:-28}

case $date in
    [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]) ;;
    *) echo "date is '$date': expected YYYY-MM-DD" >&2; exit 2 ;;
esac
if ! [ "$days" -ge 7 ] 2>/dev/null || [ "$days" -gt 60 ]; then
    echo "days is '$days': expected 7 to 60" >&2
    exit 2
fi
if ! [ -r "$export" ]; then
    echo "no orders at $export: expected to start in the folder of daily_sales.yaml" >&2
    exit 2
fi

work=${TMPDIR:-/tmp}/millrace_daily_sales_${MILLRACE_RUN_ID:?expected the id of a run}
mkdir -p -- "$work"

# The part file makes a repeated attempt safe: rows.csv is whole or absent.
if ! awk -v day="$date" -f ./daily_sales/extract.awk "$export" > "$work/rows.csv.part"; then
    rm -rf -- "$work"
    exit 1
fi
mv -- "$work/rows.csv.part" "$work/rows.csv"

rows=$(($(wc -l < "$work/rows.csv") - 1))
echo "extracted $rows rows up to $date into $work"
{
    echo "work=$work"
    echo "rows=$rows"
} >> "${MILLRACE_OUTPUT:-/dev/null}"
