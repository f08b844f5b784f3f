# A bar chart as SVG: one or two stacked series, and a line where there is one. Comes after number.awk.
# Callers fill these by day, 1 to `points`:
#   low, high   the two parts of a bar, from the axis up    line   "" where there is no point
#   day_iso     the dates    tip   what a bar says when it is pointed at

# The distance of the grid lines: 1, 2, 2.5 or 5 times a power of ten, for at most five lines.
function grid_step(top,    step) {
    step = 1
    while (step * 10 <= top / 5) step *= 10
    if (step >= top / 5) return step
    if (step * 2 >= top / 5) return step * 2
    if (step >= 4 && step * 2.5 >= top / 5) return step * 2.5
    if (step * 5 >= top / 5) return step * 5
    return step * 10
}

function draw_chart(height, title, axis, unit, line_name, points,
                    width, left, right, top, bottom, most, i, step, ceiling, scale, slot, bar, x, y, h, every, path, marks) {
    width = 960; left = 92; right = 20; top = 16; bottom = 52
    most = 1
    for (i = 1; i <= points; i++) {
        if (low[i] + high[i] > most) most = low[i] + high[i]
        if (line[i] != "" && line[i] + 0 > most) most = line[i] + 0
    }
    step = grid_step(most)
    ceiling = step
    while (ceiling < most) ceiling += step
    scale = (height - top - bottom) / ceiling
    slot = (width - left - right) / points
    bar = slot * 0.72
    if (bar > 48) bar = 48

    printf "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", width, height, title
    for (y = 0; y <= ceiling; y += step) {
        h = height - bottom - y * scale
        printf "<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", y ? "grid" : "base", left, width - right, h, h
        printf "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s%s</text>\n", left - 10, h + 4, unit, thousands(y)
    }

    # As many dates as fit, counted back from the last day, which always has its own.
    every = 1
    while (slot * every < 54) every++
    for (i = 1; i <= points; i++) {
        x = left + slot * (i - 0.5)
        printf "<g%s><title>%s</title>", i == points ? " class=\"today\"" : "", tip[i]
        h = low[i] * scale
        printf "<rect class=\"low\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", x - bar / 2, height - bottom - h, bar, h
        if (high[i]) {
            y = high[i] * scale
            printf "<rect class=\"high\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", x - bar / 2, height - bottom - h - y, bar, y
        }
        if ((points - i) % every == 0)
            printf "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>", x, height - bottom + 20, short_date(day_iso[i])
        print "</g>"
        if (line[i] != "") {
            path = path sprintf("%s%.1f %.1f", path == "" ? "M" : "L", x, height - bottom - line[i] * scale)
            marks++
        }
    }
    if (marks > 1) printf "<path class=\"mean\" d=\"%s\"><title>%s</title></path>\n", path, line_name
    printf "<text class=\"axis\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">Day</text>", (left + width - right) / 2, height - 8
    printf "<text class=\"axis\" transform=\"translate(14 %.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>\n</svg>\n", (top + height - bottom) / 2, axis
}
