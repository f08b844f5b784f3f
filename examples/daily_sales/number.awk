# Numbers, money and dates as people read them.

# 1234567 as 1,234,567.
function thousands(number,    text, done) {
    text = sprintf("%.0f", number)
    while (length(text) > 3) {
        done = "," substr(text, length(text) - 2) done
        text = substr(text, 1, length(text) - 3)
    }
    return text done
}

# Whole cents as $1,234.56.
function money(cents,    whole) {
    whole = int(cents / 100)
    return "$" thousands(whole) sprintf(".%02d", cents - whole * 100)
}

# How far `now` is from `before`, as 12.3% without its sign. Empty where there is nothing to compare with.
function distance(now, before,    percent) {
    if (before + 0 == 0) return ""
    percent = (now - before) * 100 / before
    return sprintf("%.1f%%", percent < 0 ? -percent : percent)
}

# 1997-02-24 as 24 Feb.
function short_date(iso) { return substr(iso, 9, 2) + 0 " " substr(month_name(iso), 1, 3) }

# 1997-02-24 as 24 February 1997.
function long_date(iso) { return substr(iso, 9, 2) + 0 " " month_name(iso) " " substr(iso, 1, 4) }

function share(part, whole) { return whole ? sprintf("%.0f%%", part * 100 / whole) : "0%" }

function count_of(number, one, many) { return thousands(number) " " (number == 1 ? one : many) }
