# The page. Comes after calendar.awk, number.awk and chart.awk. Reads the tables that aggregate.sh wrote, named by `table`.
# All that is printed here is a number, a date or a label of ours, so nothing needs escaping.

table == "figures" {
    at = index($0, "=")
    f[substr($0, 1, at - 1)] = substr($0, at + 1)
    next
}

FNR == 1 { FS = ","; $0 = $0; next }

table == "trend" { trend[++days] = $0; next }
table == "top" { top[++tops] = $0; next }
table == "recency" { recency[++gaps] = $0; next }
table == "bands" { band[++bands] = $0; next }

# What a figure is, and how it compares with the week before.
function tile(name, value, now, before,    delta, way) {
    printf "<div class=\"tile\"><h3>%s</h3><p class=\"value\">%s</p>", name, value
    delta = distance(now, before)
    way = delta == "0.0%" ? "" : now + 0 < before + 0 ? "down" : "up"
    if (delta == "") print "<p class=\"delta\">no week before</p></div>"
    else printf "<p class=\"delta %s\">%s%s<span> vs %s</span></p></div>\n", way, way == "" ? "" : way == "up" ? "+" : "&minus;", delta, short_date(f["week_date"])
}

function than(now, before, what,    delta) {
    delta = distance(now, before)
    if (delta == "") return ""
    if (delta == "0.0%") return "level with " what
    return delta (now + 0 < before + 0 ? " below " : " above ") what
}

function summary(    week, month, text) {
    week = than(f["cents"], f["week_cents"], "the " f["weekday"] " before")
    if (f["weekdays"] > 1) month = than(f["cents"], f["weekdays_cents"], "the mean of the last " f["weekdays"] " " f["weekday"] "s")
    text = "Revenue was " money(f["cents"])
    if (week != "") text = text ": " week
    if (month != "") text = text ", and " month
    text = text ". "
    if (f["trend_days"] > 1 && f["best_date"] == f["date"]) text = text "It was the best of the " f["trend_days"] " days shown. "
    else if (f["trend_days"] > 1) text = text "The best of the " f["trend_days"] " days shown was " long_date(f["best_date"]) ", with " money(f["best_cents"]) ". "
    text = text share(f["new"], f["customers"]) " of the customers were new; they brought " share(f["new_cents"], f["cents"]) " of the revenue."
    print "<p class=\"summary\">" text "</p>"
}

function revenue_chart(    i, c) {
    for (i = 1; i <= days; i++) {
        split(trend[i], c, ",")
        day_iso[i] = c[1]; low[i] = c[7] / 100; high[i] = 0; line[i] = c[8] == "" ? "" : c[8] / 100
        tip[i] = weekday_name(day_number(c[1])) " " long_date(c[1]) ": " money(c[7]) ", " count_of(c[3], "order", "orders")
    }
    print "<section><h2>Revenue</h2>"
    print "<p class=\"key\"><i class=\"low\"></i>a day <i class=\"today\"></i>the day of this report <i class=\"mean\"></i>mean of seven days</p>"
    draw_chart(330, "Revenue by day, with the mean of seven days", "Revenue, dollars", "$", "mean of seven days", days)
    print "</section>"
}

function customers_chart(    i, c) {
    for (i = 1; i <= days; i++) {
        split(trend[i], c, ",")
        low[i] = c[5]; high[i] = c[4] - c[5]; line[i] = ""
        tip[i] = long_date(c[1]) ": " thousands(c[5]) " new, " thousands(high[i]) " returning"
    }
    print "<section class=\"customers\"><h2>Customers</h2>"
    print "<p class=\"key\"><i class=\"low\"></i>new <i class=\"high\"></i>returning</p>"
    draw_chart(250, "Customers by day, new and returning", "Customers", "", "", days)
    print "</section>"
}

# `heads` are the column heads, separated by commas; a column but the first is right-aligned.
function table_start(title, note, heads,    count, head, i) {
    printf "<section><h2>%s</h2><p class=\"note\">%s</p><div class=\"scroll\"><table><thead><tr>", title, note
    count = split(heads, head, ",")
    for (i = 1; i <= count; i++) printf "<th>%s</th>", head[i]
    print "</tr></thead><tbody>"
}

function table_end() { print "</tbody></table></div></section>" }

function recency_table(    i, c) {
    table_start("Who bought", "by the time since the purchase before", "Last purchase,Customers,Share,Orders,Revenue")
    for (i = 1; i <= gaps; i++) {
        split(recency[i], c, ",")
        printf "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n", c[1], thousands(c[2]), share(c[2], f["customers"]), thousands(c[3]), money(c[4])
    }
    table_end()
}

function bands_table(    i, c, units, week, need, cents) {
    table_start("What left the stock", "CDs by mean price in their order; <em>restock</em> is what the last seven days sold", "Price of a CD,Units,7 days ago,Restock,Revenue")
    for (i = 1; i <= bands; i++) {
        split(band[i], c, ",")
        units += c[2]; cents += c[3]; week += c[4]; need += c[5]
        printf "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n", c[1], thousands(c[2]), f["week_date"] == "" ? "&ndash;" : thousands(c[4]), thousands(c[5]), money(c[3])
    }
    printf "<tr class=\"sum\"><td>all</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n", thousands(units), f["week_date"] == "" ? "&ndash;" : thousands(week), thousands(need), money(cents)
    table_end()
}

function top_table(    i, c) {
    table_start("Top customers", "by revenue on the day; <em>ever</em> is since 1 January 1997", "Customer,Orders,CDs,Revenue,Purchase before,Orders ever,Revenue ever")
    for (i = 1; i <= tops; i++) {
        split(top[i], c, ",")
        printf "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n", c[1], thousands(c[2]), thousands(c[3]), money(c[4]), c[6] == "" ? "<b class=\"new\">new</b>" : short_date(c[6]), thousands(c[7]), money(c[8])
    }
    table_end()
}

function inline_style(    text) {
    print "<style>"
    while ((getline text < style) > 0) print text
    close(style)
    print "</style>"
}

END {
    if (f["date"] == "" || !days) {
        print "no figures to render: run aggregate first" | "cat >&2"
        exit 1
    }
    print "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">"
    print "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
    print "<title>Daily sales, " long_date(f["date"]) "</title>"
    inline_style()
    print "</head>\n<body>\n<main>"
    printf "<header><p>Daily sales</p><h1>%s, %s</h1></header>\n", f["weekday"], long_date(f["date"])
    summary()

    print "<div class=\"tiles\">"
    tile("Revenue", money(f["cents"]), f["cents"], f["week_cents"])
    tile("Orders", thousands(f["orders"]), f["orders"], f["week_orders"])
    tile("Customers", thousands(f["customers"]), f["customers"], f["week_customers"])
    tile("CDs sold", thousands(f["units"]), f["units"], f["week_units"])
    tile("Mean order", money(int(f["cents"] / f["orders"] + 0.5)), f["cents"] / f["orders"], f["week_orders"] ? f["week_cents"] / f["week_orders"] : 0)
    print "</div>"

    revenue_chart()
    customers_chart()
    print "<div class=\"pair\">"
    recency_table()
    bands_table()
    print "</div>"
    top_table()

    printf "<footer><p>%s read, %s kept. Left out: %s malformed, %s without units or amount, %s that repeat another in every field.</p>", count_of(f["read"], "row", "rows"), thousands(f["kept"]), thousands(f["malformed"]), thousands(f["unpaid"]), thousands(f["repeated"])
    print "<p>Orders of CDNOW customers whose first purchase was in 1997; see data/README.md for the source.</p></footer>"
    print "</main>\n</body>\n</html>"
}
