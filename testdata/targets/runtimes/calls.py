"""Deterministic Python target: prints `FUNCTION CALLS` lines, its own count of every entry
(first call, resume of a generator or coroutine, close) that function__entry reports."""
import asyncio
import threading
from collections import Counter

entries, lock = Counter(), threading.Lock()

def hit(name):  # counted by hand; hit itself is counted once per hit, at the end
    with lock:
        entries[name] += 1

def fib(n):
    hit("fib")
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def raiser(n):
    hit("raiser")
    if n == 0:
        raise ValueError(n)
    raiser(n - 1)

def catcher():
    hit("catcher")
    try:
        raiser(3)
    except ValueError:
        pass

def gen(n):
    hit("gen")
    try:
        for i in range(n):
            yield i
            hit("gen")
    except GeneratorExit:  # close() resumes the frame once more
        hit("gen")
        raise

async def child(n):
    hit("child")
    await asyncio.sleep(0)
    hit("child")
    return n

async def parent():
    hit("parent")
    r = await child(1)
    hit("parent")
    return r

def main():
    hit("main")
    fib(10)
    for _ in range(5):
        catcher()
    sum(gen(7))
    g = gen(9)
    next(g), next(g), g.close()
    ts = [threading.Thread(target=fib, args=(8,)) for _ in range(3)]
    [t.start() for t in ts], [t.join() for t in ts]
    (lambda: hit("<lambda>"))()
    asyncio.run(parent())

main()
print("hit", sum(entries.values()))
for name in sorted(entries):
    print(name, entries[name])
