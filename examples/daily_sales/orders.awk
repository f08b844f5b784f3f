# One line a day: how many orders, units and cents. Comes after rows.awk.

{
    orders[$2]++
    units[$2] += $3
    total[$2] += cents
}

END {
    print "date", "orders", "units", "cents"
    for (date in orders) printf "%s,%d,%d,%.0f\n", date, orders[date], units[date], total[date]
}
