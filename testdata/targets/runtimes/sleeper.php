<?php
function nap() { usleep(1000); }
echo "ready\n";
while (!feof(STDIN)) { nap(); stream_set_blocking(STDIN, false); fgets(STDIN); }
