# Hashes, symbols, strings that grow, regular expressions and threads over the words of text.txt.
lines = File.readlines("text.txt", chomp: true)
count = Hash.new(0)
lines.each { |line| line.split.each { |word| count[word] += 1 } }
puts count.sort_by { |word, n| [-n, word] }.first(30).map { |word, n| "#{n} #{word}" }
groups = lines.group_by { |line| line[/\w+/].to_sym }
puts groups.size, groups.values.map { |some| some.join(" ").gsub(/[aeiou]+/) { |v| v.upcase }.size }.sum
threads = 4.times.map do |n|
  Thread.new { lines.each_slice(7).map { |some| (some.join * n).sum }.sum }
end
puts threads.map(&:value)
GC.start
puts Marshal.load(Marshal.dump(groups)).keys.sort.first(5)
