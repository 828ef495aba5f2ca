<?php
// Deterministic PHP target: prints `FUNCTION CALLS` lines, its own count of every user function entered.
$n = [];
function hit(string $f): void { global $n; $n['hit'] = ($n['hit'] ?? 0) + 1; $n[$f] = ($n[$f] ?? 0) + 1; }

function fib(int $k): int { hit('fib'); return $k < 2 ? $k : fib($k - 1) + fib($k - 2); }

function raiser(int $k): void {
    hit('raiser');
    if ($k == 0) throw new RuntimeException('x');
    raiser($k - 1);
}

function catcher(): void {
    hit('catcher');
    try { raiser(3); } catch (RuntimeException $e) { }
}

function gen(int $k) {
    hit('gen'); // each resume; making the generator is one more (see run)
    for ($i = 0; $i < $k; $i++) { yield $i; hit('gen'); }
}

class Shape {
    function __construct(public int $w) { hit('__construct'); }
    static function make(int $w): static { hit('make'); return new static($w); }
    function area(): int { hit('area'); return $this->w * $this->side(); }
    private function side(): int { hit('side'); return $this->w; }
}
class Square extends Shape { }

function run(): void {
    hit('run');
    fib(10);
    for ($i = 0; $i < 5; $i++) catcher();
    hit('gen');
    foreach (gen(7) as $v);
    $sq = function (int $x) { hit('{closure}'); return $x * $x; };
    array_map($sq, [1, 2, 3]);
    usort($GLOBALS['list'], fn($a, $b) => (hit('{closure}') ?? 0) ?: $a <=> $b);
    Square::make(2)->area();
    (new Shape(3))->area();
}
$list = [3, 1, 2];
run();
ksort($n);
foreach ($n as $f => $c) echo "$f $c\n";
echo "main 1\n"; // what the probes call the top level of a file
