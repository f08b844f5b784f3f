# Who bought when. Comes after rows.awk. One line for each customer and day:
# what was bought on that day, and the first day on which this customer bought anything.

{
    key = $2 "," $1
    orders[key]++
    units[key] += $3
    total[key] += cents
    if (!($1 in first) || $2 < first[$1]) first[$1] = $2
}

END {
    print "date", "customer_id", "orders", "units", "cents", "first_date"
    for (key in orders) {
        split(key, part, ",")
        printf "%s,%d,%d,%.0f,%s\n", key, orders[key], units[key], total[key], first[part[2]]
    }
}
