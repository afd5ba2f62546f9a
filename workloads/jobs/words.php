<?php
// Arrays, strings and regular expressions over the words of text.txt.
$count = [];
$lines = file("text.txt", FILE_IGNORE_NEW_LINES);
foreach ($lines as $number => $line) {
    foreach (explode(" ", $line) as $word) {
        $count[$word][] = $number;
    }
}
ksort($count);
$json = json_encode($count);
echo strlen($json), " ", crc32($json), " ", count(json_decode($json, true)), "\n";
foreach (array_slice($count, 0, 30) as $word => $places) {
    echo strrev($word), " ", implode(",", array_slice($places, 0, 9)), "\n";
}
$text = implode("\n", array_map(fn($line) => preg_replace('/[aeiou]+/', '<$0>', $line), $lines));
echo strlen($text), " ", md5($text), " ", strlen(gzcompress($text)), "\n";
