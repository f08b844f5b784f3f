# Generated examples of a straight relation, y = 2 + 3a - b, with noise: a line "a b y" each.
#   awk -v rows=400 -v seed=7 -v noise=0.1 -f data.awk
# The generator is that of Park and Miller, 1988: the same numbers everywhere, unlike rand().
function uniform() { # between -1 and 1
  state = (state * 16807) % 2147483647
  return 2 * state / 2147483647 - 1
}
BEGIN {
  state = seed
  for (row = 0; row < 10; row++) uniform() # the first ones of a small seed are small
  for (row = 1; row <= rows; row++) {
    a = uniform()
    b = uniform()
    # A sum of four is close enough to a normal distribution.
    printf "%.6f %.6f %.6f\n", a, b, 2 + 3 * a - b + noise * (uniform() + uniform() + uniform() + uniform()) / 2
  }
}
