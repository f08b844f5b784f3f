# Reads the export (customer_id,date,units,dollars; the date as YYYYMMDD), writes the rows up to `day`.
# Fails when `day` itself has none.

BEGIN { FS = OFS = ","; print "customer_id", "date", "units", "dollars" }

FNR == 1 { next }

{
    iso = substr($2, 1, 4) "-" substr($2, 5, 2) "-" substr($2, 7)
    if (first == "" || iso < first) first = iso
    if (iso > last) last = iso
    if (iso == day) found++
    if (iso <= day) print $1, iso, $3, $4
}

END {
    if (!found) {
        printf "no orders on %s: expected a day from %s to %s; set the param date\n", day, first, last | "cat >&2"
        exit 1
    }
}
