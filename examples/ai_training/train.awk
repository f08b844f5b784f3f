# Linear regression by gradient descent: reads lines "a b y", and prints the weights "w0 wa wb" of y = w0 + wa a + wb b.
#   awk -v rate=0.5 -v epochs=100 -f train.awk train.txt
# Fails when the weights go astray, as they do when the rate is too high.
{ a[NR] = $1; b[NR] = $2; y[NR] = $3 }
END {
  for (epoch = 1; epoch <= epochs; epoch++) {
    g0 = ga = gb = 0
    for (row = 1; row <= NR; row++) {
      error = w0 + wa * a[row] + wb * b[row] - y[row]
      g0 += error
      ga += error * a[row]
      gb += error * b[row]
    }
    w0 -= rate * g0 / NR
    wa -= rate * ga / NR
    wb -= rate * gb / NR
    if (w0 > 1000 || w0 < -1000 || wa > 1000 || wa < -1000 || wb > 1000 || wb < -1000) {
      printf "with rate %s the weights go astray, in epoch %d\n", rate, epoch > "/dev/stderr"
      exit 1
    }
  }
  printf "%.4f %.4f %.4f\n", w0, wa, wb
}
