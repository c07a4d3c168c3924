;; Which pages hold anything but zeros. The memory is the caller's: pages first, and the answer wherever the caller wants it.
;;
;;   scan(pages at, bytes in a page, number of pages, answer at)
;;
;; The answer is one byte a page: 0 where the page is all zeros. A page takes up a multiple of 64 bytes; its first 64 bytes
;; decide about most of those that hold anything.
(module
  (import "lane" "memory" (memory 1))
  (func (export "scan") (param $at i32) (param $size i32) (param $count i32) (param $answer i32)
    (local $end i32)
    (local $found i32)
    (block $done
      (loop $page
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $end (i32.add (local.get $at) (local.get $size)))
        (local.set $found (i32.const 0))
        (block $known
          (loop $line
            (if
              (v128.any_true
                (v128.or
                  (v128.or (v128.load (local.get $at)) (v128.load offset=16 (local.get $at)))
                  (v128.or (v128.load offset=32 (local.get $at)) (v128.load offset=48 (local.get $at)))))
              (then
                (local.set $found (i32.const 1))
                (br $known)))
            (local.set $at (i32.add (local.get $at) (i32.const 64)))
            (br_if $line (i32.lt_u (local.get $at) (local.get $end)))))
        (i32.store8 (local.get $answer) (local.get $found))
        (local.set $answer (i32.add (local.get $answer) (i32.const 1)))
        (local.set $at (local.get $end))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $page)))))
