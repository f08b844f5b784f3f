#!/bin/sh
# Joins what the three cleaning steps wrote in $WORK into the figures of $date and the trend of the last $days days:
# figures.txt (key=value), trend.csv, customers_top.csv, recency.csv, bands.csv.
set -eu
export LC_ALL=C
umask 077

date=${date:?expected a day such as 1997-02-24}
days=${days:-28}
here=$(pwd)/daily_sales
cd -- "${WORK:?expected the work folder that extract hands on}"

# All three read the same rows by the same rules. If they differ, one of them read something else.
for subject in customers units; do
    if ! cmp -s orders.tally "$subject.tally"; then
        echo "orders and $subject disagree on which rows count: run the cleaning steps again" >&2
        exit 1
    fi
done

awk -v day="$date" -v days="$days" -f "$here/calendar.awk" -f "$here/aggregate.awk" \
    table=orders orders.csv table=customers customers.csv table=units units.csv > figures.txt.part
sed 's/ = /=/' orders.tally >> figures.txt.part
mv -- figures.txt.part figures.txt

sed 's/^/figures: /' figures.txt
sed -n '/^revenue=/p; /^orders=/p; /^customers=/p; /^units=/p' figures.txt >> "${MILLRACE_OUTPUT:-/dev/null}"
