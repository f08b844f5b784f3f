# Dates as numbers: days since 1970-01-01 in the proleptic Gregorian calendar. Good for years 1 to 9999.
# The years start in March here, so that the leap day is the last day of its year.

function day_number(iso,    y, m, d, era, yoe, doy) {
    y = substr(iso, 1, 4) + 0
    m = substr(iso, 6, 2) + 0
    d = substr(iso, 9, 2) + 0
    if (m <= 2) y--
    era = int(y / 400)
    yoe = y - era * 400
    doy = int((153 * (m > 2 ? m - 3 : m + 9) + 2) / 5) + d - 1
    return era * 146097 + yoe * 365 + int(yoe / 4) - int(yoe / 100) + doy - 719468
}

function iso_date(number,    z, era, doe, yoe, doy, mp, y, m) {
    z = number + 719468
    era = int(z / 146097)
    doe = z - era * 146097
    yoe = int((doe - int(doe / 1460) + int(doe / 36524) - int(doe / 146096)) / 365)
    doy = doe - (365 * yoe + int(yoe / 4) - int(yoe / 100))
    mp = int((5 * doy + 2) / 153)
    m = mp < 10 ? mp + 3 : mp - 9
    y = yoe + era * 400 + (m <= 2 ? 1 : 0)
    return sprintf("%04d-%02d-%02d", y, m, doy - int((153 * mp + 2) / 5) + 1)
}

# 0 is Sunday. 1970-01-01 was a Thursday; the 700000 keeps the remainder positive.
function weekday(number) { return (number + 4 + 700000) % 7 }

function weekday_name(number,    names) {
    split("Sunday Monday Tuesday Wednesday Thursday Friday Saturday", names, " ")
    return names[weekday(number) + 1]
}

function month_name(iso,    names) {
    split("January February March April May June July August September October November December", names, " ")
    return names[substr(iso, 6, 2) + 0]
}
