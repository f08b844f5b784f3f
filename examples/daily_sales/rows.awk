# Decides which rows count; comes before orders.awk, customers.awk or units.awk on awk's command line.
# A row that does not count is tallied under one reason and goes no further. The tally goes to file `tally`.
#
# The data has no order number, so a row that repeats another in every field is taken for the same order sent twice.

BEGIN { FS = OFS = "," }

FNR == 1 { next }

{ read++ }

NF != 4 || $1 !~ /^[0-9]+$/ || $2 !~ /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]$/ || $3 !~ /^[0-9]+$/ || $4 !~ /^[0-9]+\.[0-9][0-9]$/ {
    malformed++
    next
}

$3 + 0 == 0 || $4 + 0 == 0 { unpaid++; next }

$0 in seen { repeated++; next }

{
    seen[$0] = 1
    kept++
    cents = int($4 * 100 + 0.5)    # sums of whole cents stay exact
}

END {
    printf "read = %d\nkept = %d\nmalformed = %d\nunpaid = %d\nrepeated = %d\n", read, kept, malformed, unpaid, repeated > tally
    close(tally)
    if (!kept) {
        print "no row is left after cleaning: expected customer_id,date,units,dollars" | "cat >&2"
        exit 1
    }
}
