;; Hash tables, strings and big numbers over the words of text.txt.
(use-modules (ice-9 rdelim) (srfi srfi-1))
(define words
  (call-with-input-file "text.txt"
    (lambda (port)
      (let loop ((line (read-line port)) (words '()))
        (if (eof-object? line)
            words
            (loop (read-line port) (append (string-split line #\space) words)))))))
(define table (make-hash-table))
(for-each (lambda (word) (hash-set! table word (+ 1 (hash-ref table word 0)))) words)
(define sorted
  (sort (hash-map->list cons table)
        (lambda (a b) (or (> (cdr a) (cdr b)) (and (= (cdr a) (cdr b)) (string<? (car a) (car b)))))))
(for-each (lambda (pair) (format #t "~a ~a\n" (cdr pair) (string-reverse (car pair)))) (take sorted 30))
(define (factorial n) (if (< n 2) 1 (* n (factorial (- n 1)))))
(display (modulo (factorial 2000) 1000000007))
(newline)
