# A repository's life: cloned, changed, merged, packed, checked.
set -e
export GIT_AUTHOR_DATE='2024-01-02T03:04:05Z' GIT_COMMITTER_DATE='2024-01-02T03:04:05Z'
git config --global user.name A && git config --global user.email a@example.org
git clone -q --no-local repo copy
cd copy
git log --oneline --stat --all | cksum
git checkout -q -b side HEAD~5
for i in 1 2 3 4 5 6 7 8; do
    seq $i 400 >"side$i.txt"
    git add .
    git commit -q -m "side $i"
done
git checkout -q main
git merge -q -m merged side
git diff --stat HEAD~1 HEAD
git blame -s src/part1/file1.txt | cksum
git grep -c ka HEAD -- src/part2 | cksum
git gc -q --prune=now
git fsck --strict --no-progress
git rev-list --objects --all | sort | cksum
