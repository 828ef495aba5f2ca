<?php
// The page of a web server, for php -S.

function words(string $path): array
{
    $counts = [];
    for ($i = 0; $i < 20; $i++) {
        $word = $path . $i % 7;
        $counts[$word] = ($counts[$word] ?? 0) + 1;
    }
    return $counts;
}

function answer(string $path): string
{
    return json_encode(words($path));
}

echo answer($_SERVER['REQUEST_URI']);
