# Counts, joins and cuts the words of text.txt with bash's arrays, subshells and expansions.
declare -A count
lines=()
while read -r line; do
    lines+=("$line")
    for word in $line; do
        count[$word]=$((${count[$word]:-0} + 1))
    done
done < <(head -n 1500 text.txt)
for word in "${!count[@]}"; do
    echo "${count[$word]} $word"
done | sort -k1,1nr -k2 | head -n 50
joined=$(IFS=+; echo "${lines[*]^^}")
echo "${#joined} ${joined: -60}"
for i in {1..40}; do
    part=$(echo "${lines[i]//a/AA}" | rev)
    printf '%s\n' "${part%% *}" "${part##*[xyz]}"
done
