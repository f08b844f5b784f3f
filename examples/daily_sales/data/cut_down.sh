#!/bin/sh
# Cuts CDNOW_master.txt, given as $1, down to January and February 1997 on stdout.
# Every row of those two months is kept as it is, the bad ones too; only the layout becomes CSV.
set -eu
export LC_ALL=C
tr -d '\r' < "${1:?usage: sh cut_down.sh CDNOW_master.txt > cdnow_1997_jan_feb.csv}" |
    awk 'BEGIN { print "customer_id,date,units,dollars" }
         NR > 1 && $2 >= "19970101" && $2 <= "19970228" { print $1 "," $2 "," $3 "," $4 }'
