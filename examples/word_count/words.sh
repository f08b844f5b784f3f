# The words of standard input, each with its count, in the order of their bytes. A word is made of letters, with
# apostrophes inside: "o'clock", "Bennet's".
set -e
tr A-Z a-z | tr -cs "a-z'" '\n' | sed "s/^'*//; s/'*$//" |
  awk 'NF { times[$1]++ } END { for (word in times) print word, times[word] }' | sort
