# Keeps the words of text.txt in dictionaries and lists, sorts and rewrites them.
set words [dict create]
set lines {}
set file [open text.txt]
while {[gets $file line] >= 0} {
    lappend lines [split $line]
    foreach word [split $line] {
        dict incr words $word
        dict lappend places [string index $word 0] [llength $lines]
    }
}
foreach word [lrange [lsort [dict keys $words]] 0 30] {
    puts "$word [dict get $words $word] [string reverse [string toupper $word]]"
}
foreach letter [lsort [dict keys $places]] {
    puts "$letter [llength [lsort -unique -integer [dict get $places $letter]]]"
}
set text [join [lmap line $lines {join [lsort $line] -}] \n]
puts "[string length $text] [regsub -all {[aeiou]+} $text {<&>} text] [string length $text]"
