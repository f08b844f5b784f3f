# How well a model foretells: R squared, 1 for one that is always right, 0 for one that always says the mean.
#   awk -v model="2 3 -1" -f score.awk validation.txt
BEGIN { split(model, w, " ") }
{
  error = w[1] + w[2] * $1 + w[3] * $2 - $3
  errors += error * error
  sum += $3
  squares += $3 * $3
}
END { printf "%.4f\n", 1 - errors / (squares - sum * sum / NR) }
