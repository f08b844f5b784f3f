# What left the stock: units by day and band of price for one CD. Comes after rows.awk.
# The data names no titles, so the band is the nearest thing to a shelf. An order's units share its mean price.

function band(price) { return price < 1000 ? 1 : price < 1300 ? 2 : price < 1600 ? 3 : price < 2000 ? 4 : 5 }

{
    key = $2 "," band(cents / $3)
    orders[key]++
    units[key] += $3
    total[key] += cents
}

END {
    print "date", "band", "orders", "units", "cents"
    for (key in units) printf "%s,%d,%d,%.0f\n", key, orders[key], units[key], total[key]
}
