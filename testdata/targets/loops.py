# Calls a function for a second, then prints how long, in us, the fastest of some loops without calls takes.
import time


def call(n):
    return n + 1


def loop():
    n = 0
    while n < 100000:
        n += 1


end = time.monotonic() + 1
while time.monotonic() < end:
    for i in range(100):
        call(i)
fastest = 1e9
for i in range(20):
    start = time.thread_time()
    loop()
    fastest = min(fastest, time.thread_time() - start)
print(int(fastest * 1e6))
