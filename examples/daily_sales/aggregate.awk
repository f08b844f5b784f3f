# The figures of `day`, and the trend of the `days` days that end with it. Comes after calendar.awk.
# Reads three tables, named by `table`; writes the figures to stdout and four tables beside them.
# Money is in whole cents; only `revenue` is in dollars, for people.

BEGIN { FS = OFS = ","; top_limit = 10; bands = 5 }

FNR == 1 { next }

table == "orders" {
    if (first_date == "") first_date = $1
    orders[$1] = $2; units[$1] = $3; total[$1] = $4
}

table == "customers" {
    customers[$1]++
    customer_orders[$1] += $3
    ever_orders[$2] += $3
    ever_total[$2] += $5
    if ($1 == $6) { fresh[$1]++; fresh_total[$1] += $5 }
    if ($1 == day) {
        buyers[++buyer_count] = $2
        buyer_orders[$2] = $3; buyer_units[$2] = $4; buyer_total[$2] = $5; buyer_first[$2] = $6
    } else {
        previous[$2] = $1    # lines come sorted by day, so the last one stands
    }
}

table == "units" {
    band_units[$1, $2] = $4
    band_total[$1, $2] = $5
    unit_orders[$1] += $3
}

function fail(message) { print message | "cat >&2"; failed = 1; exit 1 }

function figure(name, value) { print name "=" value }

# The days that `day` is held against: the same weekday, one to four weeks before.
function compare_weekdays(today,    week, before, count, sum) {
    for (week = 1; week <= 4; week++) {
        before = iso_date(today - 7 * week)
        if (!(before in orders)) continue
        count++
        sum += total[before]
    }
    before = iso_date(today - 7)
    if (before in orders) {
        figure("week_date", before)
        figure("week_cents", total[before])
        figure("week_orders", orders[before])
        figure("week_customers", customers[before])
        figure("week_units", units[before])
        figure("week_new", fresh[before] + 0)
    }
    figure("weekdays", count + 0)
    if (count) figure("weekdays_cents", sprintf("%.0f", sum / count))
}

# Empty before there are seven days to average.
function mean_of_week(number,    back, sum) {
    if (number - 6 < day_number(first_date)) return ""
    for (back = 0; back < 7; back++) sum += total[iso_date(number - back)]
    return sprintf("%.0f", sum / 7)
}

function write_trend(today,    number, date, start, sum, best) {
    start = today - days + 1
    if (start < day_number(first_date)) start = day_number(first_date)
    print "date", "weekday", "orders", "customers", "new", "units", "cents", "mean_cents" > "trend.csv"
    for (number = start; number <= today; number++) {
        date = iso_date(number)
        print date, weekday(number), orders[date] + 0, customers[date] + 0, fresh[date] + 0, units[date] + 0, total[date] + 0, mean_of_week(number) > "trend.csv"
        sum += total[date]
        if (best == "" || total[date] > total[best]) best = date
    }
    close("trend.csv")
    figure("trend_start", iso_date(start))
    figure("trend_days", today - start + 1)
    figure("trend_cents", sprintf("%.0f", sum))
    figure("best_date", best)
    figure("best_cents", total[best])
    figure("mean_cents", mean_of_week(today))
}

# By spending on the day; the lower id first where it is the same.
function write_top(    place, i, id, best, taken) {
    print "customer_id", "orders", "units", "cents", "first_date", "previous_date", "ever_orders", "ever_cents" > "customers_top.csv"
    for (place = 1; place <= top_limit && place <= buyer_count; place++) {
        best = ""
        for (i = 1; i <= buyer_count; i++) {
            id = buyers[i]
            if (!(id in taken) && (best == "" || buyer_total[id] > buyer_total[best])) best = id
        }
        taken[best] = 1
        print best, buyer_orders[best], buyer_units[best], buyer_total[best], buyer_first[best], (best in previous ? previous[best] : ""), ever_orders[best], ever_total[best] > "customers_top.csv"
    }
    close("customers_top.csv")
}

function write_recency(today,    i, id, gap, row, label, count, placed, spent) {
    split("first purchase,within a week,8 to 14 days ago,15 to 28 days ago,over 28 days ago", label, ",")
    for (i = 1; i <= buyer_count; i++) {
        id = buyers[i]
        gap = id in previous ? today - day_number(previous[id]) : 0
        row = gap == 0 ? 1 : gap <= 7 ? 2 : gap <= 14 ? 3 : gap <= 28 ? 4 : 5
        count[row]++; placed[row] += buyer_orders[id]; spent[row] += buyer_total[id]
    }
    if (count[1] + 0 != fresh[day] + 0) fail("the tables disagree on " day ": " count[1] + 0 " new customers by gap, " fresh[day] + 0 " by first day")
    print "previous_purchase", "customers", "orders", "cents" > "recency.csv"
    for (row = 1; row <= 5; row++) print label[row], count[row] + 0, placed[row] + 0, spent[row] + 0 > "recency.csv"
    close("recency.csv")
}

# `need` is a week at the mean pace of the last seven days: what to have in stock. Fewer days of data are scaled up.
function write_bands(today,    band, label, back, sum, span) {
    split("under $10,$10 to 12.99,$13 to 15.99,$16 to 19.99,$20 and over", label, ",")
    print "band", "units", "cents", "week_units", "need" > "bands.csv"
    for (band = 1; band <= bands; band++) {
        sum = span = 0
        for (back = 0; back < 7 && today - back >= day_number(first_date); back++) {
            sum += band_units[iso_date(today - back), band]
            span++
        }
        print label[band], band_units[day, band] + 0, band_total[day, band] + 0, band_units[iso_date(today - 7), band] + 0, int(sum * 7 / span + 0.5) > "bands.csv"
    }
    close("bands.csv")
}

END {
    if (failed) exit 1
    if (!(day in orders)) fail("no clean orders on " day ": expected at least one")
    if (customer_orders[day] != orders[day] || unit_orders[day] != orders[day])
        fail("the tables disagree on " day ": " orders[day] " orders, " customer_orders[day] " by customer, " unit_orders[day] " by unit")

    today = day_number(day)
    figure("date", day)
    figure("weekday", weekday_name(today))
    figure("revenue", sprintf("%.2f", total[day] / 100))
    figure("cents", total[day])
    figure("orders", orders[day])
    figure("customers", customers[day])
    figure("units", units[day])
    figure("new", fresh[day] + 0)
    figure("new_cents", fresh_total[day] + 0)
    compare_weekdays(today)
    write_trend(today)
    write_top()
    write_recency(today)
    write_bands(today)
}
